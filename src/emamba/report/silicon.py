"""What is said of the design in standard cells."""

from __future__ import annotations

from typing import NamedTuple

from emamba.eda.scaling import ROADS, VOLTAGE, Chip, area_22nm, energy_22nm
from emamba.report.cells import Macros, Power, Rate, Silicon, Timing
from emamba.report.results import Results
from emamba.report.road import along

_KINDS = {"logic": "logic", "registers": "flip-flops", "memory": "memories as flip-flops", "gates": "clock gates"}

_AREAS = {"logic": "logic", "registers": "flip-flops", "memory": "memories", "gates": "clock"}
_ENERGIES = {"clock": "clock", "logic": "logic", "memory": "memories", "leakage": "leakage"}


class Component(NamedTuple):
    """A component in standard cells: um2, and nJ a frame, by kind; no energies where power was not counted."""

    name: str
    area: dict[str, float]
    energy: dict[str, float]


def components(results: Results) -> list[Component]:
    """All that has an area or takes power, in the order of the road."""
    silicon, power = results.silicon, results.power
    if silicon is None:
        return []
    frame_us = power.interval_cycles / power.clock_mhz if power else 0
    areas = {it.name: {word: getattr(it, kind) for kind, word in _AREAS.items()} for it in silicon.components}
    energies = {
        it.name: {word: getattr(it, kind) * frame_us for kind, word in _ENERGIES.items()}
        for it in (power.components if power else ())
    }
    names = sorted({**areas, **energies}, key=along(results.graph))
    return [Component(name, areas.get(name, {}), energies.get(name, {})) for name in names]


def rows(results: Results) -> list[tuple[str, str, str]]:
    """Rows of the headline table: what, how much, and how it was measured; none for what has not run."""
    found = [area(results.silicon)] if results.silicon else []
    if results.silicon and results.macros:
        found.append(macros(results.macros, results.silicon))
    if results.silicon and results.timing:
        found.append(clock(results.timing, results.silicon))
        found += [corner_clock(it, results.silicon) for it in results.timing.corners]
    if results.gates:
        note = f"golden = netlist of {results.gates.cells:,} cells on {results.gates.frames:,} test frames, all outputs"
        found.append(("Mismatches in gates", f"{results.gates.mismatches:,}", note))
    if results.silicon and results.power:
        found += power(results.power, results.silicon)
        found += [corner_power(it, results.silicon) for it in results.power.corners]
    if results.power and results.rate:
        found += rate(results.power, results.rate)
    if results.silicon and results.config.data.name == "mars":
        found += scaled(results.silicon, results.power)
    return found


def area(it: Silicon) -> tuple[str, str, str]:
    """The area, by kind of cell."""
    shares = ", ".join(f"{_KINDS[kind]} {part / it.area_um2:.0%}" for kind, part in it.areas_um2.items())
    gates = f"; {it.gate_equivalents:,} gate equivalents (NAND2)" if it.gate_equivalents else ""
    note = f"{corner(it)}; Yosys mapping, before placement: {it.cells:,} cells{gates}; {shares}"
    return "Area, mm2", f"{it.area_um2 / 1e6:.3g}", note


def macros(it: Macros, silicon: Silicon) -> tuple[str, str, str]:
    """The area if the memories for which it pays were SRAM macros."""
    label, of = "Area with SRAM macros, mm2", f"{it.macro} of {it.words} x {it.bits} bits at {it.corner}"
    if not it.chosen:
        which = "that it can serve" if it.at_once else "of loadable weights, which alone one port can serve,"
        return label, "none", f"estimated, not mapped: no memory {which} is smaller in {of}"
    whole = silicon.area_um2 - it.flip_flops_um2 + it.macros_um2
    parts = f"{it.macros_um2 / 1e6:.3g} mm2 instead of {it.flip_flops_um2 / 1e6:.3g} of flip-flops"
    reads = "" if it.reads_nj is None else f"; reading them takes {_told(it.reads_nj)} nJ a frame at most"
    access = "" if it.access_ns is None else f"; access in {it.access_ns:.2f} ns"
    note = f"estimated, not mapped: {it.chosen} memories in {it.macros} {of}, {parts}; their clock gates and read"
    return label, f"{whole / 1e6:.3g}", f"{note} multiplexers left in{reads}{access}"


def clock(it: Timing, silicon: Silicon) -> tuple[str, str, str]:
    """The highest clock, whether it is what was wished, and the path that limits it."""
    return "Clock in silicon, MHz", f"{it.clock_mhz:.0f}", _timed(it, corner(silicon))


def corner_clock(it: Timing, silicon: Silicon) -> tuple[str, str, str]:
    """The same at a corner that gates were not chosen for."""
    return f"Clock at {it.corner}, MHz", f"{it.clock_mhz:.0f}", _timed(it, corner(silicon, it))


def _timed(it: Timing, corner: str) -> str:
    wish = f"{it.wished_mhz:g} MHz {'met' if it.slack_ns >= 0 else 'missed'} by {abs(it.slack_ns):.2f} ns"
    bare = f"{it.clock_without_wires_mhz:.0f} without wires"
    return f"OpenSTA, {corner}; wires of {it.wires}, {bare}; {wish}; slowest path: {it.critical_path}"


def power(it: Power, silicon: Silicon) -> list[tuple[str, str, str]]:
    """Power and energy while frame follows frame."""
    shares = ", ".join(f"{kind} {part / it.total_mw:.0%}" for kind, part in it.powers_mw.items())
    how = f"changes of nets of {it.frames} test frames in the gates, without delays and so without glitches"
    fastest = it.clock_mhz * 1e6 / it.interval_cycles
    return [
        ("Power, mW", f"{it.total_mw:.3g}", f"{corner(silicon)}, {it.clock_mhz:g} MHz; {how}; {shares}"),
        ("Idle power, mW", f"{it.idle_mw:.3g}", "no frame comes"),
        ("Energy a frame, nJ", _told(it.energy_nj), f"frame behind frame, {fastest:,.0f} a second"),
    ]


def corner_power(it: Power, silicon: Silicon) -> tuple[str, str, str]:
    """The same at a corner that gates were not chosen for, in one row."""
    energy = f"{it.idle_mw:.3g} mW idle, {_told(it.energy_nj)} nJ a frame"
    note = f"{corner(silicon, it)}, {it.clock_mhz:g} MHz; {energy}; from the same changes of nets"
    return f"Power at {it.corner}, mW", f"{it.total_mw:.3g}", note


def rate(power: Power, it: Rate) -> list[tuple[str, str, str]]:
    """Energy of a token, and of both at the stated rate."""
    idle = "of frames, with the idle time between them"
    return [
        ("Energy a token, nJ", _told(power.energy_nj / it.tokens), f"frame behind frame, {it.tokens} tokens each"),
        (f"Energy a frame at {it.fps:g} a second, nJ", _told(it.frame_nj), idle),
        (f"Energy a token at {it.fps:g} a second, nJ", _told(it.token_nj), idle),
    ]


def scaled(it: Silicon, power: Power | None) -> list[tuple[str, str, str]]:
    """Area and energy at 22 nm beside the published chip, which is for MARS; none for a library without a road."""
    if it.target not in ROADS:
        return []
    chip, area = Chip(), _ends(area_22nm(it.target, it.area_um2 / 1e6))
    marked = f"scaled from {it.target}, not measured; lowest and highest of the roads from {', '.join(ROADS)}"
    room = "cells without room between them"
    found = [("Area scaled to 22 nm, mm2", area, f"{marked}; {room}; published chip: {chip.area_mm2}")]
    if power:
        dynamic = power.energy_nj * (1 - power.powers_mw["leakage"] / power.total_mw)
        energy = _ends(energy_22nm(it.target, it.voltage, dynamic))
        how = f"capacitance with the root of area, {it.voltage:g} to {VOLTAGE} V, without leakage"
        published = f"{chip.energy_nj:.0f}, derived from {chip.power_mw} mW and {chip.cycles} cycles"
        note = f"{marked}; {how}; published chip: {published}"
        found.append(("Energy a frame scaled to 22 nm, nJ", energy, note))
    return found


def _ends(interval: tuple[float, float]) -> str:
    return " to ".join(map(_told, interval))


def _told(value: float) -> str:
    """With three digits or more, never as a power of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def corner(it: Silicon, other: Timing | Power | None = None) -> str:
    """The cells and the corner they are for; or another corner."""
    found = other or it
    return f"{it.target}, {found.library} at {found.corner}"
