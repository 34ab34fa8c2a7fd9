"""Power of a netlist of cells, from how often its nets changed while it worked on real frames.

Every change of a net costs what charges its load (half C V^2, pins and assumed wires), and what the liberty file says
of the cell inside: the energy of a pin is the mean of rising and falling, of its conditions and of the pins it is
related to, at the load that it has and in the middle of the table's slews. A clock pin changes twice a cycle, behind
clock gates in the share of cycles in which their enables were high. Changes are counted without delays, so that
glitches are not in it; nor are the buffers of a clock tree.

The OpenSTA of 2019 is no help here: `set_power_activity -pins` calls a procedure that it does not have, clocks are
never gated, and what is called beneath charges rising and falling energy for every single change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emamba.eda.cells import MEMORY
from emamba.eda.gates import Gates, Instance
from emamba.eda.liberty import Library, groups, texts_of
from emamba.eda.opensta import wire_ff
from emamba.eda.synthesis import component
from emamba.errors import ConfigError

_NANOWATTS = {"pW": 1e-3, "nW": 1.0, "uW": 1e3, "mW": 1e6}


CLOCK_NET = "clock net"  # among components: the clock's net, and the gate that all of them lie behind


@dataclass(frozen=True)
class Watts:
    """Power by kind, in mW."""

    clock: float = 0
    logic: float = 0
    memory: float = 0
    leakage: float = 0

    def __add__(self, other: Watts) -> Watts:
        return Watts(*(getattr(self, it.name) + getattr(other, it.name) for it in fields(self)))

    @property
    def total(self) -> float:
        """All of it."""
        return self.clock + self.logic + self.memory + self.leakage


@dataclass(frozen=True)
class Power:
    """Power at `clock_mhz` while frame follows frame, one every `interval_cycles`, and while none comes.

    Idle, the clock runs up to the gates that are closed at rest.
    """

    clock_mhz: float
    interval_cycles: int
    frames: int
    components: Mapping[str, Watts]
    idle_mw: float

    @property
    def totals(self) -> Watts:
        """Of the whole design."""
        return sum(self.components.values(), start=Watts())

    @property
    def frame_us(self) -> float:
        """From one frame to the next, at full speed."""
        return self.interval_cycles / self.clock_mhz

    @property
    def energy_nj(self) -> float:
        """Energy of a frame at full speed; until a later one comes, `idle_mw` goes on."""
        return self.totals.total * self.frame_us

    def to_json(self) -> dict[str, Any]:
        """The content of power.json."""
        return {
            "clock_mhz": self.clock_mhz,
            "interval_cycles": self.interval_cycles,
            "frames": self.frames,
            "total_mw": self.totals.total,
            "powers_mw": asdict(self.totals),
            "idle_mw": self.idle_mw,
            "energy_nj": self.energy_nj,
            "components": [{"name": name, **asdict(watts)} for name, watts in self.components.items()],
        }


def idle_us(fps: float, interval_cycles: int, clock_mhz: float) -> float:
    """What is left of the time between two frames at that rate, in us; ConfigError if frames take longer than that."""
    left = 1e6 / fps - interval_cycles / clock_mhz
    if left < -1e-9 * 1e6 / fps:
        most = clock_mhz * 1e6 / interval_cycles
        fact = f"{fps:,g} frames a second are more than {most:,.0f}, one every {interval_cycles:,} cycles"
        raise ConfigError(
            f"{fact} at {clock_mhz:g} MHz", "ask for fewer, give a higher --clock-mhz, or: emamba build RUN --fps"
        )
    return max(0.0, left)


@dataclass(frozen=True)
class _Pin:
    """Capacitance in fF; energy inside the cell in fJ a change, at loads in fF."""

    capacitance: float = 0.0
    loads: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    energies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def energy(self, load: float) -> float:
        return float(np.interp(load, self.loads, self.energies)) if len(self.loads) > 1 else float(self.energies[0])


@dataclass(frozen=True)
class _Powers:
    """Of a cell: what it leaks in nW, and its pins."""

    leakage: float
    pins: Mapping[str, _Pin]


def power(instances: Sequence[Instance], library: Library, gates: Gates, clock_mhz: float) -> Power:
    """The power of the cells `instances`, which made `gates`, at `clock_mhz`."""
    *cells, ports = instances
    known = powers(library, {it.cell.name for it in cells})
    loads = _loads(cells, known, wire_ff(library))
    clocks = _clocks(cells, ports.pins["clk"], gates.high)
    idle_clocks = _clocks(cells, ports.pins["clk"], gates.resting)
    joules = 0.5 * library.voltage**2
    per_frame = clock_mhz / gates.interval * 1e-6  # mW of an fJ a frame
    per_cycle = clock_mhz * 1e-6
    found: dict[str, Watts] = {}
    idle = 0.0
    for it in cells:
        data, clock, resting = 0.0, 0.0, 0.0
        for pin, net in it.pins.items():
            of_pin = known[it.cell.name].pins.get(pin, _Pin())
            drives = pin in it.cell.functions or pin == it.cell.gate.get("out")
            each = of_pin.energy(loads.get(net, 0.0)) + (joules * loads.get(net, 0.0) if drives else 0.0)
            if net in clocks:
                clock += each * clocks[net]
                resting += each * idle_clocks[net]
            else:
                data += each * gates.toggles[net]
        leakage = known[it.cell.name].leakage * 1e-6
        idle += leakage + resting * per_cycle
        kind = "clock" if it.cell.gate else "memory" if it.name.split(".")[-1].startswith(MEMORY) else "logic"
        watts = Watts(clock=clock * per_cycle, leakage=leakage) + Watts(**{kind: data * per_frame})
        name = component(it.name.split(".")[0], "") if "." in it.name else CLOCK_NET if it.cell.gate else "top"
        found[name] = found.get(name, Watts()) + watts
    root = joules * loads[ports.pins["clk"]] * 2 * per_cycle
    found[CLOCK_NET] = found.get(CLOCK_NET, Watts()) + Watts(clock=root)
    return Power(clock_mhz, gates.interval, gates.frames * 64, dict(sorted(found.items())), idle + root)


def told(library: Library) -> bool:
    """Whether the liberty files say what cells take, beside what they leak: some are for timing only."""
    return any("internal_power" in text for _, texts in texts_of(library) for text in texts.values())


def powers(library: Library, names: set[str]) -> dict[str, _Powers]:
    """What the liberty files say of the power of the cells `names`."""
    found = {}
    for head, texts in texts_of(library):
        templates = dict(groups(head, "power_lut_template"))
        for name in names & set(texts):
            text = texts[name]
            pins = {pin: _pin(body, templates, library.load_ff) for pin, body in groups(text, "pin")}
            found[name] = _Powers(leakage(head, text), pins)
    return found


def _loads(cells: Sequence[Instance], known: Mapping[str, _Powers], wire: float) -> dict[str, float]:
    """The load of each net in fF: the pins that it goes to, and a wire for each."""
    loads: dict[str, float] = {}
    for it in cells:
        for pin, net in it.pins.items():
            if pin not in it.cell.functions and pin != it.cell.gate.get("out"):
                of_pin = known[it.cell.name].pins.get(pin, _Pin())
                loads[net] = loads.get(net, 0.0) + of_pin.capacitance + wire
    return loads


def _clocks(cells: Sequence[Instance], clk: str, high: Mapping[str, float]) -> dict[str, float]:
    """How often each clock net changes in a cycle."""
    gated = (it.pins[it.cell.gate["out"]] for it in cells if it.cell.gate)
    return {clk: 2.0, **{net: 2 * high[net] for net in gated}}


def leakage(head: str, text: str) -> float:
    """What a cell leaks, in nW, of a file that begins with `head`."""
    unit = re.search(r'leakage_power_unit\s*:\s*"?(\d+)(\w+)', head)
    return _leakage(text) * (int(unit[1]) * _NANOWATTS[unit[2]] if unit else 1.0)


def _leakage(text: str) -> float:
    """As the file has it: one number, or the mean of several conditions for each supply."""
    whole = re.search(r"cell_leakage_power\s*:\s*([-+.\deE]+)", text)
    if whole:
        return float(whole[1])
    supplies: dict[str, list[float]] = {}
    for _, body in groups(text, "leakage_power"):
        value = re.search(r'value\s*:\s*"?([-+.\deE]+)', body)
        supplies.setdefault(_supply(body), []).append(float(value[1]) if value else 0.0)
    return sum(map(fmean, supplies.values()))


def _supply(body: str) -> str:
    found = re.search(r'related_pg_pin\s*:\s*"?(\w+)', body)
    return found[1] if found else ""


def _pin(body: str, templates: Mapping[str, str], load_ff: float) -> _Pin:
    capacitance = re.search(r"capacitance(?<!\wcapacitance)\s*:\s*([-+.\deE]+)", body)
    supplies: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for _, inner in groups(body, "internal_power"):
        supplies.setdefault(_supply(inner), []).append(_mean(list(_tables(inner, templates))))
    parts = [_mean(tables) for tables in supplies.values()]
    loads = max((loads for loads, _ in parts), key=len, default=np.zeros(1))
    energies = sum((np.interp(loads, *part) for part in parts), start=np.zeros(len(loads)))
    return _Pin(float(capacitance[1]) * load_ff if capacitance else 0.0, loads * load_ff, energies * load_ff)


def _mean(
    tables: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energies over loads, from several tables of them."""
    loads = max((loads for loads, _ in tables), key=len, default=np.zeros(1))
    return loads, np.mean([np.interp(loads, *table) for table in tables] or [np.zeros(len(loads))], axis=0)


def _tables(body: str, templates: Mapping[str, str]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Loads and energies of each table of a group, in the middle of its slews, in units of the file."""
    for kind in ("rise_power", "fall_power", "power"):
        for template, inner in groups(body, kind):
            axes = [
                _numbers(f"index_{i}", inner) or _numbers(f"index_{i}", templates.get(template, "")) for i in (1, 2)
            ]
            values = np.array(_numbers("values", inner))
            swapped = re.search(r"variable_1\s*:\s*total_output", templates.get(template, ""))
            if axes[1]:
                grid = values.reshape(len(axes[0]), len(axes[1]))
                loads, rows = (axes[0], grid.T) if swapped else (axes[1], grid)
                yield np.array(loads), rows[len(rows) // 2]
            elif swapped:
                yield np.array(axes[0]), values
            else:
                yield np.zeros(1), values[len(values) // 2 :][:1]


def _numbers(key: str, body: str) -> list[float]:
    found = re.search(rf"{key}\s*\(([^)]*)\)", body)
    return [float(number) for number in re.findall(r"[-+.\deE]+", found[1])] if found else []
