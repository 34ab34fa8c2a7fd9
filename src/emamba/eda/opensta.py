"""Static timing analysis of a netlist of cells by OpenSTA: how fast the clock can be, and which path limits it.

Paths between flip-flops count, those from and to ports do not: the core is part of something larger. The clock has no
skew and no tree. Before placement nobody knows the wires; the assumption is that each sink of a net adds a wire as long
as eight times the side of a square with the area of a NAND2, with 0.2 fF a micrometre.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.cells import CELL, MODULE, PIN, Netlist
from emamba.eda.liberty import Library, unpacked
from emamba.eda.process import run, which
from emamba.errors import ToolError

HINT = "install OpenSTA, on Debian or Ubuntu: apt install opensta"
_FAULT = "the netlist or the liberty file is at fault"
_WIRE_SIDES, _WIRE_FF = 8, 0.2
_HOP = re.compile(r"^ +(-?[\d.]+) +-?[\d.]+ [v^] (\S+)/\S+ \((\w+)\)$", re.MULTILINE)
_THRESHOLDS = "".join(
    f"  {name}_{edge} : {percent};\n"
    for name, percent in (
        ("input_threshold_pct", 50),
        ("output_threshold_pct", 50),
        ("slew_lower_threshold_pct", 20),
        ("slew_upper_threshold_pct", 80),
    )
    for edge in ("rise", "fall")
)


@dataclass(frozen=True)
class Timing:
    """How fast a netlist is: the highest clock with the assumed wires, and with none; what limits it, in words.

    `slack_ns` is what is left of a cycle of the wished clock: negative if that is too fast.
    """

    wished_mhz: float
    clock_mhz: float
    slack_ns: float
    clock_without_wires_mhz: float
    wires: str
    critical_path: str

    def to_json(self) -> dict[str, Any]:
        """The content of timing.json."""
        return asdict(self)


def analyse(netlist: Netlist, library: Library, clock_mhz: float) -> Timing:
    """The timing of `netlist` at the corner of `library`. ToolError if OpenSTA is missing or fails."""
    commands = [f"create_clock -name clk -period {1e3 / clock_mhz / library.time_ns:.6g} [get_ports clk]"]
    commands += [*_report("bare"), *assumed_wires(), *_report("wired")]
    printed = opensta(netlist, library, commands)
    slacks = {name: _slack(printed, name) * library.time_ns for name in ("bare", "wired")}
    reached = {name: 1e3 / (1e3 / clock_mhz - slack) for name, slack in slacks.items()}
    hops = _HOP.findall(_between(printed, "wired"))[1:]  # the first one is the clock of the first flip-flop
    path = [(instance, cell, float(delay) * library.time_ns) for delay, instance, cell in hops]
    return Timing(
        wished_mhz=clock_mhz,
        clock_mhz=reached["wired"],
        slack_ns=slacks["wired"],
        clock_without_wires_mhz=reached["bare"],
        wires=f"{wire_ff(library):.2g} fF a sink, assumed",
        critical_path=_words(path, library),
    )


def opensta(netlist: Netlist, library: Library, commands: Sequence[str]) -> str:
    """What OpenSTA prints while it runs `commands` on the linked netlist; ToolError for every error it tells."""
    program = which("sta", HINT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / "netlist.v", clocked(netlist, library))
        files.write(folder / "wires.lib", _wire_library(library))
        liberties = [f"read_liberty {path.name}" for path in unpacked(library, folder).paths]
        begin = [*liberties, "read_liberty wires.lib", "read_verilog netlist.v", f"link_design {{{netlist.top}}}"]
        files.write(folder / "run.tcl", "\n".join([*begin, *commands, "exit"]) + "\n")
        shell = 'exec "$0" -no_splash -exit run.tcl > sta.log 2>&1'  # errors and results in one order
        run(["sh", "-c", shell, program], folder, _FAULT)
        printed = (folder / "sta.log").read_text(errors="replace")
    errors = [line for line in printed.splitlines() if line.startswith("Error:")]
    if errors:
        raise ToolError(f"OpenSTA says: {'; '.join(errors[:3])}", _FAULT)
    return printed


def clocked(netlist: Netlist, library: Library) -> str:
    """The Verilog of `netlist` with the same clock at everything that lies behind clock gates, which stay.

    OpenSTA of 2019 loses the clock behind a second gate, and finds no path there. Behind one it takes the gate's arcs
    for several conditions for pessimism of the clock, and gives that back: a cycle would be longer than it is.
    """
    outputs = {cell.name: cell.gate["out"] for cell in library.cells.values() if cell.gate}

    def at_once(module: re.Match[str]) -> str:
        gates = [found for found in CELL.finditer(module[0]) if found[1] in outputs]
        nets = {net: pin for found in gates for pin, net in PIN.findall(found[2]) if pin == outputs[found[1]]}
        return PIN.sub(lambda it: it[0] if nets.get(it[2], it[1]) == it[1] else f".{it[1]}(clk)", module[0])

    return MODULE.sub(at_once, netlist.verilog)


def assumed_wires() -> list[str]:
    """The commands that give nets the assumed wires."""
    return ["set_wire_load_mode top", "set_wire_load_model -name sinks -library wires"]


def wire_ff(library: Library) -> float:
    """Femtofarads of wire for each sink of a net."""
    return _WIRE_FF * _WIRE_SIDES * math.sqrt(library.nand2.area)


def _wire_library(library: Library) -> str:
    load = f"resistance : 0; capacitance : {wire_ff(library):.4g}; area : 0; slope : 1; fanout_length (1, 1);"
    units = '  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA"; leakage_power_unit : "1nW";\n'
    more = '  pulling_resistance_unit : "1kohm"; capacitive_load_unit (1, ff); delay_model : table_lookup;\n'
    return f"library (wires) {{\n{units}{more}{_THRESHOLDS}  wire_load (sinks) {{ {load} }}\n}}\n"


def _report(name: str) -> list[str]:
    """Commands that print the slowest path between two lines with a name."""
    return [f"puts {{begin {name}}}", "report_checks -path_delay max -digits 4", f"puts {{end {name}}}"]


def _between(printed: str, name: str) -> str:
    return printed.partition(f"begin {name}\n")[2].partition(f"end {name}\n")[0]


def _slack(printed: str, name: str) -> float:
    found = re.search(r"(-?[\d.]+) +slack", _between(printed, name))
    if found is None:
        raise ToolError("OpenSTA found no path between flip-flops", "the design has none, or no clock")
    return float(found[1])


def _words(path: Sequence[tuple[str, str, float]], library: Library) -> str:
    """A path in words, the cells of a component together."""
    texts = []
    for component, group in groupby(path, key=lambda hop: hop[0].split("/")[0]):
        hops = list(group)
        count = sum(not library.cells[cell].next_state for _, cell, _ in hops)
        kinds = ["flip-flop"] * (count < len(hops)) + [f"{count} cell{'s' if count > 1 else ''}"] * (count > 0)
        texts.append(f"{component}: {', '.join(kinds)} ({sum(delay for _, _, delay in hops):.2f} ns)")
    return "; ".join(texts)
