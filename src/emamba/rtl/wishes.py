"""What a user may wish of an accelerator, and the design that meets it.

A design is an interval between tokens, and a latency that may be wished on top. Frames a second and a budget of
multipliers are other ways to say these two.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from math import ceil

from emamba.errors import ConfigError
from emamba.graph import Graph
from emamba.rtl.estimate import components
from emamba.rtl.folding import Folding, candidates
from emamba.rtl.performance import performance
from emamba.rtl.primitives import total
from emamba.rtl.solver import fewest_multipliers, fold, tokens_read

Foldings = dict[str, Folding]

HASTES = (0.0, 1.0, 4.0, 16.0)
"""LUTs and registers that a cycle of latency may be worth."""


def solve(graph: Graph, interval_cycles: int, latency_cycles: int = 0, packing: bool = False) -> Foldings:
    """A small design that takes a token every `interval_cycles`, or faster, with a latency of at most `latency_cycles`.

    Without a wish for latency (0) it is the smallest one for the interval (`solver.fold`). With one, the tail, which is
    what follows a pool, is as long as it may be, so that it has the fewest multipliers; of the designs for `HASTES`
    that are in time the smallest one is taken. Where none is, shorter intervals are tried, the longest first. With
    `packing`, products share multiplications. ConfigError if no design is in time, however short interval and tail.
    """
    if not latency_cycles:
        return fold(graph, interval_cycles, packing=packing)
    if found := _in_time(graph, interval_cycles, latency_cycles, packing):
        return found
    least = _with_shortest_tail(graph, interval_cycles, packing)
    shorter = [interval for interval in worthwhile_intervals(graph) if interval < interval_cycles]
    for interval in reversed(shorter):
        least = _with_shortest_tail(graph, interval, packing)
        if least <= latency_cycles and (found := _in_time(graph, interval, latency_cycles, packing)):
            return found
    fact = f"a latency of {latency_cycles} cycles at an interval of {interval_cycles} or less: no design found"
    raise ConfigError(fact, f"wish for {least} cycles or more")


def _in_time(graph: Graph, interval_cycles: int, latency_cycles: int, packing: bool) -> Foldings | None:
    """The smallest of the designs with the longest tail that are in time."""
    for tail in reversed(_tails(graph, interval_cycles)):
        designs = _designs(graph, interval_cycles, tail, packing)
        found = [it for it in designs if performance(graph, it).latency_cycles <= latency_cycles]
        if found:
            return min(found, key=lambda foldings: _area(graph, foldings))
    return None


def interval_of_rate(graph: Graph, frames_per_second: float, clock_mhz: float) -> int:
    """The longest interval in cycles that keeps `frames_per_second`, and that makes a difference.

    ConfigError if it is shorter than any design can have.
    """
    known = worthwhile_intervals(graph)
    interval = int(clock_mhz * 1e6 / frames_per_second) // graph.tokens
    if interval < known[0]:
        fact = (
            f"{frames_per_second:g} frames of {graph.tokens} tokens a second at {clock_mhz:g} MHz leave "
            f"{interval or 'no'} cycles for each, where {known[0]} are needed"
        )
        most = clock_mhz * 1e6 / (graph.tokens * known[0])
        raise ConfigError(fact, f"wish for at most {most:,.0f} frames a second, or give a faster clock")
    return min(interval, known[-1])


def worthwhile_intervals(graph: Graph) -> list[int]:
    """The intervals that need fewer multipliers than any shorter one, shortest first."""
    cycles = {
        ceil(folding.cycles * tokens_read(graph, op) / graph.tokens)
        for op in graph.operations
        for folding in candidates(graph, op)
    }
    kept: dict[int, int] = {}  # multipliers -> the first interval
    for interval in sorted(cycles):
        try:
            kept.setdefault(fewest_multipliers(graph, interval), interval)
        except ConfigError:  # too short for a stage
            continue
    return list(kept.values())


def fastest(graph: Graph, multipliers: int, packing: bool = False) -> tuple[int, int]:
    """The shortest interval that `multipliers` are enough for, and the latency with what is left of them, in cycles.

    What is left makes the tail as short as it can. ConfigError if they are not enough for any.
    """
    affordable = partial(_affordable, graph, multipliers)
    slowest = max(folding.cycles for op in graph.operations for folding in candidates(graph, op))
    if not affordable(slowest):
        fact = f"{multipliers} multipliers are not enough for {graph.name}"
        raise ConfigError(fact, f"give {fewest_multipliers(graph, slowest)} or more")
    interval = bisect_left(range(1, slowest), True, key=affordable) + 1
    lengths = _tails(graph, interval)
    tail = lengths[bisect_left(lengths, True, key=partial(affordable, interval))]
    return interval, shortest_latency(graph, interval, tail, packing)


def shortest_latency(graph: Graph, interval_cycles: int, tail_cycles: int, packing: bool = False) -> int:
    """The least latency of the designs for `HASTES`."""
    designs = _designs(graph, interval_cycles, tail_cycles, packing)
    return min(performance(graph, foldings).latency_cycles for foldings in designs)


def _with_shortest_tail(graph: Graph, interval_cycles: int, packing: bool) -> int:
    return shortest_latency(graph, interval_cycles, _tails(graph, interval_cycles)[0], packing)


def _designs(graph: Graph, interval_cycles: int, tail_cycles: int, packing: bool) -> list[Foldings]:
    """The different designs for `HASTES`."""
    designs = [fold(graph, interval_cycles, tail_cycles, haste, packing) for haste in HASTES]
    return [design for index, design in enumerate(designs) if design not in designs[:index]]


def _tails(graph: Graph, interval_cycles: int) -> list[int]:
    """The lengths in cycles, up to a frame, that operations with one token a frame may have, shortest first.

    Of lengths for which equally many multipliers are needed, the shortest.
    """
    frame = interval_cycles * graph.tokens
    single = [candidates(graph, op) for op in graph.operations if tokens_read(graph, op) == 1 < graph.tokens]
    shortest = max((min(folding.cycles for folding in known) for known in single), default=frame)
    lengths = {folding.cycles for known in single for folding in known if shortest <= folding.cycles <= frame}
    by_multipliers = {fewest_multipliers(graph, interval_cycles, it): it for it in sorted(lengths | {frame})[::-1]}
    return sorted(by_multipliers.values())


def _affordable(graph: Graph, multipliers: int, interval_cycles: int, tail_cycles: int | None = None) -> bool:
    try:
        return fewest_multipliers(graph, interval_cycles, tail_cycles) <= multipliers
    except ConfigError:  # no number of multipliers makes a stage that fast
        return False


def _area(graph: Graph, foldings: Foldings) -> float:
    return total(list(components(graph, foldings).values())).area
