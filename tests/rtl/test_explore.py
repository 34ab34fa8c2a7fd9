import pytest

from emamba.rtl.explore import Point, beats, best, front
from emamba.rtl.performance import performance
from emamba.rtl.wishes import solve, worthwhile_intervals
from networks import random_network

GRAPH = random_network(0).graph


def test_a_front_has_no_point_that_another_one_beats():
    points = [Point(3, 9, 5, 7, 7), Point(4, 9, 5, 7, 7), Point(2, 10, 5, 7, 7), Point(9, 9, 9, 9, 1)]
    assert best(points) == [Point(2, 10, 5, 7, 7), Point(3, 9, 5, 7, 7), Point(9, 9, 9, 9, 1)]


@pytest.fixture(scope="module")
def explored():
    steps = []
    return front(GRAPH, lambda done, total, label: steps.append((done, total))), steps


def test_the_front_of_a_graph_goes_from_fast_to_small(explored):
    found, steps = explored
    points = [it.point for it in found]
    assert points == best(points) == sorted(points)
    assert points[0].multipliers > 4 * points[-1].multipliers
    assert len(steps) == steps[0][1] == len(worthwhile_intervals(GRAPH))
    assert all(0 < it.multiplier_use <= 1 for it in found)
    assert found[0].chips["asap7_mm2"] > found[-1].chips["asap7_mm2"] > 0


def test_a_point_can_be_built_from_its_wishes(explored):
    for it in explored[0][:: len(explored[0]) // 4]:
        foldings = solve(GRAPH, it.interval_cycles, it.point.latency_cycles)
        assert sum(folding.multipliers for folding in foldings.values()) <= it.point.multipliers
        found = performance(GRAPH, foldings)
        assert found.latency_cycles <= it.point.latency_cycles
        assert found.cycles_per_frame <= it.point.cycles_per_frame


def test_nothing_beats_itself_and_better_in_one_respect_is_enough():
    assert not beats((1, 2), (1, 2))
    assert beats((1, 1), (1, 2))
    assert not beats((0, 3), (1, 2))
