"""A front of designs of a graph, from fast to small, from the cost model alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import product

from emamba.errors import ConfigError
from emamba.graph import Graph
from emamba.rtl.estimate import estimate
from emamba.rtl.folding import Folding
from emamba.rtl.solver import fold
from emamba.rtl.standard_cells import chips
from emamba.rtl.wishes import worthwhile_intervals

Progress = Callable[[int, int, str], None]
Foldings = dict[str, Folding]

_HASTES = (0.0, 4.0)


@dataclass(frozen=True, order=True)
class Point:
    """A design by what it costs; less is better in each. `lut` is for logic on AMD UltraScale+, estimated."""

    cycles_per_frame: int
    latency_cycles: int
    multipliers: int
    lut: int
    memory_bits: int


@dataclass(frozen=True)
class Explored:
    """A point, and what else there is to know about it.

    For its interval and latency `rtl.solve` gives this design, or another with no more multipliers. `chips` are its
    area and energy in standard cells, as `standard_cells.chips` has them.
    """

    point: Point
    interval_cycles: int
    dsp: int
    ff: int
    multiplier_use: float
    chips: Mapping[str, float]


def front(
    graph: Graph,
    progress: Progress = lambda done, total, label: None,
    packing: bool = False,
    loadable: bool = False,
) -> list[Explored]:
    """Of many designs, those that no other of them beats in every respect, fastest first.

    There is one for each interval at which fewer multipliers do, for tails as long as a frame, as an interval and
    between these, small and in haste. With `packing` products share multiplications, or weights are `loadable`.
    """
    intervals, found = worthwhile_intervals(graph), dict[Point, Explored]()
    for done, interval in enumerate(intervals):
        progress(done, len(intervals), "explore")
        for foldings in _designs(graph, interval, packing):
            made = _explored(graph, interval, foldings, loadable)
            found.setdefault(made.point, made)
    return [found[point] for point in best(list(found))]


def best(points: Sequence[Point]) -> list[Point]:
    """The points that no other one equals or beats in every respect, in order."""
    values = list(map(astuple, points))
    return [point for point in sorted(points) if not any(beats(other, astuple(point)) for other in values)]


def beats(other: tuple[float, ...], point: tuple[float, ...]) -> bool:
    """Whether `other` is nowhere greater than `point`, and not the same."""
    return other != point and all(a <= b for a, b in zip(other, point, strict=True))


def _designs(graph: Graph, interval: int, packing: bool) -> list[Foldings]:
    """The different designs for an interval."""
    found: list[Foldings] = []
    for tail, haste in product((None, round(interval * graph.tokens**0.5), interval), _HASTES):
        try:
            foldings = fold(graph, interval, tail, haste, packing)
        except ConfigError:  # the tail cannot be that short
            continue
        if foldings not in found:
            found.append(foldings)
    return found


def _explored(graph: Graph, interval: int, foldings: Foldings, loadable: bool) -> Explored:
    found = estimate(graph, foldings, loadable)
    cost, speed = found.total, found.performance
    point = Point(speed.cycles_per_frame, speed.latency_cycles, cost.multipliers, round(cost.lut), cost.memory_bits)
    return Explored(point, interval, cost.dsp, round(cost.ff), found.multiplier_use, chips(found))
