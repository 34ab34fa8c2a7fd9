"""The operations of the integer graph: a closed set, one frozen dataclass each.

Every operation reads token streams, named in `sources`, and writes one: frames of tokens, tokens of
`channels` integers of type `dtype`, each worth `integer * 2**-fraction_bits` (a label that no
executor reads). What an operation computes is its function in `graph.golden`; the formulas below
use `requantize(x, shift, dtype)` of `fixed`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from emamba.curve import IntegerCurve
from emamba.errors import GraphError
from emamba.fixed import Integer, Integers


@dataclass(frozen=True, eq=False, kw_only=True)
class _Stream:
    """The stream that an operation writes."""

    name: str
    channels: int
    dtype: Integer
    fraction_bits: int


@dataclass(frozen=True, eq=False, kw_only=True)
class _OneSource(_Stream):
    source: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read, in the order of the golden function's arguments."""
        return (self.source,)


@dataclass(frozen=True, eq=False, kw_only=True)
class _TwoSources(_Stream):
    left: str
    right: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read, in the order of the golden function's arguments."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(_Stream):
    """The frames that enter the graph."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read, in the order of the golden function's arguments."""
        return ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(_OneSource):
    """`table[x]` of the token's only element x; table [values of x, channels]."""

    table: Integers


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(_OneSource):
    """`requantize(weight @ x + bias, shift, dtype)`; weight [channels, in], bias and shift [channels].

    Channel c is rounded by `shift[c]`: its weights and its bias have a scale of their own.
    """

    weight: Integers
    bias: Integers
    shift: Integers


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(_OneSource):
    """Depthwise convolution over the tokens of a frame, a grid of `columns` a row; zeros lie beyond its borders.

    `requantize(bias[c] + sum_ij weight[c, i, j] * x[row + i - above, column + j - left, c], shift[c], dtype)`;
    weight [channels, high, wide], bias and shift [channels]. A causal one has its frame in a single row,
    high = 1, above = 0 and left = wide - 1.
    """

    weight: Integers
    bias: Integers
    shift: Integers
    columns: int
    above: int
    left: int

    @property
    def behind(self) -> int:
        """How many tokens before the output's own one the first tap is."""
        return self.above * self.columns + self.left

    @property
    def ahead(self) -> int:
        """How many tokens after the output's own one the last tap is; 0 of a causal convolution."""
        _, high, wide = self.weight.shape
        return (high - 1 - self.above) * self.columns + wide - 1 - self.left


@dataclass(frozen=True, eq=False, kw_only=True)
class RangeNorm(_OneSource):
    """`requantize((channels * x[c] - sum(x)) * reciprocal[max(x) - min(x)], shift, dtype)`.

    The reciprocal table has one entry for each range of a token, 0 first: no divider. Gain, bias
    and the constant c of the paper's range norm are folded into the linear operations behind it.
    """

    reciprocal: Integers
    shift: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation(_OneSource):
    """`curve(x)`, element by element."""

    curve: IntegerCurve


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan(_Stream):
    """Selective scan; state [channels, states] is zero before the first token of a frame.

    For channel c and state n, with `rate` = -A >= 0, `delta` >= 0, and inputs x, delta [channels],
    b, c [states]:

        argument = requantize(delta[c] * rate[c, n], argument_shift, decay.domain)
        drive    = round_shift(delta[c] * x[c] * b[n], drive_shift)
        h[c, n]  = requantize(saturate(decay(argument) * h[c, n] + drive, compute), decay_fraction, state)
        y[c]     = requantize(sum_n c[n] * h[c, n] + round_shift(skip[c] * x[c], skip_shift), shift, dtype)
    """

    x: str
    delta: str
    b: str
    c: str
    rate: Integers
    skip: Integers
    decay: IntegerCurve
    argument_shift: int
    drive_shift: int
    decay_fraction: int
    skip_shift: int
    shift: int
    compute: Integer
    state: Integer

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read, in the order of the golden function's arguments."""
        return (self.x, self.delta, self.b, self.c)

    @property
    def states(self) -> int:
        """Number of states of each channel."""
        return self.rate.shape[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(_TwoSources):
    """`requantize(left * right, shift, dtype)`, element by element."""

    shift: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(_TwoSources):
    """`requantize((left << left_shift) + (right << right_shift), shift, dtype)`."""

    left_shift: int
    right_shift: int
    shift: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(_OneSource):
    """`requantize(sum over the tokens of a frame, shift, dtype)`: one token a frame."""

    shift: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(_OneSource):
    """Each k consecutive tokens of a frame, first token first, as one; k = channels / channels of the source."""


Operation = Input | Lookup | Linear | Convolution | RangeNorm | Activation | Scan | Multiply | Add | Pool | Flatten


@dataclass(frozen=True, eq=False)
class Graph:
    """Operations in an order in which each follows its sources; the last one is the output.

    `tokens` is the length of a frame at the input. Build one freely, then `check` it.
    """

    name: str
    tokens: int
    operations: tuple[Operation, ...]

    @property
    def input(self) -> Operation:
        """The first operation, an `Input`."""
        return self.operations[0]

    @property
    def output(self) -> Operation:
        """The last operation."""
        return self.operations[-1]

    def __getitem__(self, name: str) -> Operation:
        for operation in self.operations:
            if operation.name == name:
                return operation
        known = ", ".join(operation.name for operation in self.operations)
        raise GraphError(f"graph {self.name} has no tensor {name}", f"it has: {known}")

    def consumers(self, name: str) -> tuple[Operation, ...]:
        """The operations that read tensor `name`, in order."""
        return tuple(operation for operation in self.operations if name in operation.sources)

    def frame_tokens(self, name: str) -> int:
        """Tokens a frame in tensor `name`."""
        operation = self[name]
        match operation:
            case Input():
                return self.tokens
            case Pool():
                return 1
            case Flatten():
                return self.frame_tokens(operation.source) * self[operation.source].channels // operation.channels
            case _:
                return self.frame_tokens(operation.sources[0])


def parameter_count(graph: Graph) -> int:
    """Number of weights and biases; tables that come with the arithmetic do not count, those of a Lookup do."""
    names = ("weight", "bias", "rate", "skip", "table")
    return sum(array.size for op in graph.operations for name, array in arrays(op).items() if name in names)


def shown(shift: int | Integers) -> str:
    """A shift for readers: `7`, or `6..9` where those of the channels differ."""
    lo, hi = int(np.min(shift)), int(np.max(shift))
    return f"{lo}" if lo == hi else f"{lo}..{hi}"


def arrays(operation: Operation) -> dict[str, Integers]:
    """The arrays of an operation by field name; those of a curve as `curve.values` and so on."""
    return {name: value for name, value in leaves(operation) if isinstance(value, np.ndarray)}


def leaves(item: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """The fields of an operation by name; those of a curve as `curve.values` and so on."""
    found: list[tuple[str, Any]] = []
    for field in fields(item):
        value = getattr(item, field.name)
        nested = isinstance(value, IntegerCurve)
        found += leaves(value, f"{prefix}{field.name}.") if nested else [(prefix + field.name, value)]
    return found
