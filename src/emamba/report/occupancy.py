"""How busy the pipeline was: where frames begin, its steady part, and shares of busy cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from emamba.report.results import Results, Rtl, Verification

Interval = tuple[int, int]  # half-open, in cycles


def frame_work(results: Results) -> dict[str, int]:
    """Busy cycles of each stage on one frame: cycles a token, of the tokens it reads; empty without graph or RTL."""
    graph, rtl = results.graph, results.rtl
    if graph is None or rtl is None:
        return {}
    read = {op.name: graph.frame_tokens(op.sources[0] if op.sources else op.name) for op in graph.operations}
    return {stage.name: stage.cycles * read.get(stage.name, 0) for stage in rtl.stages}


def by_frame(verify: Verification, stage: str, work: Mapping[str, int]) -> list[tuple[Interval, int]]:
    """The busy intervals of `stage`, cut where one frame ends and the next begins, with the frame's number.

    A stage works the same number of cycles on every frame (`work`, of `frame_work`), so counting busy
    cycles tells frames apart, stalled or not. Where that number is unknown all is frame 0.
    """
    each = work.get(stage, 0)
    pieces: list[tuple[Interval, int]] = []
    done = 0
    for start, end in verify.occupancy.busy.get(stage, ()):
        edges = [start, *(range(start + each - done % each, end, each) if each else ()), end]
        pieces += [((a, b), (done + a - start) // each if each else 0) for a, b in pairwise(edges)]
        done += end - start
    return pieces


def frame_starts(verify: Verification, work: Mapping[str, int]) -> list[int]:
    """The cycles in which the first busy stage begins a frame."""
    for pieces in (by_frame(verify, stage, work) for stage in verify.occupancy.stages):
        if pieces:
            starts = {frame: start for (start, _), frame in reversed(pieces)}
            return [starts[frame] for frame in sorted(starts)]
    return []


def steady(verify: Verification) -> Interval:
    """The last whole frame times in which the pipeline is full and fed; the whole simulation if there are none."""
    fed = _fed(verify)
    if fed:
        end = min(fed[-1][1], verify.occupancy.cycles)
        frames = (end - fed[0][0] - verify.latency_cycles) // verify.cycles_per_frame
        if frames > 0:
            return end - frames * verify.cycles_per_frame, end
    return 0, verify.occupancy.cycles


def utilisation(verify: Verification, stage: str) -> float:
    """Share of the steady cycles in which `stage` did useful work, 0 to 1."""
    first, last = steady(verify)
    intervals = verify.occupancy.busy.get(stage, ())
    return sum(max(0, min(end, last) - max(start, first)) for start, end in intervals) / max(last - first, 1)


def overall(verify: Verification, rtl: Rtl) -> float:
    """Share of the design's multipliers that worked, mean over the steady cycles, 0 to 1."""
    working = sum(stage.multipliers * utilisation(verify, stage.name) for stage in rtl.stages)
    return working / max(sum(stage.multipliers for stage in rtl.stages), 1)


def _fed(verify: Verification) -> Sequence[Interval]:
    """Busy intervals of the first stage that was busy at all."""
    busy = (verify.occupancy.busy.get(stage, ()) for stage in verify.occupancy.stages)
    return next((intervals for intervals in busy if intervals), ())
