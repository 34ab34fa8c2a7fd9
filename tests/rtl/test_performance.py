"""The model of the control beside Amaranth's simulator; `conformance/test_rtl.py` puts it beside Verilator's."""

import numpy as np
import pytest

from cases import operation_cases
from emamba.graph import Flatten, Linear, Pool
from emamba.rtl.buffers import slowest
from emamba.rtl.build import Accelerator
from emamba.rtl.performance import network, performance
from emamba.rtl.solver import fold
from networks import random_network
from streams import drive, to_beats

CASES = operation_cases()
INTERVALS = (4, 24, 4000)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_frames_leave_when_the_circuit_lets_them(case):
    graph, frames = case.graph, case.frames[:3]
    interval = INTERVALS[[str(other) for other in CASES].index(str(case)) % 3]
    foldings = fold(graph, interval)
    modelled = network(graph, foldings)
    beats = to_beats(frames, foldings[graph.input.name].output)
    flow = drive(Accelerator(graph, foldings), {"input": beats}, 3 * modelled.output_beats)
    measured = flow.cycles[modelled.output_beats - 1 :: modelled.output_beats]
    assert np.diff(modelled.run(3)).tolist() == np.diff(measured).tolist()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("interval", [9, 60])
def test_a_network_is_as_fast_as_its_slowest_stage(seed, interval):
    graph = random_network(seed).graph
    foldings = fold(graph, interval)
    found = performance(graph, foldings, frames=5)
    assert found == performance(graph, foldings)
    assert slowest(graph, foldings) == found.cycles_per_frame <= interval * graph.tokens
    assert found.latency_cycles > found.cycles_per_frame


def test_the_stages_behind_a_pool_count_once_a_frame():
    graph = random_network(0).graph
    assert isinstance(graph["head_token"], Pool | Flatten)
    head = graph.output
    assert isinstance(head, Linear)
    foldings = fold(graph, 4)
    alone = {**fold(graph, 4000), head.name: foldings[head.name]}
    assert slowest(graph, foldings) >= alone[head.name].cycles
