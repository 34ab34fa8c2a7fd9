import itertools

import numpy as np
import pytest

from emamba.rtl.elimination import Term, smallest

SIZES = {"a": 3, "b": 2, "c": 4, "d": 1, "e": 3}
NETWORKS = [
    [("a",), ("a", "b"), ("b", "c"), ("c", "e")],  # a chain
    [("a", "b"), ("b", "c"), ("c", "a"), ("e", "c", "a"), ("d", "e")],  # a loop, and three that meet
    [("b",), ("e",)],  # nobody's neighbours
]


@pytest.mark.parametrize("names", NETWORKS, ids=["chain", "loop", "apart"])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_combination_costs_less(names, seed):
    rng = np.random.default_rng(seed)
    terms = [Term(known, rng.random([SIZES[name] for name in known])) for known in names]

    def cost(chosen):
        return sum(term.costs[tuple(chosen[name] for name in term.names)] for term in terms)

    everything = itertools.product(*(range(size) for size in SIZES.values()))
    best = min(cost(dict(zip(SIZES, values, strict=True))) for values in everything)
    found = smallest(SIZES, terms)
    assert list(found) == list(SIZES)
    assert cost(found) == pytest.approx(best, abs=1e-12)


def test_the_first_of_equal_values_is_taken():
    assert smallest({"a": 3}, [Term(("a",), np.array([2.0, 1.0, 1.0]))]) == {"a": 1}
