"""Two products with a common factor in one multiplication, as wide as a DSP block of UltraScale+ multiplies.

The other two factors lie in one word, the upper one `field` bits above the lower one: `(upper << field) + lower`. Times
the common factor, the word has the lower product in its lowest `field` bits, which hold it, and above them the
upper product, less one where the lower one is negative. That one is a bit of the word. It is not added at once,
which would take an adder for each product, but rides with its product to the adder behind it: each of them has a carry
in free, and there are as many adders as products where the sums are added to something in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from amaranth.hdl import Cat, Const, Module, Value

from emamba.fixed import Integer
from emamba.graph import Linear
from emamba.rtl.pipeline import delayed, total

WIDEST = 27, 18
"""Bits of the signed factors that a DSP block multiplies."""

Carried = tuple[Value, Value]  # a signed value, and a bit that has yet to be added to it


def stored(op: Linear, outputs: int) -> Linear:
    """`op` with weights as words need them, in tiles of `outputs` rows: the bits of a negative weight reach into the
    weight above it, the row behind in the tile, which is stored less one there."""
    upper = np.arange(op.channels) % outputs % 2 == 1
    below = np.roll(op.weight, 1, axis=0)
    return replace(op, weight=op.weight - (upper[:, None] & (below < 0)))


def packs(op: Linear, source: Integer, outputs: int) -> bool:
    """Whether products of two rows fit: the word and the source are factors of a DSP block, and weights are signed."""
    weight = Integer.holding(stored(op, outputs).weight)
    fits = 2 * weight.bits + source.bits <= WIDEST[0] and source.bits + (not source.signed) <= WIDEST[1]
    return outputs > 1 and weight.signed and fits


def dots(
    m: Module, advance: Value, lower: list[Value], upper: list[Value], factors: list[Value]
) -> tuple[Value, Carried]:
    """The sums of the products of `factors` with two rows of weights as they are `stored`.

    There is a register behind each multiplication, and then as many moves as `pipeline.total` takes.
    """
    words = zip(lower, upper, factors, strict=True)
    products = delayed(m, advance, [multiplied(*word) for word in words])
    fields = [(product[: len(product) // 2], product[len(product) // 2 :]) for product in products]
    above: list[Carried] = [(over.as_signed(), Value.cast(under[-1])) for under, over in fields]
    return total(m, advance, [under.as_signed() for under, _ in fields])[0], _total(m, advance, above)


def multiplied(lower: Value, upper: Value, factor: Value) -> Value:
    """The product of the word of two weights as they are `stored` and `factor`, twice as wide as one of theirs."""
    return Value.cast(Cat(lower, lower[-1].replicate(len(factor)), upper).as_signed() * factor)


def _total(m: Module, advance: Value, terms: list[Carried]) -> Carried:
    """The sum of `terms`, of which one bit has yet to be added."""
    while len(terms) > 1:
        sums = [_sum(terms[start : start + 4]) for start in range(0, len(terms), 4)]
        values, bits = (delayed(m, advance, [part[side] for part in sums]) for side in (0, 1))
        terms = list(zip(values, bits, strict=True))
    return terms[0]


def plus(a: Value, b: Value, carry: Value) -> Value:
    """`a + b + carry`, where `a` or `b` is signed, in one adder: a bit below their lowest ones makes the carry."""
    return Value.cast(_above(Const(1, 1), a) + _above(carry, b))[1:].as_signed()


def _above(bit: Value, value: Value) -> Value:
    """`2 * value + bit`."""
    both = Value.cast(Cat(bit, value))
    return both.as_signed() if value.shape().signed else both


def _sum(terms: Sequence[Carried]) -> Carried:
    """The sum of up to four `terms`, at most two adders one behind the other; each adds one of their bits."""
    values, bits = [value for value, _ in terms], [bit for _, bit in terms]
    wide = max(len(value) for value in values) + (len(values) - 1).bit_length()
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [plus(*pair, bits.pop()) for pair in pairs] + values[len(values) & ~1 :]
    return values[0][:wide].as_signed(), bits.pop()
