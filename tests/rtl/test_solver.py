import dataclasses
import itertools

import numpy as np
import pytest

from cases import INT8, case, linear, operation_cases, random_network
from emamba.errors import ConfigError
from emamba.graph import Linear, Pool
from emamba.rtl import cost
from emamba.rtl.folding import candidates
from emamba.rtl.primitives import total
from emamba.rtl.solver import fewest_multipliers, fold


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


@pytest.mark.parametrize("interval", [6, 12, 24])
def test_no_other_design_with_as_few_multipliers_is_smaller(interval):
    rng = np.random.default_rng(0)
    middle = dataclasses.replace(linear(rng, 12, 6, 5), name="middle", source="first")
    last = dataclasses.replace(linear(rng, 6, 4, 5), name="last", source="middle")
    graph = case("chain", rng, 3, 4, dataclasses.replace(linear(rng, 4, 12, 5), name="first"), middle, last).graph
    found = fold(graph, interval)
    choices = [
        [it for it in candidates(graph, op) if it.cycles <= interval and it.multipliers == found[op.name].multipliers]
        for op in graph.operations
    ]
    assert np.prod([len(known) for known in choices]) > 10
    areas = [area(graph, dict(zip(found, chosen, strict=True))) for chosen in itertools.product(*choices)]
    assert area(graph, found) == pytest.approx(min(areas))


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
