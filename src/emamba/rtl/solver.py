"""The folding solver: the smallest design that keeps an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emamba.errors import ConfigError
from emamba.graph import Graph, Operation
from emamba.rtl import cost
from emamba.rtl.elimination import Term, smallest
from emamba.rtl.folding import Folding, candidates


def fold(graph: Graph, interval_cycles: int) -> dict[str, Folding]:
    """The folding of every operation for `interval_cycles` between two input tokens.

    Each stage gets the fewest multipliers that are fast enough. Many tiles have that number; those are taken with
    which stages and links together need the fewest LUTs and flip-flops (`rtl.cost`): neighbours with equal
    lanes need no registers between them. An operation whose source has fewer tokens a frame has more cycles
    for each. ConfigError if a stage cannot be that fast.
    """
    choices = {op.name: _choices(graph, op, interval_cycles) for op in graph.operations}
    terms = [
        Term((op.name,), np.array([cost.stage(graph, op, folding).area for folding in choices[op.name]]))
        for op in graph.operations
    ]
    terms += [_link(graph, op, index, choices) for op in graph.operations for index in range(len(op.sources))]
    chosen = smallest({name: len(foldings) for name, foldings in choices.items()}, terms)
    return {name: choices[name][index] for name, index in chosen.items()}


def _choices(graph: Graph, op: Operation, interval_cycles: int) -> list[Folding]:
    """The foldings of `op` that are fast enough with the fewest multipliers."""
    tokens = graph.frame_tokens(op.sources[0]) if op.sources else graph.tokens
    budget = interval_cycles * graph.tokens // tokens
    known = candidates(graph, op)
    fastest = min(folding.cycles for folding in known)
    if fastest > max(budget, 1):
        raise ConfigError(
            f"stage {op.name} needs {fastest} cycles a token, more than {budget}",
            f"ask for an interval of at least {-(-fastest * tokens // graph.tokens)} cycles",
        )
    fast = [folding for folding in known if folding.cycles <= max(budget, 1)]
    fewest = min(folding.multipliers for folding in fast)
    return [folding for folding in fast if folding.multipliers == fewest]


def _link(graph: Graph, op: Operation, index: int, choices: Mapping[str, Sequence[Folding]]) -> Term:
    """What the link into source `index` of `op` costs, by the foldings at both ends; a FIFO costs the same for all."""
    source = graph[op.sources[index]]
    given = [folding.output for folding in choices[source.name]]
    wanted = [folding.sources[index] for folding in choices[op.name]]
    areas = {(a, b): cost.link(source.dtype, a, b, 0).area for a in set(given) for b in set(wanted)}
    return Term((source.name, op.name), np.array([[areas[a, b] for b in wanted] for a in given]))
