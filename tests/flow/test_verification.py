"""What verification finds, and that it finds faults planted in the C and in the Verilog."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cases import INT8, Case, activation, border_frames, linear, source
from emamba.eda.verilog import verilog
from emamba.errors import MismatchError
from emamba.firmware import generate
from emamba.flow.verification import Difference, Golden, verify
from emamba.graph import Graph, check, run
from emamba.rtl import build


def small() -> Case:
    """Input, linear, table, linear: something to flip in each."""
    rng = np.random.default_rng(0)
    first = replace(linear(rng, 4, 6, 7), name="first")
    table = replace(activation(table=True), name="table", source="first")
    last = replace(linear(rng, 6, 3, 7), name="last", source="table")
    graph = check(Graph("small", 3, (source(4), first, table, last)))
    return Case(graph, border_frames(rng, 3, 4))


CASE = small()
GOLDEN = run(CASE.graph, CASE.frames)
DESIGN = build(CASE.graph, 8)


@pytest.fixture(scope="module")
def emitted():
    return SimpleNamespace(c=generate(CASE.graph), verilog=verilog(DESIGN.rtlil, DESIGN.top))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("built")


def verified(emitted, folder, trace_frames=4, **options):
    return verify(
        CASE.graph, emitted.c, DESIGN, emitted.verilog, CASE.frames, folder, trace_frames=trace_frames, **options
    )


def in_module(text: str, module: str, pattern: str, change) -> str:
    """`text` with the first match of `pattern` in one Verilog module changed."""
    start = text.index(f"module \\{DESIGN.top}.{module} ")
    end = text.index("endmodule", start)
    body, count = re.subn(pattern, change, text[start:end], count=1)
    assert count == 1
    return text[:start] + body + text[end:]


def flipped(found: re.Match) -> str:
    """A constant with one bit inverted."""
    return f"{found[1]}{int(found[2], 16) ^ 64:x};"


def other_shift(found: re.Match) -> str:
    """The bits that a shift leaves, one place lower."""
    return f"{found[1]}[{int(found[2]) - 1}:{int(found[3]) - 1}]"


def test_without_faults_everything_is_compared(emitted, folder):
    steps = []
    found = verified(emitted, folder, stalls=3, progress=lambda done, total, label: steps.append((done, total)))
    written = found.to_json()
    assert (written["frames"], written["mismatches"], written["stalled"]) == (len(CASE.frames), 0, True)
    frames = len(CASE.frames)
    assert written["compared"] == {"c": frames, "rtl": frames, "tensors": 4, "traced_frames": 4}
    assert written["cycles_per_frame"] >= CASE.graph.tokens * max(stage.cycles for stage in DESIGN.stages)
    assert set(written["occupancy"]["busy"]) == {"input", "first", "table", "last"}
    assert (frames, frames) in steps


FAULTS = [
    ("first", r"(weight\[1\] = \d+'h)(\w+);", flipped),
    ("first", r"(\? \S+ )\[(\d+):(\d+)\]", other_shift),
    ("table", r"(lane_0\[3\] = \d+'h)(\w+);", flipped),
    ("first", r"(bias\[0\] = \d+'h)(\w+);", flipped),
]


@pytest.mark.parametrize(("tensor", "pattern", "change"), FAULTS, ids=["weight", "shift", "table", "bias"])
def test_a_fault_in_the_verilog_is_seen_at_its_tensor(emitted, folder, tensor, pattern, change):
    faulty = SimpleNamespace(c=emitted.c, verilog=in_module(emitted.verilog, tensor, pattern, change))
    with pytest.raises(MismatchError, match=rf"RTL differs from golden first in tensor {tensor}, frame \d+, token"):
        verified(faulty, folder, trace_frames=len(CASE.frames))


def test_a_fault_beyond_the_traced_frames_is_named_too(emitted, folder):
    """The frames that show this table entry come late, so the first run traces none of them."""
    faulty = SimpleNamespace(c=emitted.c, verilog=in_module(emitted.verilog, *FAULTS[2]))
    with pytest.raises(MismatchError, match="RTL differs from golden first in tensor table"):
        verified(faulty, folder, trace_frames=0)


@pytest.mark.parametrize("traced", [0, len(CASE.frames)])
def test_a_fault_in_the_c_is_seen_at_its_tensor(emitted, folder, traced):
    """The faults of every kind are planted in `conformance/test_firmware.py`; this is one through `verify`."""
    name = "emamba_small.c"
    pattern = r"(first__weight\[[^{]*\{\s*)(-?\d+)"
    text, count = re.subn(pattern, lambda found: f"{found[1]}{int(found[2]) ^ 1}", emitted.c[name])
    assert count == 1
    with pytest.raises(MismatchError, match=r"C differs from golden first in tensor first, frame \d+, token"):
        verified(SimpleNamespace(c={**emitted.c, name: text}, verilog=emitted.verilog), folder, trace_frames=traced)


def test_the_first_difference_is_that_of_the_earliest_operation():
    golden, right = Golden(CASE.graph, CASE.frames, GOLDEN["last"]), GOLDEN["last"]
    got = {name: tensor.copy() for name, tensor in GOLDEN.items()}
    assert golden.first_difference(right, got) is None
    got["last"][0, 0, 0] += 1
    got["table"][2, 1, 4] -= 3
    got["table"][2, 2, 0] += 1
    expected = int(GOLDEN["table"][2, 1, 4])
    assert golden.first_difference(right, got) == Difference("table", 2, 1, 4, expected, expected - 3)


def test_tensors_of_later_frames_are_compared_with_theirs_and_outputs_after_tensors():
    golden = Golden(CASE.graph, CASE.frames, GOLDEN["last"])
    late = {"last": GOLDEN["last"][5:7] + np.array([0, 1])[:, None, None]}
    found = golden.first_difference(GOLDEN["last"], late, first_frame=5)
    assert found is not None
    assert (found.frame, found.token, found.element) == (6, 0, 0)
    assert INT8.holds(found.expected, found.got - 1)
    wrong = GOLDEN["last"].copy()
    wrong[-1, 0, 2] -= 1
    late["last"] = GOLDEN["last"][5:7]
    found = golden.first_difference(wrong, late, first_frame=5)
    assert found is not None
    assert (found.frame, found.element, found.expected - found.got) == (len(wrong) - 1, 2, 1)
