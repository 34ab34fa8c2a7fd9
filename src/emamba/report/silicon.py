"""What is said of the design in standard cells."""

from __future__ import annotations

from emamba.report.results import Silicon

_KINDS = {"logic": "logic", "registers": "flip-flops", "memory": "memories as flip-flops", "gates": "clock gates"}


def area(it: Silicon) -> tuple[str, str, str]:
    """A row of the headline table: what, how much, and how it was measured."""
    shares = ", ".join(f"{_KINDS[kind]} {part / it.area_um2:.0%}" for kind, part in it.areas_um2.items())
    gates = f"; {it.gate_equivalents:,} gate equivalents (NAND2)" if it.gate_equivalents else ""
    note = f"{corner(it)}; Yosys mapping, before placement: {it.cells:,} cells{gates}; {shares}"
    return "Area, mm2", f"{it.area_um2 / 1e6:.3g}", note


def corner(it: Silicon) -> str:
    """The cells and the corner they are for."""
    return f"{it.target}, {it.library} at {it.voltage:g} V, {it.temperature:g} C"
