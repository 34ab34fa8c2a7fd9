"""What an accelerator costs and how fast it is, from its foldings alone: nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emamba.graph import Graph
from emamba.rtl import cost
from emamba.rtl.build import fifo_tokens
from emamba.rtl.folding import Folding
from emamba.rtl.performance import Performance, performance
from emamba.rtl.primitives import Cost, total


@dataclass(frozen=True)
class Estimate:
    """The cost of each component, which are the stages by name, `links` and `forks`; and the speed.

    `work` are the busy multipliers: products a frame over cycles a frame.
    """

    components: Mapping[str, Cost]
    performance: Performance
    work: float

    @property
    def total(self) -> Cost:
        """The cost of the whole design."""
        return total(list(self.components.values()))

    @property
    def multiplier_use(self) -> float:
        """Share of the multipliers that do useful work in a cycle, 0 to 1, once the pipeline is full."""
        return self.work / max(self.total.multipliers, 1)


def estimate(graph: Graph, foldings: Mapping[str, Folding], interval_cycles: int) -> Estimate:
    """The accelerator that `rtl.build` makes of `graph` with `foldings`."""
    speed = performance(graph, foldings, interval_cycles)
    busy = sum(
        folding.multipliers * folding.cycles * graph.frame_tokens(op.sources[0] if op.sources else op.name)
        for op, folding in ((op, foldings[op.name]) for op in graph.operations)
    )
    return Estimate(components(graph, foldings, interval_cycles), speed, busy / speed.cycles_per_frame)


def components(graph: Graph, foldings: Mapping[str, Folding], interval_cycles: int) -> dict[str, Cost]:
    """The cost of each stage by its name, and of all links and all forks."""
    depths = fifo_tokens(graph, dict(foldings), interval_cycles)
    links = [
        cost.link(
            graph[name].dtype,
            foldings[name].output,
            foldings[op.name].sources[index],
            depths[op.name][index] * (graph[name].channels // foldings[name].output),
        )
        for op in graph.operations
        for index, name in enumerate(op.sources)
    ]
    forks = [cost.fork(sum(op.name in other.sources for other in graph.operations)) for op in graph.operations]
    stages = {op.name: cost.stage(graph, op, foldings[op.name]) for op in graph.operations}
    return {**stages, "links": total(links), "forks": total(forks)}
