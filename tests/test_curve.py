"""Curves: fits and tables near the functions they stand for, integers near the fits."""

import numpy as np
import pytest

from emamba.curve import (
    IntegerSegments,
    Segments,
    curve_error,
    exp,
    exp_segments,
    integer_segments,
    mirrored,
    silu,
    silu_segments,
    tabulate,
)
from emamba.fixed import Integer, dequantize

INT8, UINT8 = Integer(8), Integer(8, signed=False)
FITS = [(silu_segments, silu, -7.0, 7.0), (exp_segments, exp, -5.0, 0.0)]


def inside(fit, function, lo, hi):
    """Largest error strictly inside [lo, hi], where the outer pieces do not count."""
    return curve_error(fit, function, lo, hi - 1e-9).max


def test_functions_are_what_their_names_say():
    assert silu(np.array([0.0, 2.0])).tolist() == [0.0, 2.0 / (1.0 + np.exp(-2.0))]
    assert exp(np.array([0.0, 1.0])).tolist() == [1.0, np.e]


def test_a_knot_belongs_to_the_piece_on_its_right():
    curve = Segments(np.array([0.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.array([5.0, 0.0, 9.0]))
    assert curve(np.array([-0.1, 0.0, 0.5, 1.0, 2.0])).tolist() == [5.0, 0.0, 0.5, 9.0, 9.0]


def test_papers_silu_has_17_even_chords_between_zero_and_identity():
    fit = silu_segments(17, "paper")
    assert np.allclose(fit.knots, np.linspace(-7, 7, 18))
    assert fit.slopes.size == 19
    assert fit(np.array([-100.0, 100.0])).tolist() == [0.0, 100.0]
    assert np.allclose(fit(fit.knots[:-1]), silu(fit.knots[:-1]))


def test_papers_exp_has_11_even_chords_and_is_constant_above():
    fit = exp_segments(11, "paper")
    assert np.allclose(fit.knots, np.linspace(-4, 1, 12))
    assert np.allclose(fit(np.array([-9.0, 1.0, 50.0])), [0.0, np.e, np.e])


@pytest.mark.parametrize(("make", "function", "lo", "hi"), FITS, ids=["silu", "exp"])
@pytest.mark.parametrize("count", [3, 11, 17])
def test_optimal_knots_beat_even_knots(make, function, lo, hi, count):
    even = np.linspace(lo, hi, count + 1)
    chords = curve_error(lambda x: np.interp(x, even, function(even)), function, lo, hi).max
    assert inside(make(count, "optimal"), function, lo, hi) < 0.75 * chords


@pytest.mark.parametrize(("make", "function", "lo", "hi"), FITS, ids=["silu", "exp"])
def test_more_segments_never_fit_worse(make, function, lo, hi):
    errors = [inside(make(count, "optimal"), function, lo, hi) for count in (2, 3, 4, 5, 8, 11, 17, 24)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("count", [2, 17, 40])
def test_optimal_knots_ascend_span_the_interval_and_are_not_more_than_asked(count):
    fit = silu_segments(count, "optimal")
    assert (fit.knots[0], fit.knots[-1]) == (-7.0, 7.0)
    assert np.all(np.diff(fit.knots) > 0)
    assert 1 < fit.knots.size <= count + 1
    assert fit.slopes.size == fit.intercepts.size == fit.knots.size + 1


def test_optimal_fit_of_a_parabola_is_the_known_optimum():
    # Minimax of x**2 by n lines on [0, 1]: equal pieces, error 1 / (8 n**2).
    from emamba.curve import _optimal_fit

    edges, slopes, intercepts = _optimal_fit(lambda x: x * x, 0.0, 1.0, 4)
    assert np.allclose(edges, [0, 0.25, 0.5, 0.75, 1], atol=2 / 1024)
    error = curve_error(Segments(edges[1:-1], slopes, intercepts), lambda x: x * x, 0.0, 1.0)
    assert error.max == pytest.approx(1 / 128, rel=0.02)


def test_curve_error_is_largest_and_mean_distance():
    error = curve_error(lambda x: x + np.where(x > 0.5, 0.25, 0.0), lambda x: x, 0.0, 1.0)
    assert (error.lo, error.hi, error.max) == (0.0, 1.0, pytest.approx(0.25))
    assert error.mean == pytest.approx(0.125, abs=1e-4)


def test_papers_errors_are_what_a_reader_can_recompute():
    x = np.linspace(-7, 7, 10_001)
    chords = np.interp(x, np.linspace(-7, 7, 18), silu(np.linspace(-7, 7, 18)))
    distance = np.abs(chords - silu(x))[:-1]  # at 7 itself the identity above takes over
    error = curve_error(silu_segments(17, "paper"), silu, -7.0, 7.0)
    assert error.max == pytest.approx(max(distance.max(), 7 - silu(np.array(7.0))))
    assert error.mean == pytest.approx(distance.mean(), rel=1e-3)


@pytest.mark.parametrize("domain", [INT8, UINT8, Integer(5)], ids=str)
def test_a_table_is_the_quantized_function_of_every_integer(domain):
    table = tabulate(silu, domain, 4, INT8, 3)
    x = np.arange(domain.lo, domain.hi + 1)
    expected = [min(127, max(-128, int(np.floor(float(silu(v / 16)) * 8 + 0.5)))) for v in x]
    assert table(x).tolist() == expected
    assert table.limits == (min(expected), max(expected))


def test_a_table_keeps_the_shape_of_its_argument():
    assert tabulate(silu, INT8, 4, INT8, 4)(np.zeros((2, 3, 4), np.int64)).shape == (2, 3, 4)


@pytest.mark.parametrize("knots", ["paper", "optimal"])
@pytest.mark.parametrize(("domain", "fraction"), [(INT8, 4), (Integer(12), 8), (Integer(16), 10)], ids=str)
def test_integer_silu_is_within_a_unit_and_the_slopes_rounding(knots, domain, fraction):
    fit = silu_segments(17, knots)
    curve = integer_segments(fit, domain, fraction, Integer(20), fraction)
    x = np.arange(domain.lo, domain.hi + 1)
    real = dequantize(x, fraction)
    distance = np.abs(dequantize(curve(x), fraction) - fit(real))
    slope_step = 2.0 ** -(10 - 1 - 1)  # ten bits, one integer bit, one sign
    # Half a step of slope, half a unit of rounding the result, and an intercept of negligible error.
    assert np.all(distance <= 0.5 * slope_step * np.abs(real) + 0.501 * 2.0**-fraction)


def test_integer_decay_reads_the_mirrored_exponential():
    fit = exp_segments(11, "optimal")
    domain = Integer(16, signed=False)
    curve = integer_segments(mirrored(fit), domain, 12, (0, 128), 7)
    u = np.arange(domain.lo, domain.hi + 1)
    distance = np.abs(curve(u) / 128 - fit(-dequantize(u, 12)))
    jump = np.isin(u, np.ceil(-fit.knots * 4096).astype(int))  # on a knot the neighbouring piece holds
    assert distance[~jump].max() <= 0.501 / 128 + 5 * 2.0**-10
    assert curve.limits == (0, 128)
    assert int(curve(np.array([0]))[0]) == 128, "a decay of one keeps the state"


def test_mirrored_is_the_function_of_minus_x():
    fit = exp_segments(11, "optimal")
    x = np.linspace(-1, 6, 997)
    assert np.allclose(mirrored(fit)(x), fit(-x))


def test_pieces_out_of_reach_are_dropped():
    fit = silu_segments(17, "paper")
    small = integer_segments(fit, INT8, 6, INT8, 6)  # reaches [-2, 2) of [-7, 7]
    x = np.arange(INT8.lo, INT8.hi + 1)
    everything = integer_segments(fit, Integer(16), 6, INT8, 6)
    assert small.slopes.size < everything.slopes.size
    assert small(x).tolist() == everything(x).tolist()


def test_integer_segments_round_shift_and_limit():
    curve = IntegerSegments(INT8, np.array([0]), np.array([0, 3]), np.array([-8, 1]), 1, -3, 100)
    assert curve(np.array([-128, -1, 0, 1, 2, 127])).tolist() == [-3, -3, 1, 2, 4, 100]
