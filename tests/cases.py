"""One graph and its border-hugging frames for each operation: what every executor is held against.

A case reaches its operation through identity `Linear`s, so that any integers the input type holds
arrive there. Frames are random, at both ends of the type, and near the borders of saturation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emamba.curve import exp, exp_segments, integer_segments, mirrored, silu, silu_segments, tabulate
from emamba.fixed import Integer, Integers
from emamba.graph import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Multiply,
    Operation,
    Pool,
    RangeNorm,
    Scan,
    check,
)

INT8, UINT8 = Integer(8), Integer(8, signed=False)


@dataclass(frozen=True)
class Case:
    """A graph whose last operation is the one under test, and frames [batch, tokens, channels]."""

    graph: Graph
    frames: Integers

    def __str__(self) -> str:
        return self.graph.name


def border_frames(rng: np.random.Generator, tokens: int, channels: int, dtype: Integer = INT8) -> Integers:
    """Random frames, constant ones at each end, alternating ends, and ends with a few off by one."""
    shape = (tokens, channels)
    ends = np.array([dtype.lo, dtype.lo + 1, dtype.hi - 1, dtype.hi])
    checkers = np.where(np.indices(shape).sum(axis=0) % 2, dtype.lo, dtype.hi)
    frames = [np.full(shape, dtype.lo), np.full(shape, dtype.hi), np.zeros(shape, int), checkers, -1 - checkers]
    frames += [rng.choice(ends, shape) for _ in range(3)]
    frames += [rng.integers(dtype.lo, dtype.hi + 1, shape) for _ in range(4)]
    frames += [rng.integers(-3, 4, shape) for _ in range(2)]
    return np.clip(np.array(frames), dtype.lo, dtype.hi).astype(np.int64)


def source(channels: int, dtype: Integer = INT8) -> Input:
    return Input(name="input", channels=channels, dtype=dtype, fraction_bits=4)


def pick(name: str, inputs: int, first: int, count: int, dtype: Integer = INT8) -> Linear:
    """`count` channels of the input from `first` on, unchanged (negative ones become 0 if unsigned)."""
    weight = np.eye(inputs, dtype=np.int64)[first : first + count]
    bias = np.zeros(count, np.int64)
    return Linear(
        name=name, source="input", channels=count, dtype=dtype, fraction_bits=4, weight=weight, bias=bias, shift=0
    )


def linear(rng: np.random.Generator, inputs: int, outputs: int, shift: int, dtype: Integer = INT8) -> Linear:
    weight = rng.integers(-127, 128, (outputs, inputs))
    weight.flat[0] = -128
    bias = rng.integers(-(1 << 12), 1 << 12, outputs)
    return Linear(
        name="linear", source="input", channels=outputs, dtype=dtype, fraction_bits=4,
        weight=weight, bias=bias, shift=shift,
    )  # fmt: skip


def scan(rng: np.random.Generator, channels: int, states: int, segments: bool, state: Integer, extra: int) -> Scan:
    """A scan whose state and readout reach their limits; `extra` is compute bits beyond state bits."""
    domain, fraction = (Integer(16, signed=False), 12) if segments else (UINT8, 6)
    one = (0, 1 << extra)
    if segments:
        decay = integer_segments(mirrored(exp_segments(11, "optimal")), domain, fraction, one, extra)
    else:
        decay = tabulate(lambda u: exp(-u), domain, fraction, Integer(extra + 1, signed=False), extra)
    return Scan(
        name="scan", x="x", delta="delta", b="b", c="c", channels=channels, dtype=INT8, fraction_bits=4,
        rate=rng.integers(0, 256, (channels, states)), skip=rng.integers(-128, 128, channels), decay=decay,
        argument_shift=0 if segments else 8, drive_shift=-1, decay_fraction=extra, skip_shift=-4, shift=14,
        compute=Integer(state.bits + extra), state=state,
    )  # fmt: skip


def scan_case(
    name: str, seed: int, channels: int, states: int, segments: bool = False, state: int = 17, extra: int = 7
) -> Case:
    rng = np.random.default_rng(seed)
    width = 2 * channels + 2 * states
    parts = [
        pick("x", width, 0, channels),
        pick("delta", width, channels, channels, UINT8),
        pick("b", width, 2 * channels, states),
        pick("c", width, 2 * channels + states, states),
    ]
    return case(name, rng, 9, width, *parts, scan(rng, channels, states, segments, Integer(state), extra))


def case(
    name: str, rng: np.random.Generator, tokens: int, inputs: int, *operations: Operation, dtype: Integer = INT8
) -> Case:
    graph = check(Graph(name, tokens, (source(inputs, dtype), *operations)))
    return Case(graph, border_frames(rng, tokens, inputs, dtype))


def norm(channels: int, dtype: Integer = INT8) -> RangeNorm:
    spans = np.maximum(np.arange(1 << dtype.bits), 1)
    reciprocal = np.floor(2.0**21 / (channels * spans) + 0.5).astype(np.int64)
    reciprocal[0] = 0
    return RangeNorm(
        name="norm", source="input", channels=channels, dtype=INT8, fraction_bits=7, reciprocal=reciprocal, shift=14
    )


def convolution(rng: np.random.Generator, channels: int, kernel: int) -> Convolution:
    return Convolution(
        name="convolution", source="input", channels=channels, dtype=INT8, fraction_bits=4,
        weight=rng.integers(-128, 128, (channels, kernel)), bias=rng.integers(-999, 999, channels), shift=8,
    )  # fmt: skip


def activation(table: bool) -> Activation:
    if table:
        curve = tabulate(silu, INT8, 4, INT8, 4)
    else:
        curve = integer_segments(silu_segments(17, "paper"), INT8, 4, INT8, 4)
    return Activation(name="activation", source="input", channels=6, dtype=INT8, fraction_bits=4, curve=curve)


def two(kind: type[Multiply] | type[Add], channels: int, **shifts: int) -> tuple[Operation, ...]:
    both = pick("left", 2 * channels, 0, channels), pick("right", 2 * channels, channels, channels)
    last = kind(name="joined", left="left", right="right", channels=channels, dtype=INT8, fraction_bits=4, **shifts)
    return (*both, last)


def operation_cases() -> list[Case]:
    """At least one case for each operation."""
    rng = np.random.default_rng(2508_10370)
    pool = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=3)
    flatten = Flatten(name="flatten", source="input", channels=24, dtype=INT8, fraction_bits=4)
    return [
        case("linear", rng, 3, 12, linear(rng, 12, 10, 8)),
        case("linear_relu", rng, 3, 6, linear(rng, 6, 8, 8, UINT8)),
        case("linear_up", rng, 3, 4, linear(rng, 4, 6, -2, Integer(24))),
        case("linear_one", rng, 3, 1, linear(rng, 1, 1, 7)),
        case("convolution", rng, 7, 6, convolution(rng, 6, 4)),
        case("convolution_one", rng, 3, 4, convolution(rng, 4, 1)),
        case("range_norm", rng, 4, 10, norm(10)),
        case("range_norm_unsigned", rng, 4, 6, norm(6, UINT8), dtype=UINT8),
        case("activation_table", rng, 44, 6, activation(table=True)),
        case("activation_segments", rng, 44, 6, activation(table=False)),
        case("multiply", rng, 4, 12, *two(Multiply, 6, shift=6)),
        case("add", rng, 4, 12, *two(Add, 6, left_shift=2, right_shift=0, shift=2)),
        case("add_wide", rng, 4, 12, *two(Add, 6, left_shift=0, right_shift=1, shift=0)),
        case("pool", rng, 5, 6, pool),
        case("flatten", rng, 4, 6, flatten),
        scan_case("scan_table", 1, 12, 4),
        scan_case("scan_segments", 2, 12, 4, segments=True),
        scan_case("scan_narrow", 3, 10, 2, state=10, extra=4),
    ]
