"""One graph and its border-hugging frames for each operation: what every executor is held against.

A case reaches its operation through identity `Linear`s, so that any integers the input type holds
arrive there. Frames are random, at both ends of the type, and near the borders of saturation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from emamba.graph.golden import execute

INT8, UINT8 = Integer(8), Integer(8, signed=False)


@dataclass(frozen=True)
class Case:
    """A graph whose last operation is the one under test, and frames [batch, tokens, channels]."""

    graph: Graph
    frames: Integers

    def __str__(self) -> str:
        return self.graph.name


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
    return Input(name="input", channels=channels, dtype=dtype, fraction_bits=4)


def pick(name: str, inputs: int, first: int, count: int, dtype: Integer = INT8) -> Linear:
    """`count` channels of the input from `first` on, unchanged (negative ones become 0 if unsigned)."""
    weight = np.eye(inputs, dtype=np.int64)[first : first + count]
    bias, shift = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Linear(
        name=name, source="input", channels=count, dtype=dtype, fraction_bits=4, weight=weight, bias=bias, shift=shift
    )


Shift = int | list[int]  # of all channels, or a pattern that they repeat


def linear(rng: np.random.Generator, inputs: int, outputs: int, shift: Shift, dtype: Integer = INT8) -> Linear:
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


def saturation_case(name: str, shift: Shift) -> Case:
    """Requantizations to int8 at every value near both borders of saturation and near ties."""
    up = Linear(
        name="linear", source="input", channels=5, dtype=INT8, fraction_bits=4,
        weight=np.eye(5, dtype=np.int64), bias=np.arange(5) - 2, shift=np.resize(shift, 5),
    )  # fmt: skip
    graph = check(Graph(name, 1, (source(5, Integer(13)), up)))
    steps = [1 << int(bits) for bits in np.unique(up.shift)]
    borders = [border for step in steps for border in (-257 * step // 2, -step // 2, step // 2, 255 * step // 2)]
    values = sorted({value for border in borders for value in range(border - 40, border + 41)})
    frames = np.array(values)[:, None, None].repeat(5, axis=2)
    return Case(graph, frames)


def norm(channels: int, dtype: Integer = INT8) -> RangeNorm:
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


def activation(table: bool) -> Activation:
    if table:
        curve = tabulate(silu, INT8, 4, INT8, 4)
    else:
        curve = integer_segments(silu_segments(17, "paper"), INT8, 4, (-3, 100), 4)
    return Activation(name="activation", source="input", channels=6, dtype=INT8, fraction_bits=4, curve=curve)


def two(kind: type[Multiply] | type[Add], channels: int, dtype: Integer = INT8, **shifts: int) -> tuple[Operation, ...]:
    left = pick("left", 2 * channels, 0, channels, dtype)
    right = pick("right", 2 * channels, channels, channels, dtype)
    last = kind(name="joined", left="left", right="right", channels=channels, dtype=INT8, fraction_bits=4, **shifts)
    return left, right, last


def pool_joined() -> tuple[Operation, ...]:
    """A pool, which swallows a frame, beside a path that gives beats of the frame's one token early."""
    pool = Pool(name="pool", source="input", channels=16, dtype=INT8, fraction_bits=4, shift=2)
    flatten = Flatten(name="flat", source="one", channels=16, dtype=INT8, fraction_bits=4)
    joined = Add(
        name="joined", left="flat", right="pool", channels=16, dtype=INT8, fraction_bits=4,
        left_shift=0, right_shift=0, shift=0,
    )  # fmt: skip
    return pick("one", 16, 0, 1), flatten, pool, joined


def operation_cases() -> list[Case]:
    """At least one case for each operation."""
    rng = np.random.default_rng(2508_10370)
    pool = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=1)
    flatten = Flatten(name="flatten", source="input", channels=24, dtype=INT8, fraction_bits=4)
    return [
        case("linear", rng, 3, 12, linear(rng, 12, 10, 8)),
        case("linear_relu", rng, 3, 6, linear(rng, 6, 8, 6, UINT8)),
        case("linear_up", rng, 3, 4, linear(rng, 4, 6, -2, Integer(18))),
        saturation_case("linear_border", 4),
        case("linear_one", rng, 3, 1, linear(rng, 1, 1, 6)),
        case("convolution", rng, 7, 6, causal(rng, 6, 4, 7, 7)),
        case("convolution_one", rng, 3, 4, causal(rng, 4, 1, 3, 6)),
        case("range_norm", rng, 4, 10, norm(10)),
        case("range_norm_unsigned", rng, 4, 6, norm(6, UINT8), dtype=UINT8),
        case("activation_table", rng, 44, 6, activation(table=True)),
        case("activation_segments", rng, 44, 6, activation(table=False)),
        case("multiply", rng, 4, 12, *two(Multiply, 6, shift=6)),
        case("add", rng, 4, 12, *two(Add, 6, left_shift=2, right_shift=0, shift=2)),
        case("add_up", rng, 4, 12, *two(Add, 6, left_shift=0, right_shift=1, shift=0)),
        case("pool", rng, 5, 6, pool),
        case("flatten", rng, 4, 6, flatten),
        case("pool_joined", rng, 16, 16, *pool_joined()),
        scan_case("scan_table", 1, 12, 4),
        scan_case("scan_segments", 2, 12, 4, segments=True),
        scan_case("scan_narrow", 3, 10, 2, state=10, extra=4),
        *wide_cases(rng),
        *mixed_cases(rng),
        *grid_cases(rng),
    ]


def wide_cases(rng: np.random.Generator) -> list[Case]:
    """Accumulators of more than 32 bits."""
    int16, int20 = Integer(16), Integer(20)
    dense = linear(rng, 12, 5, 24)
    heavy = replace(dense, weight=rng.integers(int16.lo, int16.hi + 1, dense.weight.shape))
    return [
        case("linear_wide", rng, 3, 12, heavy, dtype=int16),
        case("multiply_wide", rng, 4, 12, *two(Multiply, 6, int20, shift=29), dtype=int20),
        case("add_wide", rng, 4, 12, *two(Add, 6, int20, left_shift=14, right_shift=13, shift=26), dtype=int20),
        scan_case("scan_wide", 4, 10, 4, state=28, extra=8),
    ]


def mixed_cases(rng: np.random.Generator) -> list[Case]:
    """Channels with shifts of their own, as far apart as is legal, also on both sides of 0."""
    return [
        case("linear_mixed_up", rng, 3, 4, linear(rng, 4, 6, [-2, 1, 0, -1], Integer(16))),
        case("linear_mixed", rng, 3, 12, linear(rng, 12, 12, [7, 5, 6, 8, 7])),
        saturation_case("linear_mixed_border", [2, 4, 1, 3, 4]),
        case("convolution_mixed", rng, 7, 6, causal(rng, 6, 4, 7, [6, 4, 7])),
    ]


def grid_cases(rng: np.random.Generator) -> list[Case]:
    """Windows that look ahead: around the token and beside it, on grids of one row, of one column and of one token."""
    return [
        case("convolution_square", rng, 12, 4, convolution(rng, 4, (3, 3), (1, 1), 4, 8)),
        case("convolution_large", rng, 15, 2, convolution(rng, 2, (5, 5), (2, 2), 5, 9)),
        case("convolution_row", rng, 6, 3, convolution(rng, 3, (1, 3), (0, 1), 6, 7)),
        case("convolution_column", rng, 4, 3, convolution(rng, 3, (3, 3), (1, 1), 1, 7)),
        case("convolution_ahead", rng, 8, 4, convolution(rng, 4, (3, 2), (0, 0), 2, 8)),
        case("convolution_behind", rng, 6, 2, convolution(rng, 2, (2, 3), (1, 2), 3, 8)),
        case("convolution_beyond", rng, 4, 4, convolution(rng, 4, (7, 3), (3, 1), 2, 8)),
        case("convolution_token", rng, 1, 6, convolution(rng, 6, (3, 3), (1, 1), 1, [6, 4, 7])),
        case("convolution_square_mixed", rng, 6, 3, convolution(rng, 3, (3, 3), (2, 1), 3, [7, 5, 8])),
        case("convolution_joined", rng, 12, 4, *convolution_joined(rng)),
    ]


def convolution_joined(rng: np.random.Generator) -> tuple[Operation, ...]:
    """A convolution that looks six tokens ahead, and a gate and a residual path that wait for it."""
    gated = Multiply(
        name="gated", left="convolution", right="gate", channels=4, dtype=INT8, fraction_bits=4, shift=6
    )  # fmt: skip
    joined = Add(
        name="joined", left="input", right="gated", channels=4, dtype=INT8, fraction_bits=4,
        left_shift=0, right_shift=0, shift=0,
    )  # fmt: skip
    ahead = convolution(rng, 4, (3, 3), (1, 0), 4, 8)
    return pick("x", 4, 0, 4), replace(ahead, source="x"), pick("gate", 4, 0, 4), gated, joined


class Network:
    """A graph that grows over one set of frames; every operation gets the shift that makes its tensor lively.

    With `mixed`, channels of linear operations and convolutions have weights of different sizes, and a shift each.
    """

    def __init__(self, rng: np.random.Generator, tokens: int, channels: int, dtype: Integer, mixed: bool) -> None:
        self.rng, self.tokens, self.dtype, self.mixed = rng, tokens, dtype, mixed
        self.frames = border_frames(rng, tokens, channels, dtype)
        self.operations: list[Operation] = [source(channels, dtype)]
        self.tensors = {"input": self.frames}

    def add(self, op: Operation, name: str, dtype: Integer | None = None, **sources: str) -> str:
        """Appends `op`, most of whose values then fit its type, while some are cut; gives its name."""
        op = replace(op, name=name, dtype=dtype or self.dtype, **sources)
        if isinstance(op, Linear | Convolution):
            op = self.shifted(op)
        elif hasattr(op, "shift"):
            exact = execute(replace(op, shift=0, dtype=Integer(60)), self.tensors)
            op = replace(op, shift=int(usual_shift(exact, op.dtype, axis=None)))
        self.operations.append(op)
        self.tensors[name] = execute(op, self.tensors)
        return name

    def shifted(self, op: Linear | Convolution) -> Linear | Convolution:
        """`op` with the shifts of its channels."""
        if self.mixed:
            smaller = np.random.default_rng(len(self.operations)).integers(0, 3, op.channels)
            op = replace(op, weight=(op.weight.T >> smaller).T, bias=op.bias >> smaller)
        exact = execute(replace(op, shift=np.zeros(op.channels, int), dtype=Integer(60)), self.tensors)
        if not self.mixed:
            return replace(op, shift=np.full(op.channels, usual_shift(exact, op.dtype, axis=None)))
        own = usual_shift(exact, op.dtype, axis=(0, 1))
        return replace(op, shift=np.maximum(own, own.max() - 3))

    def linear(self, name: str, source: str, outputs: int, dtype: Integer | None = None) -> str:
        drawn = linear(self.rng, self.tensors[source].shape[2], outputs, 0)
        return self.add(replace(drawn, bias=drawn.bias // 8), name, dtype, source=source)

    def block(self, name: str, stream: str) -> str:
        """A Mamba block behind `stream`, of random sizes and curves."""
        rng, bits, width = self.rng, self.dtype.bits, self.tensors[stream].shape[2]
        inner, states = int(rng.integers(4, 13)), int(rng.integers(1, 6))
        normed = self.add(norm(width, self.dtype), f"{name}_norm", source=stream)
        x = self.linear(f"{name}_x", normed, inner)
        z = self.linear(f"{name}_z", normed, inner)
        x = self.add(self.convolution(inner), f"{name}_convolution", source=x)
        dt = self.linear(f"{name}_dt", x, int(rng.integers(1, 4)))
        delta = self.linear(f"{name}_delta", dt, inner, UINT8)
        b, c = self.linear(f"{name}_b", x, states), self.linear(f"{name}_c", x, states)
        drawn = scan(rng, inner, states, bool(rng.integers(2)), Integer(int(rng.choice([12, 17]))), 7)
        wider = {"drive_shift": drawn.drive_shift + 2 * (bits - 8), "skip_shift": drawn.skip_shift - bits + 8}
        y = self.add(replace(drawn, **wider), f"{name}_scan", x=x, delta=delta, b=b, c=c)
        gate = self.add(self.silu(inner), f"{name}_gate", source=z)
        gated = Multiply(name="", left="", right="", channels=inner, dtype=INT8, fraction_bits=4, shift=0)
        out = self.linear(f"{name}_out", self.add(gated, f"{name}_gated", left=y, right=gate), width)
        joined = Add(
            name="", left="", right="", channels=width, dtype=INT8, fraction_bits=4,
            left_shift=int(rng.integers(3)), right_shift=int(rng.integers(3)), shift=0,
        )  # fmt: skip
        return self.add(joined, name, left=stream, right=out)

    def convolution(self, channels: int) -> Convolution:
        """A causal one, or one that may look ahead, on a grid of random sides."""
        rng, tokens = self.rng, self.tokens
        if rng.integers(2):
            return causal(rng, channels, int(rng.integers(1, 5)), tokens, 0)
        high, wide = rng.integers(1, 4, 2).tolist()
        own = int(rng.integers(high)), int(rng.integers(wide))
        columns = int(rng.choice([side for side in range(1, tokens + 1) if tokens % side == 0]))
        return convolution(rng, channels, (high, wide), own, columns, 0)

    def silu(self, channels: int) -> Activation:
        """As a table or as segments; either reaches from about -5 to 11."""
        fraction = self.dtype.bits - 4
        curve = tabulate(silu, self.dtype, fraction, self.dtype, fraction)
        if self.rng.integers(2):
            curve = integer_segments(silu_segments(17, "paper"), self.dtype, fraction, self.dtype, fraction)
        return replace(activation(table=True), channels=channels, curve=curve)


def usual_shift(exact: Integers, dtype: Integer, axis: tuple[int, ...] | None) -> Integers:
    """The shift with which most values of `exact` fit `dtype`, while some are cut; over `axis`."""
    usual = np.maximum(1.0, np.quantile(np.abs(exact), 0.97, axis=axis))
    return np.ceil(np.log2(usual / dtype.hi)).astype(np.int64)


def random_network(seed: int) -> Case:
    """A network of two Mamba blocks of random sizes, types and curves, each of its tensors lively.

    Seeds of one remainder by 3 have the same kind of end: a pool, a flatten, or neither. Odd seeds have
    shifts that are each channel's own.
    """
    rng = np.random.default_rng(seed)
    tokens, dtype = int(rng.integers(1, 10)), Integer(int(rng.choice([6, 8, 8, 10])))
    network = Network(rng, tokens, int(rng.integers(1, 7)), dtype, mixed=seed % 2 == 1)
    stream = network.linear("embedding", "input", int(rng.integers(3, 11)))
    for name in ("block0", "block1"):
        stream = network.block(name, stream)
    width = network.tensors[stream].shape[2]
    last = network.add(norm(width, dtype), "head_norm", source=stream)
    pool = Pool(name="", source="", channels=width, dtype=dtype, fraction_bits=4, shift=0)
    flatten = Flatten(name="", source="", channels=tokens * width, dtype=dtype, fraction_bits=4)
    if seed % 3 < 2:
        last = network.add((pool, flatten)[seed % 3], "head_token", source=last)
    network.linear("head", last, int(rng.integers(2, 12)), Integer(int(rng.choice([8, 16, 20]))))
    return Case(check(Graph(f"network{seed}", tokens, tuple(network.operations))), network.frames)
