"""`emamba.fixed` as Amaranth expressions: widths grow as they must, nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Mux, Shape, Value

from emamba.fixed import Integer


def shape(dtype: Integer) -> Shape:
    """The Amaranth shape of an integer type."""
    return Shape(dtype.bits, dtype.signed)


def round_shift(value: Value, shift: int) -> Value:
    """Repeats `fixed.round_shift`."""
    if shift <= 0:
        return Value.cast(value.shift_left(-shift))
    return (value + Const(1 << (shift - 1), shift + 1).as_signed()).shift_right(shift)


def saturate(value: Value, dtype: Integer) -> Value:
    """Repeats `fixed.saturate`, by looking at the bits that `dtype` has not."""
    source = value.shape()
    if Integer(source.width, source.signed) in (dtype, Integer(dtype.bits - dtype.signed, signed=False)):
        return value
    value = value if source.signed else Value.cast(value + Const(0, 2).as_signed())
    wide = value if len(value) > dtype.bits + 1 else _extended(value, dtype.bits + 2)
    negative = wide[-1]
    if dtype.signed:
        above = wide[dtype.bits - 1 :]
        fits = above.all() | ~above.any()
        return Mux(
            fits, wide[: dtype.bits].as_signed(), Mux(negative, _const(dtype.lo, dtype), _const(dtype.hi, dtype))
        )
    above = wide[dtype.bits : -1]
    return Mux(negative, _const(0, dtype), Mux(above.any(), _const(dtype.hi, dtype), wide[: dtype.bits]))


def requantize(value: Value, shift: int, dtype: Integer) -> Value:
    """Repeats `fixed.requantize`."""
    return saturate(round_shift(value, shift), dtype)


def clip(value: Value, lo: int, hi: int) -> Value:
    """`value` limited to [lo, hi]."""
    both = shape(Integer.between(lo, hi))
    return Mux(value > hi, Const(hi, both), Mux(value < lo, Const(lo, both), value))


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


def _const(value: int, dtype: Integer) -> Const:
    return Const(value, shape(dtype))


def _extended(value: Value, width: int) -> Value:
    """A signed `value` with its sign repeated up to `width` bits."""
    return Value.cast(value + Const(0, Shape(width - 1, True)))[:width].as_signed()
