"""That the shared cases can see a wrong saturation, and a wrong anything in a network."""

from collections import defaultdict

import numpy as np
import pytest

from cases import Case, operation_cases
from emamba.graph import Activation, Convolution, Input, Linear, golden, run, text
from emamba.graph.checks import WIDEST_SPREAD
from networks import random_network


@pytest.mark.parametrize("case", operation_cases(), ids=str)
def test_every_saturation_on_the_way_reaches_both_ends(case: Case, monkeypatch):
    found = defaultdict(list)

    def recording(limit):
        def limited(*arguments):
            result = limit(*arguments)
            found[arguments[-1]] += [int(result.min()), int(result.max())]
            return result

        return limited

    tensors = run(case.graph, case.frames)
    for name in ("saturate", "requantize"):
        monkeypatch.setattr(golden, name, recording(getattr(golden, name)))
    output = golden.execute(case.graph.output, tensors)
    for dtype, ends in found.items():
        assert (min(ends), max(ends)) == (dtype.lo, dtype.hi), dtype
    if isinstance(case.graph.output, Activation):
        assert (output.min(), output.max()) == case.graph.output.curve.limits


@pytest.mark.parametrize("seed", range(9))
def test_every_tensor_of_a_network_is_lively(seed: int):
    case = random_network(seed)
    for name, tensor in run(case.graph, case.frames).items():
        dtype = case.graph[name].dtype
        assert np.mean(tensor == 0) < 0.7, name
        assert np.mean((tensor == dtype.lo) | (tensor == dtype.hi)) < 0.7, name
        assert np.unique(tensor).size > 15, name


def test_networks_are_of_all_kinds():
    graphs = [random_network(seed).graph for seed in range(9)]
    kinds = {type(op).__name__ for graph in graphs for op in graph.operations}
    assert kinds == {*(type(case.graph.output).__name__ for case in operation_cases()), Input.__name__}
    assert len({graph.tokens for graph in graphs}) > 3
    assert {graph.frame_tokens(graph.output.name) == 1 for graph in graphs} == {True, False}
    assert len({graph.input.dtype for graph in graphs}) == 3


def test_shifts_of_channels_differ_in_odd_networks():
    for seed in range(9):
        spreads = [
            np.ptp(op.shift) for op in random_network(seed).graph.operations if isinstance(op, Linear | Convolution)
        ]
        assert max(spreads) == (WIDEST_SPREAD if seed % 2 else 0)
        assert np.mean(spreads) > 1 or seed % 2 == 0


def test_a_seed_gives_one_network():
    one, again, other = random_network(1), random_network(1), random_network(2)
    assert golden.predict(one.graph, one.frames).tolist() == golden.predict(again.graph, again.frames).tolist()
    assert text(one.graph) != text(other.graph).replace("network2", "network1")
