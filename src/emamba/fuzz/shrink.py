"""The smallest trial that still fails: steps that each make one a little smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emamba.errors import GraphError
from emamba.fixed import Integers
from emamba.fuzz.trial import Trial
from emamba.graph import Convolution, Flatten, Graph, Input, Linear, Lookup, Operation, Scan, check
from emamba.rtl.buffers import slowest
from emamba.rtl.folding import Folding, candidates, packed

Failing = Callable[[Sequence[Trial]], Sequence[bool]]


def shrink(trial: Trial, failing: Failing, steps: int = 100) -> Trial:
    """A trial that fails and of which no step makes one that does, after at most so many `steps`.

    `failing` says of several trials which ones fail; it is asked for a few at once, the greatest steps first.
    """
    for _ in range(steps):
        smaller = next(_failing(trial, failing), None)
        if smaller is None:
            break
        trial = smaller
    return trial


def _failing(trial: Trial, failing: Failing, at_once: int = 8) -> Iterator[Trial]:
    options = list(smaller(trial))
    for start in range(0, len(options), at_once):
        part = options[start : start + at_once]
        yield from (option for option, fails in zip(part, failing(part), strict=True) if fails)


def smaller(trial: Trial) -> Iterator[Trial]:
    """All that one step makes of `trial`: fewer operations, smaller sizes, fewer frames, no pairs, constant weights,
    no stalls."""
    operations = trial.graph.operations
    for place in range(1, len(operations) - 1):
        yield from _with(trial, _ending(trial.graph, operations[place]))
    for op in operations[1:]:
        for source in op.sources:
            yield from _with(trial, _without(trial.graph, op, source))
    frames = len(trial.frames)
    yield from (
        replace(trial, frames=trial.frames[:count]) for count in (1, frames // 2, frames - 1) if 0 < count < frames
    )
    if trial.reset_after:
        yield replace(trial, reset_after=0)
    if any(folding.pairs for folding in trial.foldings.values()):
        yield replace(trial, foldings={name: replace(it, pairs=0) for name, it in trial.foldings.items()})
    if trial.loadable:
        yield replace(trial, loadable=False)
    for seed in trial.stalls:
        yield replace(trial, stalls=tuple(other for other in trial.stalls if other != seed))
    for count in (1, trial.graph.tokens // 2, trial.graph.tokens - 1):
        if 0 < count < trial.graph.tokens:
            yield from _with(trial, _shortened(trial.graph, count))
    for width in sorted({op.channels for op in operations if isinstance(op, Input | Lookup | Linear)}, reverse=True):
        for less in {1, width // 2, width - 1} - {0, width}:
            yield from _with(trial, _resized(trial.graph, {width: less}))


def _with(trial: Trial, operations: Sequence[Operation] | Graph) -> Iterator[Trial]:
    """`trial` with another graph, if that is legal; its foldings as far as they fit, else the fastest ones."""
    found = (
        operations if isinstance(operations, Graph) else Graph(trial.graph.name, trial.graph.tokens, tuple(operations))
    )
    try:
        graph = check(found)
    except (GraphError, IndexError, ZeroDivisionError):  # a rule may rely on what a graph of a quantizer has
        return
    foldings = {op.name: _fitting(graph, op, trial.foldings[op.name]) for op in graph.operations}
    frames = trial.frames[:, : graph.tokens, : graph.input.channels]
    interval = max(trial.interval_cycles, -(-slowest(graph, foldings) // graph.tokens))
    yield replace(trial, graph=graph, foldings=foldings, interval_cycles=interval, frames=frames)


def _fitting(graph: Graph, op: Operation, wanted: Folding) -> Folding:
    """`wanted` or the one that is nearest to it in cycles, with pairs if it has any."""
    known = candidates(graph, op)
    if wanted.pairs:
        known = [packed(graph, op, folding) for folding in known]
    return wanted if wanted in known else min(known, key=lambda folding: abs(folding.cycles - wanted.cycles))


def _ending(graph: Graph, last: Operation) -> list[Operation]:
    """What `last` needs."""
    needed = {last.name}
    for op in reversed(graph.operations):
        if op.name in needed:
            needed |= set(op.sources)
    return [op for op in graph.operations if op.name in needed]


def _without(graph: Graph, gone: Operation, source: str) -> list[Operation]:
    """All but `gone`, of which `source` takes the place, and what is then read by nothing."""
    kept = [_reading(op, gone.name, source) for op in graph.operations if op is not gone]
    last = source if gone is graph.output else graph.output.name
    left = Graph(graph.name, graph.tokens, tuple(kept))
    return _resized(Graph(graph.name, graph.tokens, tuple(_ending(left, left[last]))), {})


def _reading(op: Operation, old: str, new: str) -> Operation:
    """`op` with `new` wherever it reads `old`."""
    names = ("source", "left", "right", "x", "delta", "b", "c")
    changed: dict[str, Any] = {name: new for name in names if getattr(op, name, None) == old}
    return replace(op, **changed)


def _shortened(graph: Graph, tokens: int) -> Graph:
    """Frames of fewer tokens; grids become as many rows of one token."""
    operations = []
    for op in graph.operations:
        if isinstance(op, Convolution):
            op = replace(op, columns=op.columns if tokens % op.columns == 0 else 1)
        operations.append(op)
    return Graph(graph.name, tokens, tuple(operations))


def _resized(graph: Graph, widths: Mapping[int, int]) -> list[Operation]:
    """What has a number of channels by choice has that of `widths`, and what follows from it as many as that makes."""
    channels: dict[str, int] = {}
    operations = []
    for op in graph.operations:
        given = [channels[name] for name in op.sources]
        wanted = widths.get(op.channels, op.channels)
        if isinstance(op, Flatten):
            wanted = given[0] * max(op.channels // graph[op.source].channels, 1)
        elif not isinstance(op, Input | Lookup | Linear):
            wanted = given[0]
        channels[op.name] = wanted
        operations.append(_cut(op, wanted, given))
    return operations


def _cut(op: Operation, channels: int, given: Sequence[int]) -> Operation:
    """`op` with the first ones of its channels (or the first ones again), and for sources with the `given` ones."""
    changes: dict[str, Any] = {"channels": channels}
    match op:
        case Lookup():
            changes |= {"table": op.table[:, np.arange(channels) % op.table.shape[1]]}
        case Linear():
            columns = np.arange(given[0]) % op.weight.shape[1]
            changes |= _rows(channels, weight=op.weight[:, columns], bias=op.bias, shift=op.shift)
        case Convolution():
            changes |= _rows(channels, weight=op.weight, bias=op.bias, shift=op.shift)
        case Scan():
            states = np.arange(given[2]) % op.states
            changes |= _rows(channels, rate=op.rate[:, states], skip=op.skip)
        case _:
            pass
    return replace(op, **changes)


def _rows(count: int, **arrays: Integers) -> dict[str, Integers]:
    return {name: array[np.arange(count) % len(array)] for name, array in arrays.items()}
