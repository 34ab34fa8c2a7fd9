import pytest

from emamba.rtl import build
from emamba.rtl.estimate import estimate, products
from emamba.rtl.folding import candidates
from emamba.rtl.solver import fold, tokens_read
from networks import random_network


@pytest.mark.parametrize(("seed", "interval"), [(0, 16), (4, 60)])
def test_an_estimate_covers_each_component_once(seed, interval):
    graph = random_network(seed).graph
    found = estimate(graph, fold(graph, interval))
    assert list(found.components) == [*(op.name for op in graph.operations), "links", "forks"]
    assert found.total.multipliers == build(graph, interval).multipliers
    assert found.total.lut == pytest.approx(sum(cost.lut for cost in found.components.values()))
    assert found.components["forks"].ff > 0


def test_a_component_works_for_no_longer_than_a_frame():
    graph = random_network(4).graph
    found = estimate(graph, fold(graph, 60))
    frame = found.performance.cycles_per_frame
    shares = {name: found.worked[name].ff / (cost.ff * frame) for name, cost in found.components.items() if cost.ff}
    assert max(shares.values()) == 1, "that of the slowest stage"
    assert min(shares.values()) > 0
    assert found.work.product_bits == pytest.approx(sum(it.product_bits for it in found.worked.values()))


def test_multipliers_of_a_faster_design_are_busier_where_they_divide_the_work():
    graph = random_network(0).graph
    slow, fast = (estimate(graph, fold(graph, interval)) for interval in (4000, 8))
    assert 0 < slow.multiplier_use < fast.multiplier_use <= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_design_with_one_multiplier_a_product_does_each_product_once(seed):
    """At an interval of one cycle, if it could be, every multiplier would do one product a token."""
    graph = random_network(seed).graph
    whole = {
        op.name: max(candidates(graph, op), key=lambda it: (it.multipliers, -it.cycles)) for op in graph.operations
    }
    each = {op.name: whole[op.name].multipliers * tokens_read(graph, op) for op in graph.operations}
    assert products(graph) == sum(each.values())
