"""The simulated Verilog against the golden executor, bit for bit, every tensor, with and without stalls;
and the modelled cycles against the simulated ones.

Compiling is what costs, so that one simulator serves all runs of a case.
"""

import numpy as np
import pytest

from cases import Case, operation_cases, reweighted
from emamba.eda.simulation import Simulation, simulate
from emamba.eda.simulator import Simulator, build_simulator, build_simulators
from emamba.eda.verilog import verilog
from emamba.graph import Graph, arrays, run
from emamba.rtl import build, elements
from emamba.rtl.folding import Folding, candidates, packed
from emamba.rtl.performance import Performance, performance
from emamba.rtl.solver import fold
from networks import random_network

# Cycles between two tokens: fully parallel, in between, and one multiplier an operation.
INTERVALS = (4, 24, 4000)


def simulator(case: Case, interval_cycles: int, folder, loadable: bool = False, packing: bool = False) -> Simulator:
    foldings = fold(case.graph, interval_cycles, packing=packing)
    assert any(folding.pairs for folding in foldings.values()) == packing
    design = build(case.graph, interval_cycles, foldings, loadable)
    return build_simulator(design, verilog(design.rtlil, design.top), folder, optimised=False)


def check_all(case: Case, built: Simulator, **options) -> Simulation:
    """Simulates the frames of `case` and compares every element of every tensor."""
    simulation = simulate(built, case.frames, trace=range(len(case.frames)), **options)
    expected = run(case.graph, case.frames)
    different = [name for name, tensor in expected.items() if not np.array_equal(tensor, simulation.tensors[name])]
    assert different == []
    assert np.array_equal(simulation.outputs, expected[case.graph.output.name])
    return simulation


@pytest.mark.parametrize("case", operation_cases(), ids=str)
def test_every_operation_gives_the_golden_integers(case: Case, simulators):
    index = [str(other) for other in operation_cases()].index(str(case))
    built = simulator(case, INTERVALS[index % len(INTERVALS)], simulators)
    check_all(case, built)
    for seed in range(4):
        check_all(case, built, seed=seed)


def slowest_stage(case: Case, built: Simulator) -> int:
    """Cycles a frame of the stage that has most to do: no pipeline is faster."""
    graph, stages = case.graph, built.design.stages
    return max(stage.cycles * graph.frame_tokens(source) for stage in stages for source in stage.sources)


def test_products_that_share_multiplications_give_the_golden_integers(simulators):
    """A few tiles of each linear operation that can have pairs; `rtl.test_linear` has them all, but not as Verilog."""
    pairs: list[tuple[Case, dict[str, Folding]]] = []
    for case in operation_cases():
        graph, last = case.graph, case.graph.output
        found = [packed(graph, last, folding) for folding in candidates(graph, last)]
        few = [folding for folding in found if folding.pairs and folding.multipliers < 25][::4]
        pairs += [(case, {**fold(graph, 4), last.name: folding}) for folding in few]
    assert len(pairs) > 10
    designs = [build(case.graph, 4000, foldings) for case, foldings in pairs]
    texts = [(design, verilog(design.rtlil, design.top)) for design in designs]
    for (case, _), built in zip(pairs, build_simulators(texts, simulators, optimised=False), strict=True):
        check_all(case, built)
        check_all(case, built, seed=1)


NETWORKS = [
    (3, 9, False),
    (0, 16, False),
    (5, 12, False),
    (1, 60, False),
    (2, 400, False),
    (4, 10, True),
    (1, 12, True),
]


@pytest.mark.parametrize(("seed", "interval_cycles", "packing"), NETWORKS)
def test_networks_give_the_golden_integers(seed: int, interval_cycles: int, packing: bool, simulators):
    case = random_network(seed)
    built = simulator(case, interval_cycles, simulators, packing=packing)
    measured = check_all(case, built)
    assert measured.cycles_per_frame == slowest_stage(case, built), "a FIFO is too small"
    modelled = performance(case.graph, fold(case.graph, interval_cycles, packing=packing))
    assert modelled == Performance(measured.latency_cycles, measured.cycles_per_frame)
    check_all(case, built, seed=seed)
    beats = case.graph.tokens * built.design.input.beats
    for stalls, reset_after in ((None, 1), (7, beats + beats // 2), (8, 2 * beats)):
        check_all(case, built, seed=stalls, reset_after=reset_after)


@pytest.mark.parametrize(("seed", "interval_cycles"), [(3, 9), (1, 60), (2, 400)])
def test_loaded_weights_give_the_golden_integers_of_their_own_graph(seed: int, interval_cycles: int, simulators):
    """At first those of the graph; then others, also the largest there are; some of them; all again after a reset."""
    case = random_network(seed)
    built = simulator(case, interval_cycles, simulators, loadable=True)
    regions, rng = built.design.regions, np.random.default_rng(seed)
    modelled = performance(case.graph, fold(case.graph, interval_cycles))
    found = check_all(case, built)
    assert modelled == Performance(found.latency_cycles, found.cycles_per_frame)
    for extreme in (False, True):
        other = Case(reweighted(case.graph, regions, rng, extreme), case.frames)
        written = elements(case.graph, regions, other.graph)
        for stalls in (None, 1, 2):
            check_all(other, built, weights=written, seed=stalls)
        check_all(other, built, weights=written, seed=3, reset_after=case.graph.tokens * built.design.input.beats + 1)
        again = elements(case.graph, regions, case.graph)
        check_all(case, built, weights=np.concatenate([written, again]))
    part = [region for region in regions if region.tensor == "head"]
    mixed = Graph(case.graph.name, case.graph.tokens, (*case.graph.operations[:-1], other.graph.output))
    check_all(Case(mixed, case.frames), built, weights=elements(case.graph, part, mixed))


def test_operations_take_other_weights(simulators):
    """Each that has weights, alone."""
    cases = [case for case in operation_cases() if arrays(case.graph.output).keys() & {"weight", "rate", "table"}]
    assert len(cases) > 20
    rng = np.random.default_rng(0)
    designs = [build(case.graph, INTERVALS[index % 3], loadable=True) for index, case in enumerate(cases)]
    texts = [(design, verilog(design.rtlil, design.top)) for design in designs]
    for case, built in zip(cases, build_simulators(texts, simulators, optimised=False), strict=True):
        other = Case(reweighted(case.graph, built.design.regions, rng, extreme=True), case.frames)
        check_all(other, built, weights=elements(case.graph, built.design.regions, other.graph), seed=1)
        check_all(case, built)
