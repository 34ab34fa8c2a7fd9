import pytest

from cases import random_network
from emamba.rtl import build
from emamba.rtl.estimate import estimate
from emamba.rtl.solver import fold


@pytest.mark.parametrize(("seed", "interval"), [(0, 16), (4, 60)])
def test_an_estimate_covers_each_component_once(seed, interval):
    graph = random_network(seed).graph
    found = estimate(graph, fold(graph, interval), interval)
    assert list(found.components) == [*(op.name for op in graph.operations), "links", "forks"]
    assert found.total.multipliers == build(graph, interval).multipliers
    assert found.total.lut == pytest.approx(sum(cost.lut for cost in found.components.values()))
    assert found.components["forks"].ff > 0


def test_multipliers_of_a_faster_design_are_busier_where_they_divide_the_work():
    graph = random_network(0).graph
    slow, fast = (estimate(graph, fold(graph, interval), interval) for interval in (4000, 8))
    assert 0 < slow.multiplier_use < fast.multiplier_use <= 1
