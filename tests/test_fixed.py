"""Fixed-point arithmetic against Python's exact fractions, ties and borders included."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emamba.fixed import Integer, dequantize, quantize, requantize, round_shift, saturate

TYPES = st.builds(Integer, st.integers(2, 40), st.booleans())
WIDE = st.integers(-(1 << 47), (1 << 47) - 1)


def nearest(value: Fraction) -> int:
    """Round to nearest, ties up."""
    return floor(value + Fraction(1, 2))


@pytest.mark.parametrize(
    ("dtype", "lo", "hi", "name"),
    [
        (Integer(8), -128, 127, "int8"),
        (Integer(8, signed=False), 0, 255, "uint8"),
        (Integer(1, signed=False), 0, 1, "uint1"),
        (Integer(2), -2, 1, "int2"),
        (Integer(48), -(1 << 47), (1 << 47) - 1, "int48"),
    ],
)
def test_integer_types(dtype, lo, hi, name):
    assert (dtype.lo, dtype.hi, str(dtype)) == (lo, hi, name)
    assert dtype.holds(lo, hi)
    assert not dtype.holds(lo - 1, hi)
    assert not dtype.holds(lo, hi + 1)


@given(WIDE, WIDE)
@example(0, 0)
@example(-1, -1)
@example(-128, 127)
@example(-129, 0)
@example(0, 256)
def test_between_is_the_narrowest_type(a, b):
    lo, hi = min(a, b), max(a, b)
    dtype = Integer.between(lo, hi)
    assert dtype.holds(lo, hi)
    assert dtype.signed == (lo < 0)
    assert dtype.bits == 1 or not Integer(dtype.bits - 1, dtype.signed).holds(lo, hi)


@given(st.lists(WIDE, min_size=1, max_size=5))
def test_holding_is_between_the_extremes(values):
    assert Integer.holding(values) == Integer.between(min(values), max(values))


@given(WIDE, st.integers(-15, 47))
@example(1, 1)
@example(-1, 1)
@example(-3, 1)
@example(5, 0)
def test_round_shift_is_the_nearest_integer_ties_up(x, shift):
    expected = nearest(Fraction(x) / Fraction(2) ** shift)
    assert round_shift(x, shift) == expected
    assert round_shift(np.array([x]), shift).tolist() == [expected]


@given(WIDE, st.lists(st.integers(-15, 47), min_size=1, max_size=5))
def test_an_array_of_shifts_has_one_for_each_element(x, shifts):
    expected = [[round_shift(x, shift) for shift in shifts]] * 2
    assert round_shift(np.full((2, len(shifts)), x), np.array(shifts)).tolist() == expected


def test_round_shift_at_ties():
    halves = [-5, -3, -1, 1, 3, 5]
    assert [round_shift(x, 1) for x in halves] == [-2, -1, 0, 1, 2, 3]


@given(WIDE, TYPES)
def test_saturate_limits_to_the_type(x, dtype):
    expected = sorted((dtype.lo, x, dtype.hi))[1]
    assert saturate(x, dtype) == expected
    assert saturate(np.array([x]), dtype).tolist() == [expected]


@given(WIDE, st.integers(0, 40), TYPES)
def test_requantize_rounds_before_it_saturates(x, shift, dtype):
    expected = sorted((dtype.lo, nearest(Fraction(x) / 2**shift), dtype.hi))[1]
    assert requantize(x, shift, dtype) == expected
    assert requantize(np.array([x]), shift, dtype).tolist() == [expected]


def test_requantize_at_the_border_of_saturation():
    # 127.5 rounds up to 128 and saturates; one less stays 127; -128.5 is a tie, up to -128.
    x = np.array([2039, 2040, -2056, -2057])
    assert requantize(x, 4, Integer(8)).tolist() == [127, 127, -128, -128]
    assert round_shift(x, 4).tolist() == [127, 128, -128, -129]


@given(st.floats(-1e6, 1e6), st.integers(-8, 30), TYPES)
@example(0.49999999999999994, 0, Integer(8))  # adding 0.5 in floating point would give 1
@example(-0.5, 0, Integer(8))
@example(127.5, 0, Integer(8))
@example(float(2**52 + 1), 0, Integer(60))  # adding 0.5 in floating point would round to even
def test_quantize_is_the_nearest_integer_ties_up(value, fraction, dtype):
    expected = sorted((dtype.lo, nearest(Fraction(value) * Fraction(2) ** fraction), dtype.hi))[1]
    assert int(quantize(value, fraction, dtype)) == expected


def test_rows_may_have_fraction_bits_of_their_own():
    values, bits = np.array([[0.5, 100.0], [0.5, 100.0]]), np.array([[1], [-3]])
    assert quantize(values, bits, Integer(8)).tolist() == [[1, 127], [0, 13]]
    assert dequantize(quantize(values, bits, Integer(8)), bits).tolist() == [[0.5, 63.5], [0.0, 104.0]]


def test_quantize_saturates_infinities():
    assert quantize([np.inf, -np.inf], 0, Integer(8)).tolist() == [127, -128]


@given(st.integers(-(1 << 20), 1 << 20), st.integers(-8, 30))
def test_dequantize_is_exact_and_undone_by_quantize(x, fraction):
    value = dequantize([x], fraction)
    assert Fraction(float(value[0])) == Fraction(x) / Fraction(2) ** fraction
    assert quantize(value, fraction, Integer(30)).tolist() == [x]
