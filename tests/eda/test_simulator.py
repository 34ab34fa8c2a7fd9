"""What is built, what is built only once, and what a machine without a compiler says."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cases import operation_cases
from emamba.eda.simulation import simulate
from emamba.eda.simulator import build_simulator
from emamba.eda.verilog import verilog
from emamba.errors import StorageError, ToolError
from emamba.graph import predict
from emamba.rtl import build

CASE = next(case for case in operation_cases() if str(case) == "linear")
DESIGN = build(CASE.graph, 24)
TEXT = verilog(DESIGN.rtlil, DESIGN.top)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder like a user's, with a space in its name, in which both kinds are built."""
    return tmp_path_factory.mktemp("my runs") / "built"


@pytest.fixture(scope="module", params=[True, False], ids=["optimised", "not optimised"])
def optimised(request):
    return request.param


@pytest.fixture(scope="module")
def simulator(optimised, folder):
    return build_simulator(DESIGN, TEXT, folder, optimised)


def test_it_simulates_the_design(simulator):
    assert simulator.design is DESIGN
    assert np.array_equal(simulate(simulator, CASE.frames).outputs, predict(CASE.graph, CASE.frames))


def test_it_is_built_once(simulator, optimised, folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert build_simulator(DESIGN, TEXT, folder, optimised) == simulator


def test_programs_and_the_runtime_are_all_that_stays(simulator, folder):
    names = {path.name.split("-")[0] for path in folder.iterdir()}
    assert names == {"simulator", "runtime"}
    assert len(list(folder.glob("runtime-*"))) == 1


def test_other_verilog_is_another_program(folder):
    texts = TEXT, TEXT + "// a comment is enough\n"
    one, other = (build_simulator(DESIGN, text, folder, optimised=False) for text in texts)
    assert one.executable != other.executable
    assert one.executable.read_bytes() == other.executable.read_bytes(), "not that a comment mattered"


def test_broken_verilog_is_a_tool_error(tmp_path):
    with pytest.raises(ToolError, match="syntax error"):
        build_simulator(DESIGN, TEXT.replace("endmodule", "", 1), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("missing", "present"), [("g++", "make"), ("make", "g++")])
def test_a_missing_program_says_how_to_get_it(tmp_path, monkeypatch, missing, present):
    (tmp_path / present).symlink_to(str(shutil.which(present)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="is not installed") as raised:
        build_simulator(DESIGN, TEXT, tmp_path / "built")
    assert missing in raised.value.message
    assert f"apt install {missing}" in raised.value.hint


def test_a_folder_that_is_none_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        build_simulator(DESIGN, TEXT, tmp_path / "file")


def test_a_frame_alone_takes_less_than_its_bound(simulator):
    assert simulate(simulator, CASE.frames[:1]).latency_cycles < DESIGN.frame_cycles
