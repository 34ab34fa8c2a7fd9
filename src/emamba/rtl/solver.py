"""The folding solver: the smallest design that meets a wish, by choosing the lanes of all stages together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import lcm

import numpy as np

from emamba.errors import ConfigError
from emamba.graph import Graph, Input, Linear, Operation
from emamba.rtl import cost
from emamba.rtl.elimination import Term, smallest
from emamba.rtl.folding import Folding, candidates, packed


def fold(
    graph: Graph, interval_cycles: int, tail_cycles: int | None = None, haste: float = 0.0, packing: bool = False
) -> dict[str, Folding]:
    """The folding of every operation for `interval_cycles` between two input tokens.

    Each stage gets the fewest multipliers that are fast enough. Many tiles have that number; those are taken with
    which stages and links together have the least area (`rtl.cost`): neighbours with equal lanes need no
    registers between them. With `haste`, a cycle of latency weighs as much as that many LUTs or registers. With
    `packing`, products share multiplications, and each that is saved counts.

    An operation whose source has fewer tokens a frame has more cycles for each; one that sees a single token a
    frame, because it follows a pool, adds them all to the latency, and has to end within `tail_cycles` (None: the
    whole frame). ConfigError if a stage cannot be that fast.
    """
    budgets = {op.name: budget(graph, op, interval_cycles, tail_cycles) for op in graph.operations}
    choices = {op.name: _choices(graph, op, budgets[op.name], packing) for op in graph.operations}
    terms = [_stage(graph, op, choices[op.name], haste) for op in graph.operations]
    terms += [_link(graph, op, index, choices, haste) for op in graph.operations for index in range(len(op.sources))]
    chosen = smallest({name: len(foldings) for name, foldings in choices.items()}, terms)
    return {name: choices[name][index] for name, index in chosen.items()}


def tokens_read(graph: Graph, op: Operation) -> int:
    """Tokens a frame that `op` works on."""
    return graph.frame_tokens(op.sources[0]) if op.sources else graph.tokens


def budget(graph: Graph, op: Operation, interval_cycles: int, tail_cycles: int | None = None) -> int:
    """Cycles that `op` has for a token."""
    tokens = tokens_read(graph, op)
    frame = interval_cycles * graph.tokens
    return min(frame, tail_cycles or frame) if tokens == 1 else frame // tokens


def fewest_multipliers(graph: Graph, interval_cycles: int, tail_cycles: int | None = None) -> int:
    """The multipliers of what `fold` gives."""
    return sum(
        _choices(graph, op, budget(graph, op, interval_cycles, tail_cycles))[0].multipliers for op in graph.operations
    )


def _choices(graph: Graph, op: Operation, cycles: int, packing: bool = False) -> list[Folding]:
    """The foldings of `op` that need at most `cycles` a token, with the fewest multipliers."""
    known = candidates(graph, op)
    fastest = min(folding.cycles for folding in known)
    if fastest > max(cycles, 1):
        raise ConfigError(
            f"stage {op.name} needs {fastest} cycles a token, more than {cycles}",
            f"ask for an interval of at least {-(-fastest * tokens_read(graph, op) // graph.tokens)} cycles",
        )
    fast = [folding for folding in known if folding.cycles <= max(cycles, 1)]
    fewest = min(folding.multipliers for folding in fast)
    found = [folding for folding in fast if folding.multipliers == fewest]
    return [packed(graph, op, folding) for folding in found] if packing else found


def _stage(graph: Graph, op: Operation, choices: Sequence[Folding], haste: float) -> Term:
    """What the stage of `op` costs, by its folding."""
    costs = [_area(graph, op, folding) + haste * _wait(graph, op, folding) for folding in choices]
    return Term((op.name,), np.array(costs))


@lru_cache(1 << 14)  # designs for other wishes have the same foldings
def _area(graph: Graph, op: Operation, folding: Folding) -> float:
    return cost.stage(graph, op, folding).area


def _wait(graph: Graph, op: Operation, folding: Folding) -> int:
    """Cycles between the last beat of a token in and its last beat out, as far as the choice of lanes matters."""
    beats = op.channels // folding.output
    match op:
        case Input():
            return beats
        case Linear():
            columns = graph[op.source].channels // folding.sources[0]
            return folding.cycles - columns if folding.by_rows else beats
        case _:
            return 0


def _link(graph: Graph, op: Operation, index: int, choices: Mapping[str, Sequence[Folding]], haste: float) -> Term:
    """What the link into source `index` of `op` costs, by the foldings at both ends, without its FIFO."""
    source = graph[op.sources[index]]
    given = [folding.output for folding in choices[source.name]]
    wanted = [folding.sources[index] for folding in choices[op.name]]
    costs = {
        (a, b): cost.link(source.dtype, a, b, 0).area + haste * (lcm(a, b) // b - 1)
        for a in set(given)
        for b in set(wanted)
    }
    return Term((source.name, op.name), np.array([[costs[a, b] for b in wanted] for a in given]))
