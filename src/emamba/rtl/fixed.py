"""`emamba.fixed` as Amaranth expressions: widths grow as they must, nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value

from emamba import fixed
from emamba.fixed import Integer


def shape(dtype: Integer) -> Shape:
    """The Amaranth shape of an integer type."""
    return Shape(dtype.bits, dtype.signed)


def round_shift(value: Value, shift: int) -> Value:
    """Repeats `fixed.round_shift`."""
    if shift <= 0:
        return Value.cast(value.shift_left(-shift))
    return (value + Const(1 << (shift - 1), shift + 1).as_signed()).shift_right(shift)


def saturate(m: Module, value: Value, dtype: Integer) -> Value:
    """Repeats `fixed.saturate`, by looking at the bits that `dtype` has not."""
    source = value.shape()
    if Integer(source.width, source.signed) in (dtype, Integer(dtype.bits - dtype.signed, signed=False)):
        return value
    wide = wire(m, value, Shape(max(source.width + (not source.signed), dtype.bits + 2), True), "wide")
    if dtype.signed:
        above = wide[dtype.bits - 1 :]
        limit = Mux(wide[-1], Const(dtype.lo, shape(dtype)), Const(dtype.hi, shape(dtype)))
        return Value.cast(Mux(above.all() | ~above.any(), wide[: dtype.bits].as_signed(), limit))
    limit = Mux(wide[dtype.bits : -1].any(), Const(dtype.hi, shape(dtype)), wide[: dtype.bits])
    return Value.cast(Mux(wide[-1], Const(0, shape(dtype)), limit))


def requantize(m: Module, value: Value, shift: int, dtype: Integer) -> Value:
    """Repeats `fixed.requantize`."""
    return saturate(m, round_shift(value, shift), dtype)


def requantize_saturated(m: Module, value: Value, within: Integer, shift: int, dtype: Integer) -> Value:
    """Repeats `fixed.requantize` of `fixed.saturate(value, within)`, with one saturation where one is enough."""
    return requantize(m, saturate(m, value, within) if narrows(within, shift, dtype) else value, shift, dtype)


def narrows(within: Integer, shift: int, dtype: Integer) -> bool:
    """Whether it matters to `requantize` by `shift` to `dtype` that a value was saturated to `within` before.

    Rounding keeps the order of values: where the ends of `within` are rounded to the ends of `dtype` or beyond them,
    all that lies further out becomes the same as they do.
    """
    return fixed.round_shift(within.lo, shift) > dtype.lo or fixed.round_shift(within.hi, shift) < dtype.hi


def requantize_further(m: Module, value: Value, shift: int, further: Value, dtype: Integer) -> Value:
    """Repeats `fixed.requantize` with the shift `shift + further`, where `further` >= 0 is a signal.

    Bits that no shift rounds by are dropped first, so that the multiplexer is as narrow as can be.
    """
    doubled = Value.cast(value.shift_right(shift - 1) if shift > 0 else value.shift_left(1 - shift))
    kept = wire(m, doubled, doubled.shape(), "kept")
    return saturate(m, round_shift(Value.cast(kept >> further), 1), dtype)


def clip(m: Module, value: Value, lo: int, hi: int) -> Value:
    """`value` limited to [lo, hi]."""
    value = wire(m, value, Shape.cast(value.shape()), "free")
    both = shape(Integer.between(lo, hi))
    return Value.cast(Mux(value > hi, Const(hi, both), Mux(value < lo, Const(lo, both), value)))


def wire(m: Module, value: Value, like: Shape, name: str) -> Signal:
    """A signal of that value: what reads it several times shares the logic behind it."""
    signal = Signal(like, name=name)
    m.d.comb += signal.eq(value)
    return signal


def times(value: Value, factor: int) -> Value:
    """`value * factor` for a constant `factor` >= 0, in shifts and additions: no multiplier."""
    terms: list[Value] = []
    position = 0
    while factor:
        if factor & 1:
            digit = 2 - (factor & 3)  # non-adjacent form: +1 or -1
            term = Value.cast(value.shift_left(position))
            terms.append(term if digit > 0 else Value.cast(-term))
            factor -= digit
        factor >>= 1
        position += 1
    return Value.cast(sum(terms[1:], start=terms[0])) if terms else Const(0)


def pack(values: Sequence[int], bits: int) -> int:
    """`values` as one word, the first in the lowest `bits` bits."""
    return sum((int(value) & ((1 << bits) - 1)) << (index * bits) for index, value in enumerate(values))


def unpack(word: Value, dtype: Integer) -> list[Value]:
    """The elements that `pack` put into `word`."""
    parts = [Value.cast(word[start : start + dtype.bits]) for start in range(0, len(word), dtype.bits)]
    return [part.as_signed() if dtype.signed else part for part in parts]
