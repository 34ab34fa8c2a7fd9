"""What an accelerator costs and how fast it is, from its foldings alone: nothing is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from emamba.graph import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Lookup,
    Multiply,
    Operation,
    Pool,
    RangeNorm,
    Scan,
)
from emamba.rtl import cost, curve, weights
from emamba.rtl.buffers import fifo_beats
from emamba.rtl.folding import Folding
from emamba.rtl.performance import Performance, performance
from emamba.rtl.primitives import Cost, total
from emamba.rtl.solver import tokens_read


@dataclass(frozen=True)
class Estimate:
    """The cost of each component, which are the stages by name, `links` and `forks`; the speed; products a frame.

    `worked` is the cost of each component times the cycles of a frame in which it works.
    """

    components: Mapping[str, Cost]
    worked: Mapping[str, Cost]
    performance: Performance
    products: int

    @property
    def total(self) -> Cost:
        """The cost of the whole design."""
        return total(list(self.components.values()))

    @property
    def work(self) -> Cost:
        """What works in a frame, each part as often as it does."""
        return total(list(self.worked.values()))

    @property
    def multiplier_use(self) -> float:
        """Useful products over what the multipliers could do in the cycles of a frame, 0 to 1."""
        return self.products / max(self.total.multipliers * self.performance.cycles_per_frame, 1)


def estimate(graph: Graph, foldings: Mapping[str, Folding], loadable: bool = False) -> Estimate:
    """The accelerator that `rtl.build` makes of `graph` with `foldings`, weights in ROMs or `loadable`."""
    pieces = _pieces(graph, foldings, loadable)
    worked = _summed([(name, cost * cycles) for name, cost, cycles in pieces])
    whole = _summed([(name, cost) for name, cost, _ in pieces])
    return Estimate(whole, worked, performance(graph, foldings), products(graph))


def products(graph: Graph) -> int:
    """Multiplications that a frame takes, whatever the design, without those that only repeat others."""
    return sum(_products(op) * tokens_read(graph, op) for op in graph.operations)


def _products(op: Operation) -> int:
    """Multiplications of one token."""
    match op:
        case Linear() | Convolution():
            return op.weight.size
        case RangeNorm() | Multiply():
            return op.channels
        case Activation():
            return op.channels * curve.multipliers(op.curve)
        case Scan():
            return op.channels * (op.states * (4 + curve.multipliers(op.decay)) + 2)
        case Input() | Lookup() | Add() | Pool() | Flatten():
            return 0
        case _:
            assert_never(op)


def components(graph: Graph, foldings: Mapping[str, Folding], loadable: bool = False) -> dict[str, Cost]:
    """The cost of each stage by its name, of all links, all forks, and the port for weights if they are `loadable`."""
    return _summed([(name, cost) for name, cost, _ in _pieces(graph, foldings, loadable)])


def _pieces(graph: Graph, foldings: Mapping[str, Folding], loadable: bool) -> list[tuple[str, Cost, int]]:
    """Each stage, link and fork: its component, its cost, and the cycles of a frame in which it works."""
    depths = fifo_beats(graph, foldings)
    regions = weights.loadable(graph, foldings) if loadable else ()
    found = []
    for op in graph.operations:
        folding, tokens = foldings[op.name], tokens_read(graph, op)
        stage = cost.stage(graph, op, folding, weights.of(regions, op.name))
        found.append((op.name, stage, tokens * folding.cycles))
    for op in graph.operations:
        for index, name in enumerate(op.sources):
            given, wanted = foldings[name].output, foldings[op.name].sources[index]
            link = cost.link(graph[name].dtype, given, wanted, depths[op.name][index])
            beats = graph[name].channels // min(given, wanted)
            found.append(("links", link, graph.frame_tokens(name) * beats))
    for op in graph.operations:
        readers = sum(op.name in other.sources for other in graph.operations)
        beats = op.channels // foldings[op.name].output
        found.append(("forks", cost.fork(readers), graph.frame_tokens(op.name) * beats))
    return found + ([("weight_loader", cost.loader(regions), 0)] if regions else [])


def _summed(costs: Sequence[tuple[str, Cost]]) -> dict[str, Cost]:
    """The sum of the costs of each name."""
    found: dict[str, Cost] = {}
    for name, each in costs:
        found[name] = found[name] + each if name in found else each
    return found
