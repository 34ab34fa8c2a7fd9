"""No combinational path of a built accelerator passes more than one stage: neither ready, nor valid, nor data."""

import json
from functools import cache
from pathlib import Path

import pytest
from amaranth.hdl import Module

from cases import operation_cases
from emamba import files
from emamba.eda.yosys import yosys
from emamba.fuzz.draw import draw
from emamba.graph import Flatten, Graph, Input
from emamba.rtl import build, stream
from emamba.rtl.solver import fold
from networks import random_network

_PASSES = ("read_rtlil design.il", "proc", "flatten", "opt_clean", "write_json design.json")
_BITWISE = ("$and", "$or", "$xor", "$not", "$mux")
CASES = {case.graph.name: case.graph for case in operation_cases()}
GRAPHS = {
    "network1": (random_network(1).graph, 60),
    **{name: (CASES[name], 24) for name in ("convolution_joined", "flatten_joined", "pool_joined", "pairs_and_threes")},
}


def netlist(graph: Graph, interval: int, folder: Path, foldings=None) -> dict:
    """The cells of the flattened accelerator by name; the name tells whose cell it is."""
    design = build(graph, interval, foldings or fold(graph, interval))
    files.write(folder / "design.il", design.rtlil)
    yosys(_PASSES, folder)
    return json.loads((folder / "design.json").read_text())["modules"][design.top]["cells"]


def combinational(cell: dict) -> bool:
    kind = cell["type"]
    clocked = kind == "$memrd_v2" and int(cell["parameters"]["CLK_ENABLE"], 2)
    return not clocked and not any(word in kind for word in ("dff", "DFF", "memwr", "meminit", "check", "print"))


def longest(graph: Graph, cells: dict) -> list[str]:
    """The stages on the combinational path that passes most. What lies behind the last register of a stage, the
    buffer `exit`, is not part of it; links, forks, the input's buffer and flattens are no stages."""
    stages = {op.name for op in graph.operations if not isinstance(op, Input | Flatten)}
    drivers = {
        bit: (name, place)
        for name, cell in cells.items()
        if combinational(cell)
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for place, bit in enumerate(bits)
    }

    @cache
    def passed(bit: int) -> tuple[str, ...]:
        name, place = drivers[bit]
        before = max((passed(other) for other in read(cells[name], place) if other in drivers), key=len, default=())
        own = owner(name)
        return (*before, own) if own in stages and own not in before[-1:] else before

    return list(max(map(passed, drivers), key=len))


def read(cell: dict, place: int) -> set[int]:
    """The bits that bit `place` of the cell's output depends on."""
    found = set()
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == "input":
            alone = cell["type"] in _BITWISE and port in ("A", "B")
            found |= {bits[min(place, len(bits) - 1)]} if alone else set(bits)
    return found


def owner(name: str) -> str | None:
    """The component of the accelerator that cell `name` belongs to; None for the `exit` of a stage."""
    path = name.removeprefix("$flatten").replace("\\", "").split(".")
    return None if path[1] == "exit" else path[0]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_path_passes_at_most_one_stage(name, tmp_path):
    graph, interval = GRAPHS[name]
    assert len(longest(graph, netlist(graph, interval, tmp_path))) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_path_of_a_random_accelerator_passes_at_most_one_stage(seed, tmp_path):
    trial = draw(seed)
    cells = netlist(trial.graph, trial.interval_cycles, tmp_path, dict(trial.foldings))
    assert len(longest(trial.graph, cells)) <= 1


class Wires(stream.Skid):
    """What a `Skid` is there to prevent."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.output.valid.eq(self.source.valid),
            self.output.payload.eq(self.source.payload),
            self.source.ready.eq(self.output.ready),
        ]
        return m


def test_without_skids_a_path_passes_several(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "Skid", Wires)
    graph = CASES["multiply"]
    assert len(longest(graph, netlist(graph, 1, tmp_path))) > 1
