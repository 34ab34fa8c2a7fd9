"""How much of real FPGAs the design takes, and the smallest that takes it."""

from __future__ import annotations

from typing import NamedTuple

from emamba.eda.devices import parts
from emamba.report.results import Routing, Synthesis

# What nextpnr calls the cells of ECP5.
_ROUTED = {"TRELLIS_COMB": "LUT", "TRELLIS_FF": "FF", "MULT18X18D": "DSP", "DP16KD": "BRAM"}


class Fill(NamedTuple):
    """Shares of a device, 1 is all of it, by kind; `how` they are known: mapped, or placed and routed."""

    device: str
    board: str
    how: str
    shares: dict[str, float]

    @property
    def fits(self) -> bool:
        """Whether it is enough."""
        return max(self.shares.values()) <= 1


def fills(synth: Synthesis) -> list[Fill]:
    """Those of all devices of the family, small ones first; then that of the routed design."""
    mapped = [Fill(it.name, it.board, "mapped", it.fills(synth.totals)) for it in parts(synth.target)]
    return [*mapped, *([_routed(synth.routing)] if synth.routing else [])]


def smallest(synth: Synthesis) -> tuple[str, str]:
    """The smallest device that has enough of everything, and what is taken of it; or what the largest one lacks."""
    known = [it for it in fills(synth) if it.how == "mapped"]
    found = next((it for it in known if it.fits), None)
    if found:
        return found.device, f"of {len(known)} known; {found.board}; by mapping, before placement: {told(found.shares)}"
    lacking = {kind: share for kind, share in known[-1].shares.items() if share > 1} if known else {}
    return "none", f"by mapping, {known[-1].device} is the largest known: {told(lacking)}" if known else "none is known"


def told(shares: dict[str, float]) -> str:
    """Shares in per cent, with their kinds."""
    return ", ".join(f"{kind} {share:.0%}".replace("%", " %") for kind, share in shares.items())


def _routed(routing: Routing) -> Fill:
    """What nextpnr used of what it had."""
    cells = {kind: routing.cells.get(cell, (0, 1)) for cell, kind in _ROUTED.items()}
    return Fill(routing.device, "", "routed", {kind: used / most for kind, (used, most) in cells.items()})
