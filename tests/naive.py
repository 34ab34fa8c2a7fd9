"""The formulas of `graph.operations`, read once more: token by token, in Python's integers.

Slow and plain on purpose. Besides each tensor it gives every intermediate value that an executor
may have to hold, for the widths in `graph.bounds`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from emamba.curve import IntegerTable
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
    Pool,
    RangeNorm,
    Scan,
)

Tokens = list[list[int]]


def run(graph: Graph, frame: Tokens) -> tuple[dict[str, Tokens], dict[str, list[int]]]:
    """Tensors and intermediates of one frame, by operation."""
    tensors: dict[str, Tokens] = {}
    seen: dict[str, list[int]] = {}
    for op in graph.operations:
        seen[op.name] = []
        sources = [tensors[name] for name in op.sources] or [frame]
        tensors[op.name] = FORMULAS[type(op)](op, seen[op.name], *sources)
        seen[op.name] += [value for token in tensors[op.name] for value in token]
    return tensors, seen


def rounded(x: int, shift: int, seen: list[int]) -> int:
    """Nearest integer to x / 2**shift, ties up."""
    scaled = x + 2 ** (shift - 1) if shift > 0 else x * 2**-shift
    seen += [x, scaled]
    return scaled // 2 ** max(shift, 0)


def requantized(x: int, shift: int, dtype, seen: list[int]) -> int:
    return limited(rounded(x, shift, seen), dtype.lo, dtype.hi)


def limited(x: int, lo: int, hi: int) -> int:
    return lo if x < lo else hi if x > hi else x


def added(terms: list[int], seen: list[int]) -> int:
    """Sum of `terms`; the first may come first or last, all partial sums are intermediates."""
    seen += [*accumulate(terms), *accumulate([*terms[1:], terms[0]]), *terms]
    return sum(terms)


def curve(it, x: int, seen: list[int]) -> int:
    if isinstance(it, IntegerTable):
        seen.append(int(it.values[x - it.domain.lo]))
        return seen[-1]
    piece = bisect_right(it.knots.tolist(), x)
    line = added([int(it.intercepts[piece]), int(it.slopes[piece]) * x], seen)
    return limited(rounded(line, it.shift, seen), it.lo, it.hi)


def source(op: Input, seen, frame):
    return frame


def lookup(op: Lookup, seen, x):
    return [op.table[token[0]].tolist() for token in x]


def linear(op: Linear, seen, x):
    weight, bias = op.weight.tolist(), op.bias.tolist()
    return [
        [
            requantized(added([b, *(w * v for w, v in zip(row, token, strict=True))], seen), s, op.dtype, seen)
            for row, b, s in zip(weight, bias, op.shift.tolist(), strict=True)
        ]
        for token in x
    ]


def convolution(op: Convolution, seen, x):
    _, high, wide = op.weight.shape
    rows, columns = len(x) // op.columns, op.columns
    out = []
    for t in range(len(x)):
        token = []
        for c in range(op.channels):
            terms = [int(op.bias[c])]
            for i in range(high):
                for j in range(wide):
                    row, column = t // columns + i - op.above, t % columns + j - op.left
                    inside = 0 <= row < rows and 0 <= column < columns
                    terms.append(int(op.weight[c, i, j]) * x[row * columns + column][c] if inside else 0)
            token.append(requantized(added(terms, seen), int(op.shift[c]), op.dtype, seen))
        out.append(token)
    return out


def range_norm(op: RangeNorm, seen, x):
    out = []
    for token in x:
        reciprocal = int(op.reciprocal[max(token) - min(token)])
        centred = [op.channels * v - added(token, seen) for v in token]
        seen += centred
        out.append([requantized(v * reciprocal, op.shift, op.dtype, seen) for v in centred])
    return out


def activation(op: Activation, seen, x):
    return [[curve(op.curve, v, seen) for v in token] for token in x]


def scan(op: Scan, seen, x, delta, b, c):
    h = [[0] * op.states for _ in range(op.channels)]
    out = []
    for t in range(len(x)):
        token = []
        for i in range(op.channels):
            for n in range(op.states):
                argument = requantized(delta[t][i] * int(op.rate[i, n]), op.argument_shift, op.decay.domain, seen)
                drive = rounded(delta[t][i] * x[t][i] * b[t][n], op.drive_shift, seen)
                total = added([curve(op.decay, argument, seen) * h[i][n], drive], seen)
                held = limited(total, op.compute.lo, op.compute.hi)
                h[i][n] = requantized(held, op.decay_fraction, op.state, seen)
            skipped = rounded(int(op.skip[i]) * x[t][i], op.skip_shift, seen)
            total = added([skipped, *(c[t][n] * h[i][n] for n in range(op.states))], seen)
            token.append(requantized(total, op.shift, op.dtype, seen))
        out.append(token)
    return out


def multiply(op: Multiply, seen, left, right):
    return [
        [requantized(a * b, op.shift, op.dtype, seen) for a, b in zip(one, other, strict=True)]
        for one, other in zip(left, right, strict=True)
    ]


def add(op: Add, seen, left, right):
    up, down = 2**op.left_shift, 2**op.right_shift
    return [
        [requantized(added([a * up, b * down], seen), op.shift, op.dtype, seen) for a, b in zip(p, q, strict=True)]
        for p, q in zip(left, right, strict=True)
    ]


def pool(op: Pool, seen, x):
    return [[requantized(added([t[c] for t in x], seen), op.shift, op.dtype, seen) for c in range(op.channels)]]


def flatten(op: Flatten, seen, x):
    count = op.channels // len(x[0])
    return [[value for token in x[t : t + count] for value in token] for t in range(0, len(x), count)]


FORMULAS = {
    Input: source,
    Lookup: lookup,
    Linear: linear,
    Convolution: convolution,
    RangeNorm: range_norm,
    Activation: activation,
    Scan: scan,
    Multiply: multiply,
    Add: add,
    Pool: pool,
    Flatten: flatten,
}
