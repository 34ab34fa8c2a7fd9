"""What an accelerator costs and how fast it is, from its foldings alone: nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The cost of each component, which are the stages by name, `links` and `forks`; the speed; products a frame."""

    components: Mapping[str, Cost]
    performance: Performance
    products: int

    @property
    def total(self) -> Cost:
        """The cost of the whole design."""
        return total(list(self.components.values()))

    @property
    def multiplier_use(self) -> float:
        """Useful products over what the multipliers could do in the cycles of a frame, 0 to 1."""
        return self.products / max(self.total.multipliers * self.performance.cycles_per_frame, 1)


def estimate(graph: Graph, foldings: Mapping[str, Folding], loadable: bool = False) -> Estimate:
    """The accelerator that `rtl.build` makes of `graph` with `foldings`, weights in ROMs or `loadable`."""
    return Estimate(components(graph, foldings, loadable), performance(graph, foldings), products(graph))


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
    depths = fifo_beats(graph, foldings)
    links = [
        cost.link(
            graph[name].dtype,
            foldings[name].output,
            foldings[op.name].sources[index],
            depths[op.name][index],
        )
        for op in graph.operations
        for index, name in enumerate(op.sources)
    ]
    forks = [cost.fork(sum(op.name in other.sources for other in graph.operations)) for op in graph.operations]
    regions = weights.loadable(graph, foldings) if loadable else ()
    stages = {
        op.name: cost.stage(graph, op, foldings[op.name], weights.of(regions, op.name)) for op in graph.operations
    }
    return {
        **stages,
        "links": total(links),
        "forks": total(forks),
        **({"weight_loader": cost.loader(regions)} if regions else {}),
    }
