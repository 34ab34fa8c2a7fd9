"""When a graph is legal. Each rule is one function; the tests hold one failing example for each."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from emamba.curve import IntegerCurve, IntegerSegments, IntegerTable
from emamba.errors import GraphError
from emamba.fixed import Integer
from emamba.graph.bounds import accumulator
from emamba.graph.operations import (
    Activation,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Lookup,
    Operation,
    RangeNorm,
    Scan,
    arrays,
    shown,
)

NAME = r"[a-z](_?[a-z0-9])*"  # becomes a part of names of files, C functions and Verilog modules
WIDEST_STREAM = 32  # bits of a stream's element: what C's int32_t holds
WIDEST_ACCUMULATOR = 48  # bits: exact in float64, and the width of a DSP48 accumulator
LONGEST_SHIFT = 31
WIDEST_SPREAD = 3  # between the shifts of an operation's channels: in hardware a choice of one in four
FINEST_FRACTION = 64  # bits: keeps 2.0**-fraction_bits an ordinary number
WIDEST_TABLE = 12  # bits of a table's index


def check(graph: Graph) -> Graph:
    """`graph`, if it is legal; GraphError with the first broken rule otherwise."""
    for problem in problems(graph):
        raise GraphError(f"graph {graph.name}: {problem}", "lower the model again, or mend the operation named")
    return graph


def problems(graph: Graph) -> Iterator[str]:
    """What breaks a rule, rule by rule; a later rule may rely on the earlier ones."""
    yield from _order(graph)
    for operation in graph.operations:
        for rule in (_stream, _arrays, _shapes, _shifts, _curves, _types):
            for problem in rule(graph, operation):
                yield f"{operation.name}: {problem}"
    yield from _widths(graph)


def _order(graph: Graph) -> Iterator[str]:
    if not re.fullmatch(NAME, graph.name):
        yield f"{graph.name!r} is not a name of lower-case letters, digits and single underscores"
    if graph.tokens < 1:
        yield f"a frame has {graph.tokens} tokens; at least 1 is needed"
    if not graph.operations:
        yield "there are no operations"
    seen: set[str] = set()
    for index, operation in enumerate(graph.operations):
        if isinstance(operation, Input) != (index == 0):
            yield f"{operation.name}: exactly the first operation is the Input"
        if not re.fullmatch(NAME, operation.name):
            yield f"{operation.name!r} is not a name of lower-case letters, digits and single underscores"
        if operation.name in seen:
            yield f"{operation.name}: the name is used twice"
        for source in operation.sources:
            if source not in seen:
                yield f"{operation.name}: source {source} is not an earlier operation"
        seen.add(operation.name)
    for operation in graph.operations[:-1]:
        if not graph.consumers(operation.name):
            yield f"{operation.name}: nothing reads it, and it is not the output"


def _stream(graph: Graph, op: Operation) -> Iterator[str]:
    if op.channels < 1:
        yield f"{op.channels} channels; at least 1 is needed"
    if not _fits(op.dtype):
        yield f"{op.dtype} is not a type that int{WIDEST_STREAM} holds"
    if abs(op.fraction_bits) > FINEST_FRACTION:
        yield f"{op.fraction_bits} fraction bits; at most {FINEST_FRACTION} are possible"
    if isinstance(op, Scan):
        for name, dtype in (("state", op.state), ("decay's domain", op.decay.domain)):
            if not _fits(dtype):
                yield f"the {name} is {dtype}, not a type that int{WIDEST_STREAM} holds"
        if not 2 <= op.compute.bits <= WIDEST_ACCUMULATOR:
            yield f"compute is {op.compute}, not of 2 to {WIDEST_ACCUMULATOR} bits"
    lengths = [graph.frame_tokens(name) for name in op.sources]
    if len(set(lengths)) > 1:
        yield f"the sources have {lengths} tokens a frame, not equally many"


def _fits(dtype: Integer) -> bool:
    """Whether `dtype` has values, and int32 holds them all."""
    return 1 + dtype.signed <= dtype.bits <= WIDEST_STREAM - (not dtype.signed)


def _arrays(graph: Graph, op: Operation) -> Iterator[str]:
    for name, array in arrays(op).items():
        if array.dtype != np.int64:
            yield f"{name} has element type {array.dtype}, not int64"
        if array.size == 0 and name != "curve.knots" and name != "decay.knots":
            yield f"{name} is empty"


def _shapes(graph: Graph, op: Operation) -> Iterator[str]:
    """Every array and source has the shape that the operation's formula needs."""
    channels = [graph[name].channels for name in op.sources]
    match op:
        case Input():
            return
        case Lookup():
            yield from _shape("table", op.table, (1 << graph[op.source].dtype.bits, op.channels))
            expected = [1]
        case Linear():
            yield from _shape("weight", op.weight, (op.channels, channels[0]))
            yield from _shape("bias", op.bias, (op.channels,))
            yield from _shape("shift", op.shift, (op.channels,))
            return
        case Flatten():
            yield from _gathers(op.channels, channels[0], graph.frame_tokens(op.source))
            return
        case Scan():
            yield from _shape("rate", op.rate, (op.channels, _columns(op.rate)))
            yield from _shape("skip", op.skip, (op.channels,))
            expected = [op.channels, op.channels, op.states, op.states]
        case Convolution():
            yield from _kernel(op, graph.frame_tokens(op.source))
            yield from _shape("bias", op.bias, (op.channels,))
            yield from _shape("shift", op.shift, (op.channels,))
            expected = [op.channels]
        case _:
            expected = [op.channels] * len(channels)
    if channels != expected:
        yield f"the sources have {channels} channels, not {expected}"


def _gathers(channels: int, each: int, tokens: int) -> Iterator[str]:
    """Tokens of `each` channels become whole ones of `channels`, and the `tokens` of a frame come out even."""
    count = channels // each
    if channels % each:
        yield f"{channels} channels do not hold whole tokens of {each}"
    elif tokens % count:
        yield f"{channels} channels hold {count} tokens of {each}; {count} does not divide the {tokens} of a frame"


def _kernel(op: Convolution, tokens: int) -> Iterator[str]:
    """The weight is three-dimensional, the grid holds the frame, and each output's own token is in its window."""
    if op.weight.ndim != 3 or len(op.weight) != op.channels:
        yield f"weight has shape {op.weight.shape}, not ({op.channels}, rows, columns)"
        return
    _, high, wide = op.weight.shape
    if op.columns < 1 or tokens % op.columns:
        yield f"rows of {op.columns} tokens do not make up a frame of {tokens}"
    if not 0 <= op.above < high or not 0 <= op.left < wide:
        yield f"a window of {high}x{wide} has no place {op.above} below its top and {op.left} from its left"


def _columns(array: np.ndarray) -> int:
    """Columns of a matrix; 1 for what is none, so that its shape is refused."""
    return array.shape[1] if array.ndim == 2 else 1


def _shape(name: str, array: np.ndarray, expected: tuple[int, ...]) -> Iterator[str]:
    if array.shape != expected:
        yield f"{name} has shape {array.shape}, not {expected}"


def _shifts(graph: Graph, op: Operation) -> Iterator[str]:
    for name, value in vars(op).items():
        if not name.endswith(("shift", "decay_fraction")):
            continue
        lo, hi = int(np.min(value)), int(np.max(value))
        if lo < -LONGEST_SHIFT or hi > LONGEST_SHIFT:
            yield f"{name} is {shown(value)}, outside -{LONGEST_SHIFT}..{LONGEST_SHIFT}"
        if name in ("left_shift", "right_shift", "decay_fraction") and value < 0:
            yield f"{name} is {value}, but may not be negative"
        if hi - lo > WIDEST_SPREAD:
            yield f"{name} is {shown(value)}; those of two channels may differ by {WIDEST_SPREAD}"


def _curves(graph: Graph, op: Operation) -> Iterator[str]:
    match op:
        case Activation():
            if op.curve.domain != graph[op.source].dtype:
                yield f"the curve is for {op.curve.domain}, the source has {graph[op.source].dtype}"
            if not op.dtype.holds(*op.curve.limits):
                yield f"the curve gives {op.curve.limits}, which {op.dtype} cannot hold"
            yield from _curve(op.curve)
        case Scan():
            if op.decay.domain.signed:
                yield "the decay's domain is signed, but delta * rate is never negative"
            if op.decay.limits[0] < 0 or op.decay.limits[1] > 1 << op.decay_fraction:
                yield f"the decay gives {op.decay.limits}, outside 0..1 in {op.decay_fraction} fraction bits"
            yield from _curve(op.decay)
        case RangeNorm():
            source = graph[op.source].dtype
            if op.reciprocal.shape != (1 << source.bits,):
                yield f"the reciprocal has {op.reciprocal.size} entries; {source} has {1 << source.bits} ranges"
            if op.reciprocal.min() < 0:
                yield "a reciprocal is negative"
        case _:
            return


def _curve(curve: IntegerCurve) -> Iterator[str]:
    if isinstance(curve, IntegerTable):
        if curve.domain.bits > WIDEST_TABLE or curve.values.shape != (1 << curve.domain.bits,):
            yield f"a table of {curve.values.size} values does not cover {curve.domain}"
    elif isinstance(curve, IntegerSegments):
        pieces = curve.knots.size + 1
        if curve.slopes.shape != (pieces,) or curve.intercepts.shape != (pieces,):
            yield f"{curve.slopes.size} slopes, {curve.intercepts.size} intercepts for {pieces} segments"
        if np.any(np.diff(curve.knots) < 0):
            yield "the knots do not ascend"
        if curve.knots.size and not curve.domain.holds(int(curve.knots[0]), int(curve.knots[-1])):
            yield f"the knots {curve.knots[0]}..{curve.knots[-1]} lie outside {curve.domain}"
        if not -LONGEST_SHIFT <= curve.shift <= LONGEST_SHIFT or curve.lo > curve.hi:
            yield f"the curve's shift {curve.shift} or limits {curve.lo}..{curve.hi} are impossible"


def _types(graph: Graph, op: Operation) -> Iterator[str]:
    if isinstance(op, Lookup):
        if graph[op.source].dtype.signed:
            yield f"the index {op.source} is signed; it may not be negative"
        if not op.dtype.holds(int(op.table.min()), int(op.table.max())):
            yield f"the table holds {op.table.min()}..{op.table.max()}, which {op.dtype} cannot hold"
    if isinstance(op, Scan):
        if graph[op.delta].dtype.signed:
            yield f"delta {op.delta} is signed; it may not be negative"
        if op.rate.min() < 0:
            yield "a rate is negative: the state would grow"
        if not op.state.signed or not op.compute.signed:
            yield "the state has to be signed"
    if isinstance(op, Flatten) and op.dtype != graph[op.source].dtype:
        yield f"Flatten changes no element, but {graph[op.source].dtype} becomes {op.dtype}"


def _widths(graph: Graph) -> Iterator[str]:
    types: dict[str, Integer] = {op.name: op.dtype for op in graph.operations}
    for op in graph.operations:
        tokens = graph.frame_tokens(op.sources[0]) if op.sources else 1
        width = accumulator(op, types, tokens).bits
        if width > WIDEST_ACCUMULATOR:
            yield f"{op.name}: an accumulator needs {width} bits; {WIDEST_ACCUMULATOR} are exact"
