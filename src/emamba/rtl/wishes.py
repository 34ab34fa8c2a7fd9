"""What a user may wish of an accelerator, and the design that meets it.

A design is an interval between tokens, and a latency that may be wished on top. Frames a second and a budget of
multipliers are other ways to say these two.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import partial

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
    """The smallest design that takes a token every `interval_cycles`, with a latency of at most `latency_cycles`.

    Without a wish for latency (0) it is the smallest one there is (`solver.fold`). With one, the tail, which is what
    follows a pool, is as long as it may be, so that it has the fewest multipliers; of the designs for `HASTES`
    that are in time the smallest one is taken. With `packing`, products share multiplications. ConfigError if no
    design is in time, however short the tail.
    """
    if not latency_cycles:
        return fold(graph, interval_cycles, packing=packing)
    for tail in reversed(_tails(graph, interval_cycles)):
        designs = _designs(graph, interval_cycles, tail, packing)
        in_time = [it for it in designs if performance(graph, it).latency_cycles <= latency_cycles]
        if in_time:
            return min(in_time, key=lambda foldings: _area(graph, foldings))
    fact = f"a latency of {latency_cycles} cycles at an interval of {interval_cycles}: no design found"
    least = shortest_latency(graph, interval_cycles, _tails(graph, interval_cycles)[0], packing)
    raise ConfigError(fact, f"wish for at least {least} cycles, or for a shorter interval")


def interval_of_rate(graph: Graph, frames_per_second: float, clock_mhz: float) -> int:
    """The longest interval in cycles that keeps `frames_per_second`; ConfigError if that is less than a cycle."""
    interval = int(clock_mhz * 1e6 / frames_per_second) // graph.tokens
    if interval < 1:
        fact = (
            f"{frames_per_second:g} frames of {graph.tokens} tokens a second at {clock_mhz:g} MHz leave no cycle each"
        )
        most = clock_mhz * 1e6 / graph.tokens
        raise ConfigError(fact, f"wish for at most {most:,.0f} frames a second, or give a faster clock")
    return interval


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
