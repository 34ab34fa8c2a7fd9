import shutil
from pathlib import Path

import numpy as np
import pytest

from cases import operation_cases
from emamba.eda import compiler, process
from emamba.eda.compiler import STRICT, Runner, build_firmware, find_compiler, firmware_sizes, run_firmware
from emamba.errors import DataError, ToolError
from emamba.firmware import generate
from emamba.graph import parameter_count, predict, run
from networks import random_network

CASE = random_network(0)
SOURCES = generate(CASE.graph)
SOURCE = "emamba_network0.c"


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Runner:
    return build_firmware(SOURCES, CASE.graph, tmp_path_factory.mktemp("firmware"))


def test_outputs_are_those_of_the_graph(runner):
    outputs, tensors = run_firmware(runner, CASE.frames)
    assert np.array_equal(outputs, predict(CASE.graph, CASE.frames))
    assert tensors == {}


def test_a_trace_holds_every_tensor_of_the_first_frames(runner):
    _, tensors = run_firmware(runner, CASE.frames, trace_frames=2)
    expected = run(CASE.graph, CASE.frames[:2])
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        name: tensor.tolist() for name, tensor in expected.items()
    }


def test_a_trace_is_no_longer_than_the_frames(runner):
    assert len(run_firmware(runner, CASE.frames[:1], trace_frames=9)[1]["head"]) == 1


def test_no_frames_give_no_outputs(runner):
    assert run_firmware(runner, CASE.frames[:0], trace_frames=3)[0].shape == (0, 1, CASE.graph.output.channels)


def test_nothing_is_left_behind(runner):
    before = set(runner.executable.parent.iterdir())
    run_firmware(runner, CASE.frames, trace_frames=2)
    assert set(runner.executable.parent.iterdir()) == before


def test_frames_that_do_not_fit_are_refused(runner):
    with pytest.raises(DataError, match="outside int8"):
        run_firmware(runner, CASE.frames + 1000)


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("int32_t sum = op->bias[row];", "int32_t sum = op->bias[row]", "error"),
        ("int32_t sum = op->bias[row];", "int8_t sum = op->bias[row];", "Werror=conversion"),
        ("return x * (one << -shift);", "int spare; return x * (one << -shift);", "unused variable"),
    ],
)
def test_what_the_compiler_says_reaches_the_user(old, new, seen, tmp_path):
    faulty = SOURCES[SOURCE].replace(old, new)
    with pytest.raises(ToolError, match=seen):
        build_firmware({**SOURCES, SOURCE: faulty}, CASE.graph, tmp_path, checked=True)


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("return curve->values[x - curve->first];", "return curve->values[x];", "AddressSanitizer"),
        ("return x * (one << -shift);", "return x * (one << (32 - shift));", "runtime error: shift"),
    ],
)
def test_sanitizers_end_a_run_that_leaves_c(old, new, seen, tmp_path):
    faulty = SOURCES[SOURCE].replace(old, new)
    assert faulty != SOURCES[SOURCE]
    built = build_firmware({**SOURCES, SOURCE: faulty}, CASE.graph, tmp_path, checked=True)
    with pytest.raises(ToolError, match=seen):
        run_firmware(built, CASE.frames)


def test_push_and_frame_have_to_agree(tmp_path):
    forgetful = SOURCES[SOURCE].replace("    emamba_network0_reset(state);\n    for", "    for")
    forgetful = forgetful.replace("frame += EMAMBA_NETWORK0_IN;", "frame += 1;")
    built = build_firmware({**SOURCES, SOURCE: forgetful}, CASE.graph, tmp_path)
    with pytest.raises(ToolError, match="push and frame disagree"):
        run_firmware(built, CASE.frames)


@pytest.mark.parametrize("name", [name for name in compiler.COMPILERS if shutil.which(name)])
@pytest.mark.parametrize("optimisation", ["-O0", "-Os", "-O3"])
def test_the_product_alone_compiles_without_warning(name, optimisation, tmp_path):
    (tmp_path / "emamba_network0.h").write_text(SOURCES["emamba_network0.h"])
    (tmp_path / SOURCE).write_text(SOURCES[SOURCE])
    process.run([name, "-std=c99", *STRICT, optimisation, "-c", SOURCE], tmp_path, "")


def test_a_missing_compiler_is_told_with_a_hint(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="there is no C compiler") as caught:
        find_compiler()
    assert "apt install gcc" in caught.value.hint


def test_sizes_are_measured(tmp_path):
    sizes = firmware_sizes(SOURCES, CASE.graph, tmp_path)
    assert 1000 < sizes.code_bytes < 10_000
    assert parameter_count(CASE.graph) + 4 * 256 < sizes.constant_bytes < 4 * parameter_count(CASE.graph) + 4096
    assert sizes.ram_bytes == state_bytes(tmp_path)


def state_bytes(folder: Path) -> int:
    """What C itself says about the size of the structure of state."""
    program = '#include <stdio.h>\n#include "emamba_network0.h"\n'
    program += 'int main(void) { printf("%d", (int)sizeof(emamba_network0_state)); return 0; }\n'
    (folder / "sizeof.c").write_text(program)
    process.run([find_compiler(), "sizeof.c", "-o", "sizeof"], folder, "")
    return int(process.run([str(folder / "sizeof")], folder, ""))


def test_a_graph_without_memory_keeps_only_its_place_in_the_frame(tmp_path):
    graph = operation_cases()[0].graph
    assert firmware_sizes(generate(graph), graph, tmp_path).ram_bytes == 4


def test_missing_size_is_told_with_a_hint(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="size is not installed") as caught:
        firmware_sizes(SOURCES, CASE.graph, tmp_path)
    assert "binutils" in caught.value.hint
