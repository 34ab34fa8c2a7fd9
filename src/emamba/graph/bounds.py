"""How wide the arithmetic of an operation can become, from its weights and its sources' types.

C chooses its accumulators from it, hardware its registers, and `check` refuses what no longer
fits the golden executor's exact float64 products.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from emamba.curve import IntegerCurve, IntegerSegments
from emamba.fixed import Integer, Integers
from emamba.graph.operations import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Input,
    Linear,
    Lookup,
    Multiply,
    Operation,
    Pool,
    RangeNorm,
    Scan,
)

Range = tuple[int, int]


def accumulator(operation: Operation, types: Mapping[str, Integer], tokens: int) -> Integer:
    """The narrowest signed type that holds every intermediate of `operation`, rounding included.

    `types` gives the type of each source, `tokens` the length of its frames.
    """
    sources = [types[name] for name in operation.sources]
    match operation:
        case Input() | Lookup() | Flatten():
            return _signed(operation.dtype)
        case Linear() | Convolution():
            sums, shift = dot_range(operation.weight, operation.bias, sources[0]), operation.shift
            return _widest(_signed(sums, int(shift.min())), _signed(sums, int(shift.max())))
        case RangeNorm():
            centred = centred_range(operation.channels, sources[0])
            return _signed(product(centred, (0, max(1, int(operation.reciprocal.max())))), operation.shift)
        case Activation():
            return _curve(operation.curve)
        case Scan():
            return _scan(operation, *sources)
        case Multiply():
            return _signed(product(_range(sources[0]), _range(sources[1])), operation.shift)
        case Add():
            left = scaled(_range(sources[0]), operation.left_shift)
            return _signed(total(left, scaled(_range(sources[1]), operation.right_shift)), operation.shift)
        case Pool():
            return _signed(scaled_by(_range(sources[0]), tokens), operation.shift)
        case _:
            assert_never(operation)


def dot_range(weight: Integers, bias: Integers, source: Integer) -> Range:
    """Every partial sum of `bias + weight @ x`, over all rows of `weight` and all x of `source`."""
    exact = weight.reshape(len(weight), -1).astype(object)  # weights of an unchecked graph may be of any size
    low, high = exact * source.lo, exact * source.hi
    smallest = np.minimum(np.minimum(low, high), 0).sum(axis=1) + np.minimum(bias, 0)
    largest = np.maximum(np.maximum(low, high), 0).sum(axis=1) + np.maximum(bias, 0)
    return int(smallest.min()), int(largest.max())


def centred_range(channels: int, source: Integer) -> Range:
    """`channels * x[c] - sum(x)`: one element at one end of the type, all others at the other."""
    span = channels * (source.hi - source.lo)
    return -span, span


def product(a: Range, b: Range) -> Range:
    """Every product of a value of `a` and one of `b`."""
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def total(a: Range, b: Range) -> Range:
    """Every sum of a value of `a` and one of `b`."""
    return a[0] + b[0], a[1] + b[1]


def scaled(a: Range, left_shift: int) -> Range:
    """`a << left_shift`; what a right shift leaves is never wider than `a`."""
    return scaled_by(a, 1 << max(left_shift, 0))


def scaled_by(a: Range, count: int) -> Range:
    """`count` times a value of `a`, and every partial sum on the way."""
    return min(0, a[0] * count), max(0, a[1] * count)


def _range(dtype: Integer) -> Range:
    return dtype.lo, dtype.hi


def _signed(value: Range | Integer, shift: int = 0) -> Integer:
    """The signed type for `value`, with room for half a unit of rounding or for a left shift."""
    lo, hi = _range(value) if isinstance(value, Integer) else value
    lo, hi = scaled((lo, hi), -shift)
    half = 1 << (shift - 1) if shift > 0 else 0
    return Integer.between(min(lo, -1), hi + half)


def _widest(*types: Integer) -> Integer:
    return max(types, key=lambda dtype: dtype.bits)


def _curve(curve: IntegerCurve) -> Integer:
    if not isinstance(curve, IntegerSegments):
        return _signed(curve.limits)
    lines = product((int(curve.slopes.min()), int(curve.slopes.max())), _range(curve.domain))
    ends = total(lines, (min(0, int(curve.intercepts.min())), max(0, int(curve.intercepts.max()))))
    return _widest(_signed(ends, curve.shift), _signed((curve.lo, curve.hi)))


def _scan(op: Scan, x: Integer, delta: Integer, b: Integer, c: Integer) -> Integer:
    argument = product(_range(delta), (0, int(op.rate.max())))
    driven = product(product(_range(delta), _range(x)), _range(b))
    drive = scaled(driven, -op.drive_shift)
    kept = product(_range(op.state), op.decay.limits)
    readout = scaled_by(product(_range(op.state), _range(c)), op.states)
    skip = product(_range(x), (int(op.skip.min()), int(op.skip.max())))
    return _widest(
        _signed(argument, op.argument_shift),
        _curve(op.decay),
        _signed(driven, op.drive_shift),
        _signed(total(kept, drive)),
        _signed(op.compute, op.decay_fraction),
        _signed(skip, op.skip_shift),
        _signed(total(readout, scaled(skip, -op.skip_shift)), op.shift),
    )
