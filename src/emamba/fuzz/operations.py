"""Random operations with arithmetic at its borders, and frames that reach it: what random graphs are made of."""

from __future__ import annotations

import numpy as np

from emamba.curve import exp, exp_segments, integer_segments, mirrored, tabulate
from emamba.fixed import Integer, Integers
from emamba.graph import Add, Convolution, Flatten, Input, Linear, Lookup, RangeNorm, Scan

INT8, UINT8 = Integer(8), Integer(8, signed=False)
Shift = int | list[int]  # of all channels, or a pattern that they repeat


def border_frames(rng: np.random.Generator, tokens: int, channels: int, dtype: Integer = INT8) -> Integers:
    """Random frames, constant ones at each end, alternating ends, ends off by one, ends beside small values."""
    shape = (tokens, channels)
    ends = np.array([dtype.lo, dtype.lo + 1, dtype.hi - 1, dtype.hi])
    checkers = np.where(np.indices(shape).sum(axis=0) % 2, dtype.lo, dtype.hi)
    frames = [np.full(shape, dtype.lo), np.full(shape, dtype.hi), np.zeros(shape, int), checkers, -1 - checkers]
    frames += [rng.choice(ends, shape) for _ in range(3)]
    frames += [rng.integers(dtype.lo, dtype.hi + 1, shape) for _ in range(4)]
    frames += [rng.integers(-3, 4, shape) for _ in range(2)]
    frames += [np.where(np.arange(channels) < channels // 2, rng.choice(ends, shape), rng.integers(-3, 4, shape))]
    return np.clip(np.array(frames), dtype.lo, dtype.hi).astype(np.int64)


def source(channels: int, dtype: Integer = INT8) -> Input:
    """An input of `channels` elements."""
    return Input(name="input", channels=channels, dtype=dtype, fraction_bits=4)


def lookup(rng: np.random.Generator, index: Integer, channels: int, dtype: Integer = INT8) -> Lookup:
    """A table with a row for each value of `index`, over all of `dtype`."""
    table = rng.integers(dtype.lo, dtype.hi + 1, (1 << index.bits, channels))
    table.flat[:2] = dtype.lo, dtype.hi
    return Lookup(name="lookup", source="input", channels=channels, dtype=dtype, fraction_bits=4, table=table)


def linear(rng: np.random.Generator, inputs: int, outputs: int, shift: Shift, dtype: Integer = INT8) -> Linear:
    """Weights over all of int8, and biases of 13 bits."""
    weight = rng.integers(-127, 128, (outputs, inputs))
    weight.flat[0] = -128
    bias = rng.integers(-(1 << 12), 1 << 12, outputs)
    return Linear(
        name="linear", source="input", channels=outputs, dtype=dtype, fraction_bits=4,
        weight=weight, bias=bias, shift=np.resize(shift, outputs),
    )  # fmt: skip


def scan(rng: np.random.Generator, channels: int, states: int, segments: bool, state: Integer, extra: int) -> Scan:
    """A scan whose state and readout reach their limits; `extra` is compute bits beyond state bits."""
    domain, fraction = (Integer(16, signed=False), 12) if segments else (UINT8, 6)
    one = (0, 1 << extra)
    if segments:
        decay = integer_segments(mirrored(exp_segments(11, "optimal")), domain, fraction, one, extra)
    else:
        decay = tabulate(lambda u: exp(-u), domain, fraction, Integer(extra + 1, signed=False), extra)
    rate = rng.integers(0, 256, (channels, states))
    rate.flat[0] = 1023  # its argument leaves the decay's domain
    return Scan(
        name="scan", x="x", delta="delta", b="b", c="c", channels=channels, dtype=INT8, fraction_bits=4,
        rate=rate, skip=rng.integers(-128, 128, channels), decay=decay,
        argument_shift=0 if segments else 8, drive_shift=23 - state.bits - extra, decay_fraction=extra,
        skip_shift=13 - state.bits, shift=state.bits - 3, compute=Integer(state.bits + extra), state=state,
    )  # fmt: skip


def norm(channels: int, dtype: Integer = INT8) -> RangeNorm:
    """Reciprocals with which a token of full range has that of int8."""
    spans = np.maximum(np.arange(1 << dtype.bits), 1)
    reciprocal = np.floor(2.0**21 / (channels * spans) + 0.5).astype(np.int64)
    reciprocal[0] = 0
    return RangeNorm(
        name="norm", source="input", channels=channels, dtype=INT8, fraction_bits=7, reciprocal=reciprocal, shift=13
    )


def convolution(
    rng: np.random.Generator, channels: int, size: tuple[int, int], own: tuple[int, int], columns: int, shift: Shift
) -> Convolution:
    """A window of `size` (rows, columns) in which the output's own token has the place `own` (above, left)."""
    return Convolution(
        name="convolution", source="input", channels=channels, dtype=INT8, fraction_bits=4,
        weight=rng.integers(-128, 128, (channels, *size)), bias=rng.integers(-999, 999, channels),
        shift=np.resize(shift, channels), columns=columns, above=own[0], left=own[1],
    )  # fmt: skip


def causal(rng: np.random.Generator, channels: int, kernel: int, tokens: int, shift: Shift) -> Convolution:
    """The last `kernel` of a frame's `tokens`."""
    return convolution(rng, channels, (1, kernel), (0, kernel - 1), tokens, shift)


def flatten(name: str, source: str, channels: int) -> Flatten:
    """Tokens of `source` as longer ones of `channels`."""
    return Flatten(name=name, source=source, channels=channels, dtype=INT8, fraction_bits=4)


def joined(left: str, right: str, channels: int) -> Add:
    """The plain sum."""
    return Add(
        name="joined", left=left, right=right, channels=channels, dtype=INT8, fraction_bits=4,
        left_shift=0, right_shift=0, shift=0,
    )  # fmt: skip
