import numpy as np

from emamba.fixed import Integer
from emamba.fuzz.growth import Growth
from emamba.graph import Graph, check, run


def grown(mixed: bool) -> Growth:
    growth = Growth(np.random.default_rng(3), 6, 4, Integer(8), mixed)
    x = growth.linear("x", "input", 8)
    x = growth.add(growth.convolution(x), "around", source=x)
    growth.add(growth.silu(x, Integer(6)), "curved", Integer(6), source=x)
    return growth


def test_its_tensors_are_those_of_the_golden_executor_and_lively():
    growth = grown(mixed=False)
    graph = check(Graph("grown", 6, tuple(growth.operations)))
    for name, tensor in run(graph, growth.frames).items():
        assert np.array_equal(tensor, growth.tensors[name])
        assert np.unique(tensor).size > 10, name
    assert growth.type("curved") == Integer(6)


def test_mixed_channels_have_shifts_of_their_own():
    spreads = {mixed: np.ptp(grown(mixed).operations[1].shift) for mixed in (False, True)}
    assert spreads[False] == 0 < spreads[True]
