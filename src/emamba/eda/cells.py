"""A design as a netlist of standard cells, from Yosys' mapping to a liberty library. Nothing is placed or routed.

Memories become flip-flops with multiplexers in front of their outputs. If the library has a clock gate, one stops the
clock of all while the design is not active, and others hold four flip-flops or more that wait for one enable; all other
enables are multiplexers.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.liberty import Cell, Library, unpacked
from emamba.eda.synthesis import bordered, component, parts
from emamba.eda.yosys import yosys_at_once
from emamba.errors import ToolError

MEMORY = "memory_"  # what the names of the flip-flops of memories begin with
_BUFFER = "fan_"
_SINKS = 10  # flip-flops, or buffers, that one net goes to
_GATED = 4  # flip-flops with one enable that are worth a clock gate
_LOAD = 4  # NAND2 inputs that an output of a component drives, as far as ABC knows
# The steps of Yosys' own script for ABC, and buffers also behind the inputs of a component.
_STEPS = (
    *("strash", "&get -n", "&fraig -x", "&put", "scorr", "dc2", "dretime", "strash", "&get -n", "&dch -f", "&nf {D}"),
    *("&put", "buffer -p", "upsize {D}", "dnsize {D}", "stime -p"),
)
MODULE = re.compile(r"^module \\?(\S+?) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^  (\w+) \S+ +\(\n((?:    \..*\n)*)  \);\n", re.MULTILINE)
PIN = re.compile(r"\.(\w+)\((.*)\)")
_INSTANCE = re.compile(r"^  (\w+) \\?(\S+) +\(\n", re.MULTILINE)


@dataclass(frozen=True)
class Area:
    """Square micrometres of cells: logic, flip-flops outside memories, flip-flops of memories, and clock gates."""

    logic: float = 0
    registers: float = 0
    memory: float = 0
    gates: float = 0

    def __add__(self, other: Area) -> Area:
        return Area(*(getattr(self, it.name) + getattr(other, it.name) for it in fields(self)))

    @property
    def total(self) -> float:
        """All of it."""
        return self.logic + self.registers + self.memory + self.gates


@dataclass(frozen=True)
class Netlist:
    """Verilog of cells, one module a component, and the area of each component."""

    top: str
    verilog: str
    components: Mapping[str, Area]
    cells: int
    nand2: float

    @property
    def totals(self) -> Area:
        """Of the whole design."""
        return sum(self.components.values(), start=Area())

    def to_json(self) -> dict[str, Any]:
        """What silicon.json says of area; gate equivalents are areas of the smallest NAND of two inputs."""
        rows = [{"name": name, **asdict(area)} for name, area in self.components.items()]
        return {
            "cells": self.cells,
            "area_um2": self.totals.total,
            "gate_equivalents": round(self.totals.total / self.nand2) if self.nand2 else None,
            "areas_um2": asdict(self.totals),
            "components": rows,
        }


def map_cells(verilog: str, top: str, library: Library, clock_mhz: float) -> Netlist:
    """Maps the module `top` of `verilog`, as `eda.verilog` wrote it, to the cells of `library`.

    The children of the top module keep their borders, as in `eda.synthesis`. ABC sizes gates for the clock and buffers
    nets of many sinks; wires have no load then. ToolError when Yosys fails.
    """
    texts = {f"part_{index}": text for index, text in enumerate(parts(verilog, top))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = unpacked(library, folder)
        files.write(folder / "constraints", _constraints(library))
        files.write(folder / "abc.script", "\n".join(_STEPS) + "\n")
        files.write(folder / "top.v", verilog)
        for part, text in texts.items():
            files.write(folder / f"{part}.v", text)
        scripts = {part: _commands(part, text, top, plain, clock_mhz) for part, text in texts.items()}
        yosys_at_once({**scripts, "top": _top_commands(verilog, top)}, folder)
        mapped = [(folder / f"{part}.mapped.v").read_text() for part in ("top", *texts)]
    modules = {
        found[1]: buffered(found[0], library) for text in mapped for found in MODULE.finditer(text) if found[1] != top
    }
    whole = gated(next(found[0] for found in MODULE.finditer(mapped[0]) if found[1] == top), library)
    # OpenSTA does not know that a wire may be signed, and nothing is computed with them here.
    return measured("".join([whole, *modules.values()]).replace("wire signed ", "wire "), top, library)


def gated(top: str, library: Library) -> str:
    """The module `top` with a clock gate in front of all that is in it, open while it is active.

    No operation of a graph, and so no component, has a name with capitals.
    """
    gate = _clock_gate(library)
    if gate is None:
        return top
    clock, enable, out = (gate.gate[role] for role in ("clock", "enable", "out"))
    test = f"    .{gate.gate['test']}(1'b0),\n" if "test" in gate.gate else ""
    pins = f"    .{clock}(clk),\n    .{enable}(active),\n{test}    .{out}(CLOCK)"
    added = f"  wire CLOCK;\n  {gate.name} CLOCK_GATE (\n{pins}\n  );\n"
    return top.replace(".clk(clk)", ".clk(CLOCK)").replace("endmodule\n", f"{added}endmodule\n")


def buffered(module: str, library: Library) -> str:
    """`module` with trees of buffers where a net goes to many flip-flops, as data to all words of a memory.

    ABC does that for nets of logic alone, because flip-flops lie outside of what it sees.
    """
    buffer, sinks = library.buffer, Counter[str]()
    if buffer is None:
        return module
    pins = {name: set(re.findall(r"\w+", cell.next_state)) for name, cell in library.cells.items() if cell.next_state}
    flip_flops = [found for found in CELL.finditer(module) if found[1] in pins]
    nets = [net for found in flip_flops for pin, net in PIN.findall(found[2]) if pin in pins[found[1]]]
    many = [(net, count) for net, count in Counter(nets).items() if count > _SINKS]
    trees = {net: _tree(net, count, f"{_BUFFER}{number}_") for number, (net, count) in enumerate(many)}

    def behind(found: re.Match[str], cell: str) -> str:
        pin, net = found[1], found[2]
        if pin not in pins[cell] or net not in trees:
            return found[0]
        leaf = trees[net][0][sinks[net] // _SINKS]
        sinks[net] += 1
        return f".{pin}({leaf})"

    def connected(found: re.Match[str]) -> str:
        return PIN.sub(lambda it: behind(it, found[1]), found[0]) if found[1] in pins else found[0]

    ((output, source),) = buffer.functions.items()
    added = [
        f"  wire {to};\n  {buffer.name} {to}buffer_ (\n    .{source}({net}),\n    .{output}({to})\n  );\n"
        for _, buffers in trees.values()
        for net, to in buffers
    ]
    return CELL.sub(connected, module).replace("endmodule\n", "".join([*added, "endmodule\n"]))


def _tree(net: str, sinks: int, name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The nets that so many sinks of `net` are to be divided among, and from where to where buffers lead."""
    leaves = [f"{name}{i}_" for i in range(-(-sinks // _SINKS))]
    roots, buffers = _tree(net, len(leaves), f"{name}of_") if len(leaves) > _SINKS else ([net], [])
    return leaves, [*buffers, *((roots[i // _SINKS], leaf) for i, leaf in enumerate(leaves))]


def measured(netlist: str, top: str, library: Library) -> Netlist:
    """The areas of the Verilog `netlist` of cells of `library`; ToolError for cells that it does not have."""
    components: dict[str, Area] = {}
    count = 0
    for module in MODULE.finditer(netlist):
        cells = list(_instances(module[0], top, library))
        area = sum((_area(cell, name) for cell, name in cells), start=Area())
        count += len(cells)
        if area.total:
            name = component(module[1], top)
            components[name] = components.get(name, Area()) + area
    return Netlist(top, netlist, dict(sorted(components.items())), count, library.nand2.area)


def used(netlist: str) -> set[str]:
    """The names of the cells in the Verilog `netlist`."""
    return {kind for kind, _ in _INSTANCE.findall(netlist)}


def _instances(module: str, top: str, library: Library) -> Iterator[tuple[Cell, str]]:
    for kind, name in _INSTANCE.findall(module):
        if kind not in library.cells:
            raise ToolError(f"mapping left a cell {kind} that {library.name} does not have", "report it")
        yield library.cells[kind], name


def _area(cell: Cell, name: str) -> Area:
    if cell.gate:
        return Area(gates=cell.area)
    if cell.next_state:
        return Area(memory=cell.area) if name.startswith(MEMORY) else Area(registers=cell.area)
    return Area(logic=cell.area)


def _constraints(library: Library) -> str:
    """ABC: what drives inputs, and the load of outputs in fF."""
    driver = f"set_driving_cell {library.inverter.name}\n" if library.inverter else ""
    return f"{driver}set_load {_LOAD * library.nand2.capacitance:g}\n"


def _commands(part: str, verilog: str, top: str, library: Library, clock_mhz: float) -> list[str]:
    """What Yosys does with the file of one part, whose content is `verilog`."""
    cells = " ".join(f"-liberty {path.name}" for path in library.paths)
    unused = " ".join(f"-dont_use {name}" for name in _unused(library))
    new = "t:$*dff* @before %d c:*$rdreg* %d"  # without the registers behind the outputs of memories
    return [
        *bordered(part, verilog),
        f"synth -flatten -top {top} -run begin:fine",
        "opt -fast -full",
        "select -set before t:$*dff*",
        "memory_map",
        f"setattr -set emamba_memory 1 {new}",
        "synth -noabc -run fine:check",
        *_gating(library),
        f"dfflibmap {cells} {unused}",
        f"rename -enumerate -pattern {MEMORY}%_ a:emamba_memory",
        "setundef -zero",
        f"abc {cells} {unused} -script abc.script -constr constraints -D {1e6 / clock_mhz:.0f}",
        "opt_clean -purge",
        f"write_verilog -noattr -simple-lhs {part}.mapped.v",
    ]


def _top_commands(verilog: str, top: str) -> list[str]:
    """The top module alone, without the wires that are only there to be watched; its children are in the parts."""
    children = " ".join(f"\\{found[1]}" for found in MODULE.finditer(verilog) if found[1] != top)
    return [
        "read_verilog top.v",
        f"hierarchy -top {top}",
        *([f"blackbox {children}"] if children else []),
        "proc",
        "opt_clean -purge",
        "write_verilog -noattr -simple-lhs top.mapped.v",
    ]


def _clock_gate(library: Library) -> Cell | None:
    gates = [cell for cell in library.cells.values() if cell.gate and {"clock", "enable", "out"} <= set(cell.gate)]
    return min(gates, key=lambda cell: (len(cell.gate), cell.area), default=None)


def _gating(library: Library) -> list[str]:
    best = _clock_gate(library)
    if best is None:
        return []
    pins = ":".join(best.gate[role] for role in ("enable", "clock", "out"))
    test = f"-tie_lo {best.gate['test']}" if "test" in best.gate else ""
    return [f"clockgate -pos {best.name} {pins} {test} -min_net_size {_GATED}"]


def _unused(library: Library) -> list[str]:
    """Patterns and names of the cells that are left alone."""
    marked = [cell.name for cell in library.cells.values() if library.left_alone(cell)]
    return [*library.unused, *marked]
