"""What each operation means: the golden executor, in NumPy on int64.

Tensors are [batch, time, channels]. C (`firmware`) and hardware (`rtl`) repeat these functions
bit for bit. Sums of products run through float64 BLAS, which is exact because `check` keeps every
accumulator below 2**48.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from emamba.errors import DataError
from emamba.fixed import Integers, requantize, round_shift, saturate
from emamba.graph.operations import (
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

_TOKENS = 4096


def run(graph: Graph, frames: Integers) -> dict[str, Integers]:
    """Every tensor of `graph` for `frames` [batch, tokens, channels], by name."""
    tensors = {graph.input.name: accepted(graph, frames)}
    for operation in graph.operations[1:]:
        tensors[operation.name] = execute(operation, tensors)
    return tensors


def predict(graph: Graph, frames: Integers) -> Integers:
    """The output of `graph` for `frames`: [batch, time, channels]; few frames at a time, to spare memory."""
    size = max(_TOKENS // graph.tokens, 1)
    parts = range(0, max(len(frames), 1), size)
    return np.concatenate([run(graph, frames[part : part + size])[graph.output.name] for part in parts])


def accepted(graph: Graph, frames: Integers) -> Integers:
    """`frames` if they fit the input of `graph`; DataError with what does not fit otherwise."""
    source = graph.input
    expected = (graph.tokens, source.channels)
    if frames.ndim != 3 or frames.shape[1:] != expected:
        raise DataError(
            f"frames have shape {frames.shape}, not (batch, {expected[0]}, {expected[1]})",
            "cut the images into patches first: emamba.data.frames",
        )
    if frames.dtype.kind not in "iu":
        raise DataError(
            f"frames are {frames.dtype}, not integers", "quantize them at the input's scale: emamba.fixed.quantize"
        )
    if frames.size and not source.dtype.holds(int(frames.min()), int(frames.max())):
        raise DataError(
            f"frames hold {frames.min()}..{frames.max()}, outside {source.dtype}",
            "quantize them at the input's scale: emamba.fixed.quantize",
        )
    return frames.astype(np.int64)


def execute(operation: Operation, tensors: Mapping[str, Integers]) -> Integers:
    """The tensor that `operation` makes of its sources."""
    sources = [tensors[name] for name in operation.sources]
    match operation:
        case Input():
            return tensors[operation.name]
        case Lookup():
            return operation.table[sources[0][..., 0]]
        case Linear():
            return linear(operation, *sources)
        case Convolution():
            return convolution(operation, *sources)
        case RangeNorm():
            return range_norm(operation, *sources)
        case Activation():
            return operation.curve(*sources)
        case Scan():
            return scan(operation, *sources)
        case Multiply():
            return requantize(sources[0] * sources[1], operation.shift, operation.dtype)
        case Add():
            return add(operation, *sources)
        case Pool():
            return requantize(sources[0].sum(axis=1, keepdims=True), operation.shift, operation.dtype)
        case Flatten():
            batch, time, channels = sources[0].shape
            return sources[0].reshape(batch, time * channels // operation.channels, operation.channels)
        case _:
            assert_never(operation)


def linear(op: Linear, x: Integers) -> Integers:
    """[batch, time, in] -> [batch, time, channels]."""
    product = x.astype(np.float64) @ op.weight.T.astype(np.float64)
    return requantize(product.astype(np.int64) + op.bias, op.shift, op.dtype)


def convolution(op: Convolution, x: Integers) -> Integers:
    """[batch, time, channels] -> the same shape."""
    (_, high, wide), (batch, time, channels) = op.weight.shape, x.shape
    grid = x.reshape(batch, time // op.columns, op.columns, channels)
    sides = (op.above, high - 1 - op.above), (op.left, wide - 1 - op.left)
    padded = np.pad(grid, ((0, 0), *sides, (0, 0)))
    total = np.broadcast_to(op.bias, grid.shape).copy()
    for i, j in np.ndindex(high, wide):
        total += op.weight[:, i, j] * padded[:, i : i + grid.shape[1], j : j + op.columns]
    return requantize(total, op.shift, op.dtype).reshape(x.shape)


def range_norm(op: RangeNorm, x: Integers) -> Integers:
    """[batch, time, channels] -> the same shape; a token without range becomes zeros."""
    centred = op.channels * x - x.sum(axis=2, keepdims=True)
    spread = np.ptp(x, axis=2, keepdims=True)
    return requantize(centred * op.reciprocal[spread], op.shift, op.dtype)


def add(op: Add, left: Integers, right: Integers) -> Integers:
    """Both sources brought to one scale, added, and rounded once."""
    return requantize((left << op.left_shift) + (right << op.right_shift), op.shift, op.dtype)


def scan(op: Scan, x: Integers, delta: Integers, b: Integers, c: Integers) -> Integers:
    """x, delta [batch, time, channels]; b, c [batch, time, states] -> [batch, time, channels]."""
    rate, state = op.rate.T[:, None, :], np.zeros((op.states, len(x), op.channels), dtype=np.int64)
    skipped = round_shift(op.skip * x, op.skip_shift)
    readout = np.empty_like(x)
    for t in range(x.shape[1]):  # channels last, because there are few states: the innermost loop should be long
        argument = requantize(delta[:, t] * rate, op.argument_shift, op.decay.domain)
        drive = round_shift(delta[:, t] * x[:, t] * b[:, t].T[..., None], op.drive_shift)
        total = saturate(op.decay(argument) * state + drive, op.compute)
        state = requantize(total, op.decay_fraction, op.state)
        readout[:, t] = (state * c[:, t].T[..., None]).sum(axis=0)
    return requantize(readout + skipped, op.shift, op.dtype)
