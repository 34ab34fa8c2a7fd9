"""Integer types, the one rounding, and saturation.

A value is `integer * 2**-fraction_bits`. Everything here is exact on Python integers and on NumPy
int64 arrays. C repeats it in `firmware/templates`, hardware in `rtl.fixed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Integer:
    """An integer type of `bits` bits, two's complement when `signed`."""

    bits: int
    signed: bool = True

    @property
    def lo(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest value."""
        return (1 << (self.bits - self.signed)) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    def holds(self, lo: int, hi: int) -> bool:
        """Whether every integer from `lo` to `hi` is a value of this type."""
        return self.lo <= lo and hi <= self.hi

    @staticmethod
    def between(lo: int, hi: int) -> Integer:
        """The narrowest type that holds `lo` to `hi`; unsigned when `lo` is not negative."""
        if lo >= 0:
            return Integer(max(1, hi.bit_length()), signed=False)
        return Integer(1 + max((-lo - 1).bit_length(), max(hi, 0).bit_length()))

    @staticmethod
    def holding(values: ArrayLike) -> Integer:
        """The narrowest type that holds all `values` (at least one)."""
        array = np.asarray(values)
        return Integer.between(int(array.min()), int(array.max()))


@overload
def round_shift(x: int, shift: int) -> int: ...
@overload
def round_shift(x: Integers, shift: int | Integers) -> Integers: ...
def round_shift(x: Any, shift: Any) -> Any:
    """`x / 2**shift`, rounded to nearest with ties up; a negative `shift` multiplies exactly.

    An array of shifts has one for each element of the last axis of `x`.
    """
    if isinstance(shift, np.ndarray):
        down = np.maximum(shift, 0)
        return ((x << (down - shift)) + ((1 << down) >> 1)) >> down
    if shift > 0:
        return (x + (1 << (shift - 1))) >> shift
    return x << -shift


@overload
def saturate(x: int, dtype: Integer) -> int: ...
@overload
def saturate(x: Integers, dtype: Integer) -> Integers: ...
def saturate(x: Any, dtype: Integer) -> Any:
    """`x` limited to the values of `dtype`. An unsigned `dtype` makes this a ReLU."""
    if isinstance(x, int):
        return min(max(x, dtype.lo), dtype.hi)
    return np.clip(x, dtype.lo, dtype.hi)


@overload
def requantize(x: int, shift: int, dtype: Integer) -> int: ...
@overload
def requantize(x: Integers, shift: int | Integers, dtype: Integer) -> Integers: ...
def requantize(x: Any, shift: Any, dtype: Integer) -> Any:
    """`round_shift`, then `saturate`: how every operation leaves its accumulator."""
    return saturate(round_shift(x, shift), dtype)


def quantize(values: ArrayLike, fraction_bits: int | Integers, dtype: Integer) -> Integers:
    """Real `values` as integers of scale `2**-fraction_bits`: nearest, ties up, saturated.

    An array of `fraction_bits` is broadcast against `values`.
    """
    scaled = np.clip(np.asarray(values, dtype=np.float64) * 2.0**fraction_bits, dtype.lo, dtype.hi)
    below = np.floor(scaled)  # adding 0.5 first would itself round: just below one half, and beyond 2**52
    return (below + (scaled - below >= 0.5)).astype(np.int64)


def dequantize(values: ArrayLike, fraction_bits: int | Integers) -> NDArray[np.float64]:
    """The real values of integers of scale `2**-fraction_bits`, as in `quantize`; exact below 2**53."""
    return np.asarray(values, dtype=np.float64) * 2.0**-fraction_bits
