"""Netlists of made-up cells: right with real frames, and wrong where a cell is another one."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cases import case, linear, scan_case
from emamba.eda import gates
from emamba.eda.cells import map_cells, measured
from emamba.eda.gates import Instance, c_expression, evaluate, flattened
from emamba.eda.liberty import Cell
from emamba.eda.verilog import verilog
from emamba.errors import DataError, MismatchError, ToolError
from emamba.graph import predict
from emamba.rtl import build, elements

pytestmark = pytest.mark.xdist_group("gates")  # one worker makes what all of them look at
CASE = scan_case("gates", 1, 2, 2)


@pytest.fixture(scope="module")
def design():
    return build(CASE.graph, 8)


@pytest.fixture(scope="module")
def netlist(design, tiny_library):
    return map_cells(verilog(design.rtlil, design.top), design.top, tiny_library, 100)


@pytest.fixture(scope="module")
def cells(netlist, tiny_library):
    return flattened(netlist, tiny_library)


@pytest.fixture(scope="module")
def found(cells, design):
    return evaluate(cells, design, CASE.frames)


def test_the_cells_give_the_golden_integers_whatever_they_power_up_with(found, cells, design):
    golden = predict(CASE.graph, CASE.frames)
    assert np.array_equal(found.outputs, golden)
    assert np.array_equal(evaluate(cells, design, CASE.frames, seed=7).outputs, golden)
    many = np.resize(CASE.frames, (130, *CASE.frames.shape[1:]))
    again = evaluate(cells, design, many)
    assert np.array_equal(again.outputs, predict(CASE.graph, many))
    assert (found.frames, again.frames) == (-(-len(CASE.frames) // 64), 3)


def test_another_cell_is_found_out(netlist, tiny_library, design):
    """The last NAND of the scan becomes a NOR: some frame has to show it."""
    wrong = "tiny_nor2".join(netlist.verilog.rsplit("tiny_nand2 ", 1)).replace("tiny_nor2_", "tiny_nor2 _")
    altered = flattened(measured(wrong, netlist.top, tiny_library), tiny_library)
    try:
        assert not np.array_equal(evaluate(altered, design, CASE.frames).outputs, predict(CASE.graph, CASE.frames))
    except MismatchError as error:
        assert "gates of gates" in error.message  # noqa: PT017 - it may also hang, or break its stream


def test_every_cell_has_its_area_and_nets_change_as_often_as_registers_allow(cells, netlist, found):
    assert len(cells) - 1 == netlist.cells
    assert sum(it.cell.area for it in cells) == pytest.approx(netlist.totals.total)
    assert all(0 <= found.high[net] <= 1 for net in found.high)
    assert 0 < found.toggles["input__payload[0]"] <= found.cycles / found.frames
    assert found.toggles["rst"] == 0
    assert found.high["$true"] == 1


def test_while_nothing_comes_all_clocks_but_one_stand_still(cells, found):
    outputs = {it.pins[it.cell.gate["out"]]: it.name for it in cells if it.cell.gate}
    assert len(outputs) > 1
    assert all(found.resting[net] == 0 for net in outputs)
    awake = next(net for net, name in outputs.items() if name == "CLOCK_GATE")
    assert found.high[awake] > 0.9, "frame follows frame"
    assert all(it.pins[it.cell.clock] in outputs for it in cells if it.cell.next_state)
    assert [it.name for it in cells if it.cell.gate and it.pins[it.cell.gate["clock"]] == "clk"] == ["CLOCK_GATE"]


def test_weights_are_loaded_into_cells_that_know_none(tiny_library):
    rng = np.random.default_rng(0)
    it = case("loaded", rng, 2, 3, replace(linear(rng, 3, 2, 4), name="head"))
    design = build(it.graph, 3, loadable=True)
    cells = flattened(map_cells(verilog(design.rtlil, design.top), design.top, tiny_library, 100), tiny_library)
    weights = elements(it.graph, design.regions, it.graph)
    assert np.array_equal(evaluate(cells, design, it.frames, weights).outputs, predict(it.graph, it.frames))
    assert not np.array_equal(evaluate(cells, design, it.frames).outputs, predict(it.graph, it.frames))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("A", "a"),
        ("!A", "~a"),
        ("A'", "~a"),
        ("(A+B)'", "~(a | b)"),
        ("!(A&B)", "~(a & b)"),
        ("A B + C", "((a & b) | c)"),
        ("A ^ B * C", "((a ^ b) & c)"),
        ("(!A) | (B' 1)", "(~a | (~b & ~(W)0))"),
        ("A !B", "(a & ~b)"),
    ],
)
def test_functions_are_read_as_liberty_means_them(function, expected):
    assert c_expression(function, {"A": "a", "B": "b", "C": "c"}) == expected


@pytest.mark.parametrize("function", ["A &", "(A", "A)", "D", ""])
def test_what_is_no_function_says_so(function):
    with pytest.raises(ToolError, match=re.escape(f"the function {function!r}")):
        c_expression(function, {"A": "a"})


def test_registers_that_are_cleared_by_constants_and_inverted_outputs_are_known():
    cell = Cell("ff", functions={"Q": "IQ", "QN": "IQN"}, next_state="D", clock="C", state=("IQ", "IQN"), clear="!R")
    pins = {"D": "d", "C": "clk", "R": "$true", "Q": "q", "QN": "qn"}
    tables = gates._Tables([Instance("one", cell, pins), Instance("", Cell("ports"), {"clk": "clk"})])
    assert [source["expression"] for source in tables.sources] == ["(v[a[1]] & ~~v[a[2]])", "v[a[1]]", "~v[a[1]]"]
    with pytest.raises(ToolError, match="one, a ff, has its clock from d"):
        gates._Tables([Instance("one", cell, {**pins, "C": "d"}), Instance("", Cell("ports"), {"clk": "clk"})])


def test_a_gate_behind_a_gate_is_open_when_both_are():
    gate = Cell("gate", gate={"clock": "CK", "enable": "EN", "out": "GCK"})
    outer = Instance("outer", gate, {"CK": "clk", "EN": "a", "GCK": "x"})
    inner = Instance("inner", gate, {"CK": "x", "EN": "b", "GCK": "y"})
    tables = gates._Tables([inner, outer, Instance("", Cell("ports"), {"clk": "clk"})])
    assert [source["expression"] for source in tables.sources] == ["(v[a[2]] & v[a[1]])", "v[a[1]]"]
    names = {number: net for net, number in tables.nets.items()}
    assert [(names[output], [names[net] for net in inputs]) for _, output, inputs in tables.cells] == [
        ("y", ["x", "b"]),
        ("x", ["a"]),
    ]


def test_a_loop_of_logic_is_an_error():
    inverter = Cell("inv", functions={"Y": "!A"})
    loop = [Instance("a", inverter, {"A": "x", "Y": "y"}), Instance("b", inverter, {"A": "y", "Y": "x"})]
    with pytest.raises(ToolError, match="2 cells are in or behind a loop"):
        gates._Tables([*loop, Instance("", Cell("ports"), {"clk": "clk"})])._ordered()


def test_frames_of_another_shape_are_an_error(cells, design):
    with pytest.raises(DataError, match="frames have shape"):
        evaluate(cells, design, CASE.frames[:, :, 1:])


def test_a_netlist_without_output_says_so(cells, design):
    ports = replace(cells[-1], pins={**cells[-1].pins, "output__valid": "$false"})
    with pytest.raises(MismatchError, match="no output after cycle 0"):
        evaluate([*cells[:-1], ports], design, CASE.frames)
