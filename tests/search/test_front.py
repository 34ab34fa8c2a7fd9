from itertools import pairwise

import numpy as np
import pytest

from emamba.search.front import hypervolume, pareto, values
from emamba.search.study import Trial


def trial(number, loss, cost, **more):
    return Trial(number, {}, {"lut": cost}, [0.9, loss], **{"whole": True, "feasible": True, **more})


def test_the_front_is_what_nothing_beats_cheapest_first():
    found = [trial(0, 0.3, 10), trial(1, 0.1, 30), trial(2, 0.2, 30), trial(3, 0.2, 20), trial(4, 0.3, 10)]
    assert [it.number for it in pareto(found, ["lut"])] == [0, 3, 1]
    assert values(found[1], ["lut"]) == (0.1, 30)


@pytest.mark.parametrize("flaw", [{"whole": False}, {"feasible": False}, {"reason": "it diverged"}])
def test_a_trial_that_was_stopped_is_infeasible_or_failed_is_on_no_front(flaw):
    assert [it.number for it in pareto([trial(0, 0.0, 1, **flaw), trial(1, 0.5, 50)], ["lut"])] == [1]


def test_hypervolume_by_hand_and_by_counting():
    assert hypervolume([(1, 2), (2, 1), (2, 2)], (3, 3)) == 3
    assert hypervolume([(4, 0)], (3, 3)) == hypervolume([], (3, 3)) == 0
    points = [tuple(point) for point in np.random.default_rng(0).integers(0, 20, (9, 2))]
    cells = sum(any(x <= i and y <= j for x, y in points) for i in range(20) for j in range(20))
    assert hypervolume(points, (20, 20)) == cells


def test_a_better_point_rules_more():
    areas = [hypervolume([(0.5, y), (0.2, 0.9)], (1, 1)) for y in (0.8, 0.6, 0.4)]
    assert all(less < more for less, more in pairwise(areas))
