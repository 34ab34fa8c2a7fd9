import dataclasses

import numpy as np
import pytest

from cases import INT8, case, linear
from emamba.errors import ConfigError
from emamba.graph import Pool
from emamba.rtl import wishes
from emamba.rtl.performance import performance
from emamba.rtl.solver import fewest_multipliers, fold
from emamba.rtl.wishes import fastest, interval_of_rate, shortest_latency, solve, worthwhile_intervals
from networks import random_network


def pooled():
    """A linear, and behind a pool one whose length counts in the latency."""
    rng = np.random.default_rng(0)
    first = dataclasses.replace(linear(rng, 6, 12, 5), name="first")
    pool = Pool(name="pool", source="first", channels=12, dtype=INT8, fraction_bits=4, shift=2)
    head = dataclasses.replace(linear(rng, 12, 10, 5), name="head", source="pool")
    return case("pooled", rng, 5, 6, first, pool, head).graph


GRAPH = pooled()


def latency(foldings, interval):
    return performance(GRAPH, foldings).latency_cycles


def test_without_a_wish_for_latency_the_design_is_the_smallest():
    assert solve(GRAPH, 24) == fold(GRAPH, 24)
    assert solve(GRAPH, 6, packing=True) == fold(GRAPH, 6, packing=True) != fold(GRAPH, 6)


def test_a_wish_for_latency_is_met_without_more_multipliers_than_it_takes():
    designs = {wish: solve(GRAPH, 24, wish) for wish in (200, 170, 140)}
    used = [sum(folding.multipliers for folding in foldings.values()) for foldings in designs.values()]
    assert all(latency(foldings, 24) <= wish for wish, foldings in designs.items())
    assert fewest_multipliers(GRAPH, 24) < used[0] < used[1] < used[2] <= fewest_multipliers(GRAPH, 24, 1)


def test_a_latency_that_no_design_has_is_refused_with_one_that_is_possible():
    with pytest.raises(ConfigError, match="a latency of 20 cycles at an interval of 24 or less") as caught:
        solve(GRAPH, 24, 20)
    possible = int(caught.value.hint.split()[2])
    assert 20 < possible < 60
    assert latency(solve(GRAPH, 24, possible), 24) <= possible


def test_a_latency_may_need_a_shorter_interval():
    at_24 = shortest_latency(GRAPH, 24, 1)
    found = solve(GRAPH, 24, at_24 - 10)
    assert latency(found, 24) <= at_24 - 10
    assert performance(GRAPH, found).cycles_per_frame < performance(GRAPH, fold(GRAPH, 24)).cycles_per_frame


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("multipliers", [2, 5, 20, 100, 400])
def test_a_budget_is_spent_on_the_interval_and_then_on_latency(multipliers, packing):
    interval, cycles = fastest(GRAPH, multipliers, packing)
    assert fewest_multipliers(GRAPH, interval) <= multipliers
    assert interval == 1 or fewest_multipliers(GRAPH, interval - 1) > multipliers
    found = solve(GRAPH, interval, cycles, packing)
    assert sum(folding.multipliers for folding in found.values()) <= multipliers
    assert sum(folding.pairs for folding in found.values()) >= (packing and multipliers > 4)
    assert latency(found, interval) <= cycles


def test_a_budget_that_is_not_enough_is_refused_with_what_is():
    with pytest.raises(ConfigError, match="1 multipliers are not enough") as caught:
        fastest(GRAPH, 1)
    assert "give 2 or more" in caught.value.hint


def test_frames_a_second_become_cycles_a_token():
    assert interval_of_rate(GRAPH, 1e6, 100) == 20
    assert interval_of_rate(GRAPH, 0.99e6, 100) == 20
    assert interval_of_rate(GRAPH, 1.01e6, 100) == 19
    with pytest.raises(ConfigError, match="leave no cycles for each, where 1 are needed") as caught:
        interval_of_rate(GRAPH, 21e6, 100)
    assert "at most 20,000,000 frames" in caught.value.hint
    assert interval_of_rate(GRAPH, 20e6, 100) == 1


def test_a_slow_rate_has_the_smallest_design():
    slowest = interval_of_rate(GRAPH, 0.001, 100)
    assert slowest == worthwhile_intervals(GRAPH)[-1] < 1000
    assert fewest_multipliers(GRAPH, slowest) == fewest_multipliers(GRAPH, 1 << 20)


def test_every_shorter_interval_needs_more_multipliers():
    graph = random_network(0).graph
    intervals = worthwhile_intervals(graph)
    needed = [fewest_multipliers(graph, interval) for interval in intervals]
    assert intervals == sorted(set(intervals))
    assert needed == sorted(set(needed), reverse=True)
    for interval, multipliers in zip(intervals, needed, strict=True):
        try:
            assert fewest_multipliers(graph, interval - 1) > multipliers
        except ConfigError:
            assert interval == intervals[0]


def test_a_network_without_a_pool_can_be_hastened_by_its_lanes_alone():
    graph = random_network(2).graph
    assert wishes._tails(graph, 60) == [60 * graph.tokens]
    shortest = shortest_latency(graph, 60, 60 * graph.tokens)
    assert shortest <= performance(graph, fold(graph, 60)).latency_cycles
