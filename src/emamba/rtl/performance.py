"""How fast a folded graph is, in cycles, without building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm
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
from emamba.rtl import scan, timing
from emamba.rtl.buffers import fifo_beats, moves, slowest
from emamba.rtl.folding import Folding
from emamba.rtl.timing import Network, Part, Wire


@dataclass(frozen=True)
class Performance:
    """Cycles from the first beat in to the last beat out, and between the ends of consecutive frames."""

    latency_cycles: int
    cycles_per_frame: int


def performance(graph: Graph, foldings: Mapping[str, Folding], frames: int = 1) -> Performance:
    """The latency of a frame in an empty pipeline, exactly as simulation measures it.

    With one frame, cycles a frame are those of the slowest stage, which every design keeps; with more, they are
    the distance of the last two.
    """
    ends = network(graph, foldings).run(frames)
    return Performance(ends[0], ends[-1] - ends[-2] if frames > 1 else slowest(graph, foldings))


def network(graph: Graph, foldings: Mapping[str, Folding]) -> Network:
    """The control of the accelerator that `rtl.build` makes, component by component."""
    depths = fifo_beats(graph, foldings)
    parts: list[Part] = []
    open_ends: dict[str, list[Wire]] = {}
    first = Wire()
    for op in graph.operations:
        folding = foldings[op.name]
        sources = [first] if isinstance(op, Input) else []
        for index, name in enumerate(op.sources):
            lanes, wanted, depth = foldings[name].output, folding.sources[index], depths[op.name][index]
            sources.append(_link(parts, open_ends[name].pop(0), lanes, wanted, depth))
        output = sources[0] if isinstance(op, Flatten) else Wire()
        parts += _stage(graph, op, folding, sources, output)
        open_ends[op.name] = _forked(parts, graph, op, output)
    beats = [
        graph.frame_tokens(op.name) * (op.channels // foldings[op.name].output) for op in (graph.input, graph.output)
    ]
    return Network(parts, first, open_ends[graph.output.name].pop(), *beats)


def _link(parts: list[Part], source: Wire, lanes: int, wanted: int, depth: int) -> Wire:
    """Appends the parts of a `Link`; gives its end."""
    wide = lcm(lanes, wanted)
    for kind, size in ((timing.fifo, depth), (timing.widen, wide // lanes), (timing.narrow, wide // wanted)):
        if size > (kind is not timing.fifo):  # a FIFO of 0 beats is none, and so is a ratio of 1
            end = Wire()
            parts.append(kind(source, end, size))
            source = end
    return source


def _forked(parts: list[Part], graph: Graph, op: Operation, output: Wire) -> list[Wire]:
    readers = sum(name == op.name for reader in graph.operations for name in reader.sources)
    if readers < 2:
        return [output]
    outputs = [Wire() for _ in range(readers)]
    parts.append(timing.fork(output, outputs))
    return outputs


def _stage(graph: Graph, op: Operation, folding: Folding, sources: list[Wire], output: Wire) -> list[Part]:
    """The control of one stage, with the registers that a beat goes through and what is behind the last of them."""
    beats, through, last = op.channels // folding.output, moves(op, folding), Wire()
    end = timing.skid(last, output)
    match op:
        case Input():
            return [timing.skid(sources[0], output)]
        case Lookup():
            return [timing.linear(sources[0], last, through, 1, beats), end]
        case Linear():
            return _linear(graph[op.source].channels // folding.sources[0], beats, folding, sources[0], output, through)
        case Convolution():
            steps, tokens = op.weight[0].size // folding.taps, graph.frame_tokens(op.source)
            return [timing.convolution(sources[0], last, through, steps, beats, tokens, op.ahead), end]
        case RangeNorm():
            kept = Wire()
            store = timing.fifo(sources[0], kept, 2 * beats + 4)
            return [store, timing.range_norm(sources[0], kept, last, through, beats), end]
        case Activation() | Multiply() | Add():
            return [timing.elementwise(sources, last, through), end]
        case Scan():
            return [_scan(op, folding, sources, last, through), end]
        case Pool():
            return [timing.pool(sources[0], last, through, beats, graph.frame_tokens(op.source)), end]
        case Flatten():
            return []
        case _:
            assert_never(op)


def _linear(columns: int, rows: int, folding: Folding, source: Wire, output: Wire, through: int) -> list[Part]:
    """Sums that are complete in bursts go to a FIFO, others to a skid."""
    replayed, last = Wire(), Wire()
    if folding.by_rows:
        parts = [timing.replay(source, replayed, columns, rows), timing.linear(replayed, last, through, columns, 1)]
        return [*parts, timing.skid(last, output)]
    bursts = columns > 1 and rows > 1
    end = timing.fifo(last, output, rows + 2) if bursts else timing.skid(last, output)
    return [timing.linear(source, last, through, columns, rows), end]


def _scan(op: Scan, folding: Folding, sources: list[Wire], output: Wire, through: int) -> Part:
    if folding.steps > 1:
        return timing.serial_scan(sources, output, through, op.states, op.channels)
    groups = op.states // folding.states
    words = op.channels // folding.output * groups
    return timing.scan(sources, output, through, words, groups, max(words, scan.LOOP))
