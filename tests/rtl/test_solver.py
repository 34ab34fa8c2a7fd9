import dataclasses
import itertools

import numpy as np
import pytest

from cases import INT8, case, causal, convolution, flatten, linear, operation_cases
from emamba.errors import ConfigError
from emamba.graph import Linear, Pool
from emamba.rtl import cost
from emamba.rtl.folding import candidates, packed
from emamba.rtl.primitives import total
from emamba.rtl.solver import fewest_multipliers, fold
from networks import random_network


@pytest.mark.parametrize("interval", [4, 7, 16, 50, 400])
def test_every_stage_keeps_the_interval_with_the_fewest_multipliers_that_can(interval):
    graph = random_network(0).graph
    foldings = fold(graph, interval)
    for op in graph.operations:
        budget = interval * graph.tokens // graph.frame_tokens(op.sources[0] if op.sources else op.name)
        fast = [folding for folding in candidates(graph, op) if folding.cycles <= budget]
        assert foldings[op.name] in fast
        assert foldings[op.name].multipliers == min(folding.multipliers for folding in fast)


def area(graph, foldings):
    stages = [cost.stage(graph, op, foldings[op.name]) for op in graph.operations]
    links = [
        cost.link(graph[name].dtype, foldings[name].output, lanes, 0)
        for op in graph.operations
        for name, lanes in zip(op.sources, foldings[op.name].sources, strict=True)
    ]
    return total([*stages, *links]).area


def known(graph, op, packing):
    return [packed(graph, op, folding) if packing else folding for folding in candidates(graph, op)]


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("interval", [6, 12, 24])
def test_no_other_design_with_as_few_multipliers_is_smaller(interval, packing):
    rng = np.random.default_rng(0)
    middle = dataclasses.replace(linear(rng, 12, 6, 5), name="middle", source="first")
    last = dataclasses.replace(linear(rng, 6, 4, 5), name="last", source="middle")
    graph = case("chain", rng, 3, 4, dataclasses.replace(linear(rng, 4, 12, 5), name="first"), middle, last).graph
    found = fold(graph, interval, packing=packing)
    choices = [
        [
            it
            for it in known(graph, op, packing)
            if it.cycles <= interval and it.multipliers == found[op.name].multipliers
        ]
        for op in graph.operations
    ]
    assert np.prod([len(known) for known in choices]) > 10
    areas = [area(graph, dict(zip(found, chosen, strict=True))) for chosen in itertools.product(*choices)]
    assert area(graph, found) == pytest.approx(min(areas))
    assert any(folding.pairs for folding in found.values()) == packing


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
    assert isinstance(graph.output, Linear)
    assert fold(graph, 12)["linear"].multipliers == 1
    assert fold(graph, 12, tail_cycles=20)["linear"].multipliers == 3
    assert fewest_multipliers(graph, 12, 20) == 3


@pytest.mark.parametrize("interval", [1, 3, 4, 10, 36, 100])
def test_a_convolution_has_the_fewest_multipliers_that_keep_the_interval(interval):
    op = convolution(np.random.default_rng(0), 12, (3, 3), (1, 1), 2, 8)
    folding = fold(case("square", np.random.default_rng(0), 4, 12, op).graph, interval)["convolution"]
    tiles = itertools.product((1, 2, 3, 4, 6, 12), (1, 3, 9))
    assert folding.multipliers == min(i * o for i, o in tiles if (12 // i) * (9 // o) <= interval)
    assert folding.multipliers == folding.output * folding.taps
    assert folding.cycles == 12 * 9 // folding.multipliers <= interval


def test_a_long_ring_is_not_copied_to_spare_lanes():
    rng = np.random.default_rng(0)
    near, far = causal(rng, 12, 4, 512, 8), convolution(rng, 12, (2, 2), (1, 1), 256, 8)
    foldings = [fold(case("ring", rng, 512, 12, op).graph, 4)["convolution"] for op in (near, far)]
    assert [folding.multipliers for folding in foldings] == [12, 12]
    assert [folding.taps for folding in foldings] == [4, 1]


def test_a_stage_behind_a_flatten_has_the_cycles_of_all_its_tokens():
    head = dataclasses.replace(linear(np.random.default_rng(0), 6, 10, 5), source="pairs")
    graph = case("pairs", np.random.default_rng(0), 8, 3, flatten("pairs", "input", 6), head).graph
    assert fold(graph, 30)["linear"].multipliers == 1
    assert fold(graph, 15)["linear"].multipliers == 2
