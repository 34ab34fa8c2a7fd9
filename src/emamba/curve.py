"""Nonlinear functions as straight segments or as tables: one definition for model and integers.

A curve has a real side, which the model trains with (`silu`, `decay_exp`, `Segments`), and an
integer side, which golden, C and hardware execute (`IntegerTable`, `IntegerSegments`).
Paper: section "Approximation of nonlinear functions": SiLU in 17 segments on [-7, 7],
exp in 11 segments on [-4, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emamba.fixed import Integer, Integers, dequantize, quantize, round_shift

Real = NDArray[np.float64]
Function = Callable[[Real], Real]
Knots = Literal["paper", "optimal"]

_GRID = 1024  # points on which a fit is judged
_NARROWEST = 2  # grid steps of the shortest segment


def silu(x: Real) -> Real:
    """`x / (1 + exp(-x))`."""
    return x / (1.0 + np.exp(-x))


def exp(x: Real) -> Real:
    """`e**x`."""
    return np.exp(x)


@dataclass(frozen=True, eq=False)
class Segments:
    """Real straight segments: piece p holds on knots[p-1] <= x < knots[p]; p = 0 below all knots.

    `slopes` and `intercepts` have one entry more than `knots`; f(x) = slopes[p] * x + intercepts[p].
    """

    knots: Real
    slopes: Real
    intercepts: Real

    def __call__(self, x: Real) -> Real:
        """f(x), element by element."""
        piece = np.searchsorted(self.knots, x, side="right")
        return self.slopes[piece] * x + self.intercepts[piece]


@dataclass(frozen=True, eq=False)
class IntegerTable:
    """One output for each value of `domain`, smallest first: `values[x - domain.lo]`."""

    domain: Integer
    values: Integers

    def __call__(self, x: Integers) -> Integers:
        """The outputs for `x`, element by element."""
        return self.values[x - self.domain.lo]

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest output."""
        return int(self.values.min()), int(self.values.max())


@dataclass(frozen=True, eq=False)
class IntegerSegments:
    """Integer straight segments, limited to [lo, hi].

    With p the number of knots <= x: `clip(round_shift(slopes[p] * x + intercepts[p], shift))`.
    """

    domain: Integer
    knots: Integers
    slopes: Integers
    intercepts: Integers
    shift: int
    lo: int
    hi: int

    def __call__(self, x: Integers) -> Integers:
        """The outputs for `x`, element by element."""
        piece = np.searchsorted(self.knots, x, side="right")
        return np.clip(round_shift(self.slopes[piece] * x + self.intercepts[piece], self.shift), self.lo, self.hi)

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest output that the limits allow."""
        return self.lo, self.hi


IntegerCurve = IntegerTable | IntegerSegments


@dataclass(frozen=True)
class CurveError:
    """How far an approximation is from its function: largest and mean absolute error on [lo, hi]."""

    lo: float
    hi: float
    max: float
    mean: float


def curve_error(approximation: Function, function: Function, lo: float, hi: float) -> CurveError:
    """Error on 10,001 evenly spaced points of [lo, hi]."""
    x = np.linspace(lo, hi, 10_001)
    distance = np.abs(approximation(x) - function(x))
    return CurveError(lo, hi, float(distance.max()), float(distance.mean()))


@lru_cache
def silu_segments(count: int, knots: Knots) -> Segments:
    """SiLU in `count` segments on [-7, 7]; 0 below, x above (paper's form)."""
    return _joined(silu, -7.0, 7.0, count, knots, below=(0.0, 0.0), above=(1.0, 0.0))


@lru_cache
def exp_segments(count: int, knots: Knots) -> Segments:
    """exp in `count` segments; 0 below, constant above.

    `paper` spreads them evenly over [-4, 1]. `optimal` spends them on [-5, 0], the side that the
    decay `exp(delta * A)` with `delta * A <= 0` can reach.
    """
    lo, hi = (-4.0, 1.0) if knots == "paper" else (-5.0, 0.0)
    return _joined(exp, lo, hi, count, knots, below=(0.0, 0.0), above=(0.0, float(np.exp(hi))))


def tabulate(function: Function, domain: Integer, domain_fraction: int, dtype: Integer, fraction: int) -> IntegerTable:
    """The exact table of `function` for every integer of `domain`; outputs rounded to nearest."""
    x = np.arange(domain.lo, domain.hi + 1)
    return IntegerTable(domain, quantize(function(dequantize(x, domain_fraction)), fraction, dtype))


def integer_segments(
    segments: Segments,
    domain: Integer,
    domain_fraction: int,
    limits: Integer | tuple[int, int],
    fraction: int,
    slope_bits: int = 10,
) -> IntegerSegments:
    """`segments` in integers: x of scale 2**-domain_fraction, result of scale 2**-fraction.

    Slopes are rounded to `slope_bits` signed bits at the finest common scale; intercepts carry the
    full scale of the product. Pieces that `domain` cannot reach are dropped.
    """
    lo, hi = (limits.lo, limits.hi) if isinstance(limits, Integer) else limits
    steepest = max(float(np.abs(segments.slopes).max()), 2.0**-slope_bits)
    slope_fraction = slope_bits - 1 - int(np.floor(np.log2(steepest)) + 1)
    product_fraction = domain_fraction + slope_fraction
    knots = np.ceil(segments.knots * 2.0**domain_fraction).astype(np.int64)
    slopes = quantize(segments.slopes, slope_fraction, Integer(slope_bits))
    intercepts = quantize(segments.intercepts, product_fraction, Integer(48))
    first = int(np.searchsorted(knots, domain.lo, side="right"))
    last = int(np.searchsorted(knots, domain.hi, side="right"))
    pieces = slice(first, last + 1)
    shift = product_fraction - fraction
    return IntegerSegments(domain, knots[first:last], slopes[pieces], intercepts[pieces], shift, lo, hi)


def mirrored(segments: Segments) -> Segments:
    """`x -> segments(-x)`, for an argument whose sign is carried by the operation that reads it.

    Just on a knot it takes the segment on the other side, which matters only where two do not meet.
    """
    return Segments(-segments.knots[::-1], -segments.slopes[::-1], segments.intercepts[::-1])


def _joined(
    function: Function,
    lo: float,
    hi: float,
    count: int,
    knots: Knots,
    below: tuple[float, float],
    above: tuple[float, float],
) -> Segments:
    """`count` segments on [lo, hi] between the (slope, intercept) below and the one above."""
    fit = _even_fit if knots == "paper" else _optimal_fit
    edges, slopes, intercepts = fit(function, lo, hi, count)
    return Segments(
        edges,
        np.array([below[0], *slopes, above[0]]),
        np.array([below[1], *intercepts, above[1]]),
    )


def _even_fit(function: Function, lo: float, hi: float, count: int) -> tuple[Real, Real, Real]:
    """Chords between `count + 1` evenly spaced knots."""
    edges = np.linspace(lo, hi, count + 1)
    y = function(edges)
    slopes = np.diff(y) / np.diff(edges)
    return edges, slopes, y[:-1] - slopes * edges[:-1]


def _optimal_fit(function: Function, lo: float, hi: float, count: int) -> tuple[Real, Real, Real]:
    """Segments with the smallest possible largest error (on a grid of 1,024 steps).

    For a tolerance, segments are made as long as they can be; the tolerance is bisected until
    `count` of them just reach `hi`. Greedy is optimal because a shorter interval never fits worse.
    """
    x = np.linspace(lo, hi, _GRID + 1)
    y = function(x)
    low, high = 0.0, float(np.ptp(y))
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if len(_cuts(x, y, middle)) <= count + 1 else (middle, high)
    cuts = _cuts(x, y, high)
    lines = [_best_line(x[a : b + 1], y[a : b + 1]) for a, b in pairwise(cuts)]
    return x[cuts], np.array([line[0] for line in lines]), np.array([line[1] for line in lines])


def _cuts(x: Real, y: Real, tolerance: float) -> list[int]:
    """Grid indices of the segment borders when each segment is as long as `tolerance` allows."""
    cuts = [0]
    while cuts[-1] < len(x) - 1:
        good, bad = min(cuts[-1] + _NARROWEST, len(x) - 1), len(x)
        while bad - good > 1:
            end = (good + bad) // 2
            fits = _best_line(x[cuts[-1] : end + 1], y[cuts[-1] : end + 1])[2] <= tolerance
            good, bad = (end, bad) if fits else (good, end)
        cuts.append(good)
    return cuts


def _best_line(x: Real, y: Real) -> tuple[float, float, float]:
    """Slope, intercept and largest error of the minimax line; the error is convex in the slope."""
    steps = np.diff(y) / np.diff(x)
    low, high = float(steps.min()), float(steps.max())
    for _ in range(25):
        third = (high - low) / 3
        left, right = np.ptp(y - (low + third) * x), np.ptp(y - (high - third) * x)
        low, high = (low, high - third) if left <= right else (low + third, high)
    slope = (low + high) / 2
    rest = y - slope * x
    return slope, float(rest.max() + rest.min()) / 2, float(np.ptp(rest)) / 2
