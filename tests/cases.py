"""One graph and its border-hugging frames for each operation: what every executor is held against.

A case reaches its operation through identity `Linear`s, so that any integers the input type holds
arrive there. Frames are random, at both ends of the type, and near the borders of saturation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emamba.curve import integer_segments, silu, silu_segments, tabulate
from emamba.fixed import Integer, Integers
from emamba.fuzz.operations import (
    INT8,
    UINT8,
    Shift,
    border_frames,
    causal,
    convolution,
    flatten,
    joined,
    linear,
    lookup,
    norm,
    scan,
    source,
)
from emamba.graph import (
    Activation,
    Add,
    Graph,
    Linear,
    Multiply,
    Operation,
    Pool,
    arrays,
    check,
)
from emamba.rtl import Region, weights

UINT4 = Integer(4, signed=False)


@dataclass(frozen=True)
class Case:
    """A graph whose last operation is the one under test, and frames [batch, tokens, channels]."""

    graph: Graph
    frames: Integers

    def __str__(self) -> str:
        return self.graph.name


def reweighted(graph: Graph, regions: Sequence[Region], rng: np.random.Generator, extreme: bool = False) -> Graph:
    """`graph` with other weights for an accelerator with `regions`: its own ones elsewhere, or `extreme` ones."""

    def drawn(op: Operation, region: Region) -> Integers:
        array = arrays(op)[region.array]
        if extreme:
            return rng.choice([region.dtype.lo, region.dtype.hi], array.shape)
        return rng.permutation(array.ravel()).reshape(array.shape)

    operations = [
        replace(op, **{name: drawn(op, region) for name, region in weights.of(regions, op.name).items()})
        for op in graph.operations
    ]
    return check(Graph(graph.name, graph.tokens, tuple(operations)))


def pick(name: str, inputs: int, first: int, count: int, dtype: Integer = INT8) -> Linear:
    """`count` channels of the input from `first` on, unchanged (negative ones become 0 if unsigned)."""
    weight = np.eye(inputs, dtype=np.int64)[first : first + count]
    bias, shift = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Linear(
        name=name, source="input", channels=count, dtype=dtype, fraction_bits=4, weight=weight, bias=bias, shift=shift
    )


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
    return pick("one", 16, 0, 1), flatten("flat", "one", 16), pool, joined("flat", "pool", 16)


def flatten_cases(rng: np.random.Generator) -> list[Case]:
    """Each operation that sees frames, behind a flatten that leaves several tokens; what gathers, in chains."""
    pairs, threes = flatten("pairs", "input", 6), flatten("threes", "input", 9)
    pool = Pool(name="pool", source="pairs", channels=6, dtype=INT8, fraction_bits=4, shift=1)
    halves = [
        replace(pool, name="left"),
        replace(pool, name="sum", source="threes", channels=9),
        replace(pick("right", 9, 2, 6), source="sum"),
    ]
    return [
        case("flatten_pairs", rng, 6, 3, pairs),
        case("flatten_one", rng, 3, 3, flatten("alone", "input", 3)),
        case("flatten_twice", rng, 12, 3, pairs, flatten("rest", "pairs", 18)),
        case("flatten_to_one", rng, 12, 3, pairs, flatten("rest", "pairs", 36)),
        case("pool_of_pairs", rng, 6, 3, pairs, pool),
        case("flatten_pool", rng, 6, 3, pairs, pool, flatten("last", "pool", 6)),
        case("norm_of_pairs", rng, 8, 3, pairs, replace(norm(6), source="pairs")),
        case("convolution_of_pairs", rng, 14, 3, pairs, replace(causal(rng, 6, 4, 7, 7), source="pairs")),
        behind(scan_case("scan_of_fours", 5, 6, 2)),
        case("pairs_and_threes", rng, 6, 3, pairs, threes, *halves, joined("left", "right", 6)),
        case("flatten_joined", rng, 16, 4, *stem_joined()),
    ]


def behind(it: Case) -> Case:
    """`it` behind a flatten that makes its tokens of four."""
    graph = it.graph
    tokens, channels = 4 * graph.tokens, graph.input.channels // 4
    operations = [replace(op, source="fours") if isinstance(op, Linear) else op for op in graph.operations[1:]]
    operations = source(channels), flatten("fours", "input", 4 * channels), *operations
    return Case(check(Graph(graph.name, tokens, operations)), it.frames.reshape(len(it.frames), tokens, channels))


def stem_joined() -> tuple[Operation, ...]:
    """What flattens late and swallows long tokens, beside a path that flattens at once."""
    early, late = flatten("early", "input", 16), flatten("late", "same", 16)
    longer = replace(pick("longer", 16, 0, 16), source="late")
    again = replace(longer, name="again", source="longer")
    return pick("same", 4, 0, 4), late, early, longer, again, joined("again", "early", 16)


def operation_cases() -> list[Case]:
    """At least one case for each operation."""
    rng = np.random.default_rng(2508_10370)
    pool = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=1)
    return [
        case("lookup", rng, 9, 1, lookup(rng, UINT8, 6), dtype=UINT8),
        case("lookup_uneven", rng, 9, 1, lookup(rng, UINT4, 15, Integer(11)), dtype=UINT4),
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
        case("flatten", rng, 4, 6, flatten("flatten", "input", 24)),
        case("pool_joined", rng, 16, 16, *pool_joined()),
        scan_case("scan_table", 1, 12, 4),
        scan_case("scan_segments", 2, 12, 4, segments=True),
        scan_case("scan_narrow", 3, 10, 2, state=10, extra=4),
        *wide_cases(rng),
        *mixed_cases(rng),
        *grid_cases(rng),
        *flatten_cases(rng),
    ]


def one_element() -> Case:
    """A graph whose output is one element."""
    rng = np.random.default_rng(1)
    pool = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=1)
    return case("one_element", rng, 3, 6, pool, replace(linear(rng, 6, 1, 5), source="pool"))


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
    ahead = convolution(rng, 4, (3, 3), (1, 0), 4, 8)
    gated = Multiply(
        name="gated", left="convolution", right="gate", channels=4, dtype=INT8, fraction_bits=4, shift=6
    )  # fmt: skip
    last = joined("input", "gated", 4)
    return pick("x", 4, 0, 4), replace(ahead, source="x"), pick("gate", 4, 0, 4), gated, last
