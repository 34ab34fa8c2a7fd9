import numpy as np
import pytest

from emamba import compiled as module
from emamba.compiled import compiled, inlined


@inlined
def doubled(a):
    return a + a


def sums(values):
    total = 0.0
    for value in values:
        total += 1 / doubled(value)
    return total


def test_what_is_compiled_gives_the_same():
    values = np.array([1.0, 2.0, 4.0])
    assert compiled(sums)(values) == sums(values) == 0.875


def test_nothing_stops_at_a_division_by_zero():
    assert compiled(sums)(np.array([0.0])) == np.inf


def test_without_a_place_on_disk_it_is_compiled_all_the_same(monkeypatch):
    njit, asked = module.njit, []

    def without_cache(cache=False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(module, "njit", without_cache)
    assert compiled(sums)(np.array([0.5])) == pytest.approx(1)
    assert asked == [True, False]
