import dataclasses
import itertools

import numpy as np
import pytest

from cases import INT8, case, causal, convolution, flatten, linear, operation_cases, scan
from emamba.errors import ConfigError
from emamba.graph import Linear, Pool
from emamba.rtl import scan as scan_stage
from emamba.rtl.folding import fold
from networks import random_network


def divisors(number):
    return [lanes for lanes in range(1, number + 1) if number % lanes == 0]


@pytest.mark.parametrize("interval", [4, 7, 16, 50, 400])
def test_a_linear_has_the_fewest_multipliers_that_keep_the_interval(interval):
    graph = random_network(0).graph
    foldings = fold(graph, interval)
    for op in graph.operations:
        if isinstance(op, Linear):
            rows, columns = op.weight.shape
            budget = interval * graph.tokens // graph.frame_tokens(op.source)
            tiles = itertools.product(divisors(columns), divisors(rows))
            best = min(i * o for i, o in tiles if (columns // i) * (rows // o) <= budget)
            assert foldings[op.name].multipliers == best
            assert foldings[op.name].cycles <= budget


def test_every_stage_keeps_the_interval_and_its_lanes_divide_its_channels():
    for item in operation_cases():
        for name, folding in fold(item.graph, 12).items():
            op = item.graph[name]
            assert op.channels % folding.output == 0
            assert all(item.graph[s].channels % n == 0 for s, n in zip(op.sources, folding.sources, strict=True))


@pytest.mark.parametrize("interval", [1, 3, 4, 10, 36, 100])
def test_a_convolution_has_the_fewest_multipliers_that_keep_the_interval(interval):
    op = convolution(np.random.default_rng(0), 12, (3, 3), (1, 1), 2, 8)
    folding = fold(case("square", np.random.default_rng(0), 4, 12, op).graph, interval)["convolution"]
    tiles = itertools.product(divisors(12), divisors(9))
    assert folding.multipliers == min(i * o for i, o in tiles if (12 // i) * (9 // o) <= interval)
    assert folding.multipliers == folding.output * folding.taps
    assert folding.cycles == 12 * 9 // folding.multipliers <= interval


def test_a_long_ring_is_not_copied_to_spare_lanes():
    rng = np.random.default_rng(0)
    near, far = causal(rng, 12, 4, 512, 8), convolution(rng, 12, (2, 2), (1, 1), 256, 8)
    foldings = [fold(case("ring", rng, 512, 12, op).graph, 4)["convolution"] for op in (near, far)]
    assert [folding.multipliers for folding in foldings] == [12, 12]
    assert [folding.taps for folding in foldings] == [4, 1]


def test_multipliers_of_a_scan():
    """Four for each state lane, two for each channel lane, one more for each segment look-up."""
    table, segments = (scan(np.random.default_rng(0), 6, 4, kind, INT8, 3) for kind in (False, True))
    assert scan_stage.multipliers(table, 3, 2) == 3 * (2 * 4 + 2)
    assert scan_stage.multipliers(segments, 3, 2) == 3 * (2 * 5 + 2)


def test_an_interval_that_the_state_loop_cannot_keep_is_refused():
    graph = next(item.graph for item in operation_cases() if str(item) == "scan_table")
    with pytest.raises(ConfigError, match="scan needs 3 cycles") as caught:
        fold(graph, 2)
    assert "at least 3" in caught.value.hint


def test_a_stage_behind_the_pool_has_the_whole_frame():
    rng = np.random.default_rng(0)
    pool = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=2)
    head = dataclasses.replace(linear(rng, 6, 10, 5), source="pool")
    graph = case("pooled", rng, 5, 6, pool, head).graph
    assert fold(graph, 12)["linear"].multipliers == 1


def test_a_stage_behind_a_flatten_has_the_cycles_of_all_its_tokens():
    head = dataclasses.replace(linear(np.random.default_rng(0), 6, 10, 5), source="pairs")
    graph = case("pairs", np.random.default_rng(0), 8, 3, flatten("pairs", "input", 6), head).graph
    assert fold(graph, 30)["linear"].multipliers == 1
    assert fold(graph, 15)["linear"].multipliers == 2
