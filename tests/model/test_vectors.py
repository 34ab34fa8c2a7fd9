import numpy as np
from numba import njit

from emamba.model.vectors import LANES, below, floor, load, power_of_two, store, total

VALUES = np.random.default_rng(0).normal(scale=3, size=(4, LANES)).astype(np.float32)


def on_vectors(function, *rows):
    """`function` of vectors, through Numba; what it returns for each lane."""
    compiled, given, out = njit(function), np.stack(rows), np.zeros(LANES, np.float32)

    @njit
    def call(given, out):
        store(out, (0,), compiled(load(given, (0, 0)), load(given, (1, 0))))

    call(given, out)
    return out


def test_operators_work_element_by_element_and_with_one_number():
    a, b = VALUES[:2]
    number = np.float32(1.5)
    np.testing.assert_allclose(on_vectors(lambda a, b: (a - b) * number + a / b, a, b), (a - b) * number + a / b, 1e-6)
    np.testing.assert_array_equal(on_vectors(lambda a, b: number - b, a, b), number - b)


def test_below_chooses_and_takes_no_for_what_is_not_a_number():
    a, b = VALUES[:2].copy()
    a[0], a[1] = np.nan, b[1]
    zero = np.float32(0)
    np.testing.assert_array_equal(on_vectors(lambda a, b: below(a, b, a, zero), a, b), np.where(a < b, a, 0))


def test_floor_and_powers_of_two():
    a = VALUES[0]
    powers = np.resize(np.float32([-126, -1, 0, 1, 127]), LANES)
    np.testing.assert_array_equal(on_vectors(lambda a, b: floor(a), a, a), np.floor(a))
    np.testing.assert_array_equal(
        on_vectors(lambda a, b: power_of_two(b), a, powers), np.ldexp(np.float32(1), powers.astype(int))
    )


def test_load_store_and_total_reach_any_place():
    @njit
    def shifted(given, out):
        store(out, (1, 0, 3), load(given, (2, 1)))
        return total(load(given, (1, 0)))

    given, out = np.arange(3 * (LANES + 1), dtype=np.float32).reshape(3, -1), np.zeros((2, 1, LANES + 5), np.float32)
    assert shifted(given, out) == given[1, :LANES].sum()
    np.testing.assert_array_equal(out[1, 0, 3 : 3 + LANES], given[2, 1:])
    assert np.count_nonzero(out) == LANES
