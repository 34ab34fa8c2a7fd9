"""Integer curves in logic: a table in a ROM, or segments found by comparison."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Array, Const, Module, Value

from emamba.curve import IntegerCurve, IntegerSegments, IntegerTable
from emamba.fixed import Integer
from emamba.rtl.fixed import clip, round_shift, shape
from emamba.rtl.pipeline import delayed, rom


def cycles(curve: IntegerCurve) -> int:
    """Moves from argument to value."""
    return 1 if isinstance(curve, IntegerTable) else 3


def multipliers(curve: IntegerCurve) -> int:
    """Multipliers of one look-up."""
    return 0 if isinstance(curve, IntegerTable) else 1


def look_up(m: Module, name: str, curve: IntegerCurve, x: Value, advance: Value) -> Value:
    """The curve's value for `x` of `curve.domain`, `cycles(curve)` moves later."""
    if isinstance(curve, IntegerTable):
        return _table(m, name, curve, x, advance)
    return _segments(m, curve, x, advance)


def _table(m: Module, name: str, curve: IntegerTable, x: Value, advance: Value) -> Value:
    """The raw bits of `x` are the address, so for a signed domain the negative half comes last."""
    order = curve.values.reshape(-1, 1)
    if curve.domain.signed:
        order = np.roll(order, len(order) // 2)
    address = x.as_unsigned() if x.shape().signed else x
    return rom(m, name, order, Integer.between(*curve.limits), address, advance)[0]


def _segments(m: Module, curve: IntegerSegments, x: Value, advance: Value) -> Value:
    """Count the knots at or below x; multiply with that slope; add the intercept, round, limit."""
    reached = [x >= int(knot) for knot in curve.knots]
    count = Value.cast(sum(reached[1:], start=reached[0]))[: len(reached).bit_length()] if reached else Const(0, 1)
    piece = delayed(m, advance, count)
    slope = _selected([int(value) for value in curve.slopes], piece)
    intercept = _selected([int(value) for value in curve.intercepts], piece)
    product = delayed(m, advance, Value.cast(slope * delayed(m, advance, x)))
    line = product + delayed(m, advance, intercept)
    return delayed(m, advance, clip(m, round_shift(line, curve.shift), curve.lo, curve.hi))


def _selected(values: list[int], index: Value) -> Value:
    """`values[index]` as logic."""
    both = shape(Integer.holding(values))
    return Value.cast(Array([Const(value, both) for value in values])[index])
