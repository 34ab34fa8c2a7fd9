"""How busy the pipeline was: frame borders, the steady part of the simulation, shares of busy cycles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from emamba.report.results import Rtl, Verification

Interval = tuple[int, int]  # half-open, in cycles


def borders(verify: Verification) -> list[int]:
    """Cycles at which a frame enters: from the first busy cycle of the first busy stage, one frame apart."""
    fed = _fed(verify)
    if not fed or verify.cycles_per_frame < 1:
        return []
    last = min(verify.occupancy.cycles, fed[-1][1] + verify.cycles_per_frame - 1)
    return list(range(fed[0][0], last + 1, verify.cycles_per_frame))


def steady(verify: Verification) -> Interval:
    """Whole frame times in which the pipeline is full; the whole simulation if there is none."""
    edges = borders(verify)
    full = [edge for edge in edges if edge >= edges[0] + verify.latency_cycles]
    return (full[0], full[-1]) if len(full) > 1 else (0, verify.occupancy.cycles)


def utilisation(verify: Verification, stage: str) -> float:
    """Share of the steady cycles in which `stage` did useful work, 0 to 1."""
    start, end = steady(verify)
    return _busy(verify.occupancy.busy.get(stage, ()), (start, end)) / max(end - start, 1)


def overall(verify: Verification, rtl: Rtl) -> float:
    """Share of the design's multipliers that worked, mean over the steady cycles, 0 to 1."""
    working = sum(stage.multipliers * utilisation(verify, stage.name) for stage in rtl.stages)
    return working / max(sum(stage.multipliers for stage in rtl.stages), 1)


def by_frame(verify: Verification, stage: str) -> list[tuple[Interval, int]]:
    """The busy intervals of `stage`, cut where one frame ends and the next begins, with the frame's number.

    A stage works the same number of cycles on every frame, so counting busy cycles tells frames apart.
    Where that number is not whole (random stalls, no steady part) all intervals count as frame 0.
    """
    intervals = verify.occupancy.busy.get(stage, ())
    start, end = steady(verify)
    work, rest = divmod(_busy(intervals, (start, end)) * verify.cycles_per_frame, max(end - start, 1))
    if rest or not work or verify.stalled or len(borders(verify)) < 2:
        return [(interval, 0) for interval in intervals]
    return _cut(intervals, work)


def _cut(intervals: Sequence[Interval], work: int) -> list[tuple[Interval, int]]:
    pieces: list[tuple[Interval, int]] = []
    done = 0
    for start, end in intervals:
        edges = [start, *range(start + work - done % work, end, work), end]
        pieces += [((a, b), (done + a - start) // work) for a, b in pairwise(edges)]
        done += end - start
    return pieces


def _busy(intervals: Sequence[Interval], window: Interval) -> int:
    """Busy cycles inside `window`."""
    return sum(max(0, min(end, window[1]) - max(start, window[0])) for start, end in intervals)


def _fed(verify: Verification) -> Sequence[Interval]:
    """Busy intervals of the first stage that was busy at all."""
    busy = (verify.occupancy.busy.get(stage, ()) for stage in verify.occupancy.stages)
    return next((intervals for intervals in busy if intervals), ())
