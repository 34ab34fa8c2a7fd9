"""The pieces of the kernels; the scan as a whole is tested in test_scan."""

import numpy as np
import pytest
from numba import njit

from emamba.curve import exp_segments
from emamba.model import kernels
from emamba.model.vectors import LANES, load, store


@njit
def evaluated(x, knots, slopes, intercepts, values, steepness):
    for i in range(0, len(x), LANES):
        value, slope = kernels.curve(load(x, (i,)), knots, slopes, intercepts)
        store(values, (i,), value)
        store(steepness, (i,), slope)


def curve(x, *segments):
    values, steepness = np.empty_like(x), np.empty_like(x)
    evaluated(x, *(np.asarray(it, np.float32) for it in segments), values, steepness)
    return values, steepness


def test_exp_is_exp():
    x = np.linspace(-87, 88, 80_000, dtype=np.float32)
    values, slopes = curve(x, [], [], [])
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(values / exact - 1) < 2e-7 + 1.2e-7 * np.abs(x)).all()
    np.testing.assert_array_equal(values, slopes)


def test_exp_of_extremes():
    x = np.resize(np.float32([0, -0.0, -1e30, -np.inf, 1e30, np.nan]), LANES)
    values, _ = curve(x, [], [], [])
    assert values[0] == values[1] == 1
    assert 0 < values[2] == values[3] < 1e-37
    assert 1e38 < values[4] < np.inf
    assert np.isnan(values[5])


@pytest.mark.parametrize("segments", [exp_segments(11, "paper"), exp_segments(3, "optimal")], ids=["paper", "optimal"])
def test_segments_are_the_curve_on_and_between_knots(segments):
    knots = segments.knots.astype(np.float32)
    x = np.concatenate([np.linspace(-7, 2, 1000, dtype=np.float32), knots, np.nextafter(knots, np.float32(-9))])
    x = np.resize(x, len(x) // LANES * LANES + LANES)
    values, steepness = curve(x, knots, segments.slopes, segments.intercepts)
    piece = np.searchsorted(knots, x, side="right")
    np.testing.assert_array_equal(steepness, segments.slopes.astype(np.float32)[piece])
    np.testing.assert_allclose(values, segments.slopes[piece] * x + segments.intercepts[piece], atol=1e-6)
