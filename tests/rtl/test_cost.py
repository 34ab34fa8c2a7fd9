"""The cost model beside Yosys: multipliers and memory bits of many designs, LUTs and flip-flops of a few.

`emamba bench cost` checks LUTs and flip-flops on models of the zoo.
"""

import json
from functools import lru_cache

import pytest

from cases import operation_cases
from emamba.eda.synthesis import synthesize
from emamba.eda.verilog import verilog
from emamba.eda.yosys import yosys
from emamba.rtl import build
from emamba.rtl.estimate import components
from emamba.rtl.primitives import total
from emamba.rtl.solver import fold
from networks import random_network

CASES = [*operation_cases(), *(random_network(seed) for seed in range(6))]
INTERVALS = (4, 24, 90, 4000)


@lru_cache
def built(index, loadable):
    return both(CASES[index].graph, INTERVALS[index % 4], loadable)


def both(graph, interval, loadable):
    return build(graph, interval, loadable=loadable), components(graph, fold(graph, interval), loadable)


@pytest.fixture(scope="module", params=[False, True], ids=["rom", "ram"])
def loadable(request):
    return request.param


@pytest.fixture(scope="module")
def counted(loadable, tmp_path_factory):
    """For each case, the multiplication cells and the bits of memories in its circuit."""
    folder, commands = tmp_path_factory.mktemp("stat"), []
    for index in range(len(CASES)):
        (folder / f"{index}.il").write_text(built(index, loadable)[0].rtlil)
        commands += [f"read_rtlil {index}.il", f"tee -q -o {index}.json stat -json", "design -reset"]
    yosys(commands, folder)
    return [_counts(json.loads((folder / f"{index}.json").read_text())) for index in range(len(CASES))]


def _counts(stat):
    modules = stat["modules"].values()
    products = sum(module["num_cells_by_type"].get("$mul", 0) for module in modules)
    return products, sum(module["num_memory_bits"] for module in modules)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[str(case) for case in CASES])
def test_multipliers_and_memory_bits_are_those_of_the_circuit(index, loadable, counted):
    circuit, costs = built(index, loadable)
    whole = total(list(costs.values()))
    assert (whole.multipliers, whole.memory_bits) == counted[index]
    assert circuit.multipliers == whole.multipliers
    assert [stage.multipliers for stage in circuit.stages] == [
        costs[stage.name].multipliers for stage in circuit.stages
    ]


@pytest.mark.parametrize(("seed", "interval", "writable"), [(1, 40, False), (2, 200, False), (2, 200, True)])
def test_luts_and_flip_flops_are_those_of_the_synthesis_within_15_per_cent(seed, interval, writable):
    circuit, costs = both(random_network(seed).graph, interval, writable)
    mapped = synthesize(verilog(circuit.rtlil, circuit.top), circuit.top).totals
    estimated = total(list(costs.values()))
    assert estimated.lut == pytest.approx(mapped.LUT, rel=0.15)
    assert estimated.ff == pytest.approx(mapped.FF, rel=0.15)
