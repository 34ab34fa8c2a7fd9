"""The cost model beside Yosys: multipliers and memory bits of many designs, LUTs and flip-flops of ten.

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
def built(index, form):
    return both(CASES[index].graph, INTERVALS[index % 4], form)


def both(graph, interval, form):
    """Circuit and costs; `form` says where weights lie, or that products share multiplications."""
    foldings, loadable = fold(graph, interval, packing=form == "packed"), form == "ram"
    return build(graph, interval, foldings, loadable), components(graph, foldings, loadable)


FORMS = [pytest.param(form, marks=pytest.mark.xdist_group(f"cost {form}")) for form in ("rom", "ram", "packed")]


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return request.param


@pytest.fixture(scope="module")
def counted(form, tmp_path_factory):
    """For each case, the multiplication cells and the bits of memories in its circuit."""
    folder, commands = tmp_path_factory.mktemp("stat"), []
    for index in range(len(CASES)):
        (folder / f"{index}.il").write_text(built(index, form)[0].rtlil)
        commands += [f"read_rtlil {index}.il", f"tee -q -o {index}.json stat -json", "design -reset"]
    yosys(commands, folder)
    return [_counts(json.loads((folder / f"{index}.json").read_text())) for index in range(len(CASES))]


def _counts(stat):
    modules = stat["modules"].values()
    products = sum(module["num_cells_by_type"].get("$mul", 0) for module in modules)
    return products, sum(module["num_memory_bits"] for module in modules)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[str(case) for case in CASES])
def test_multiplications_and_memory_bits_are_those_of_the_circuit(index, form, counted):
    circuit, costs = built(index, form)
    whole = total(list(costs.values()))
    assert (whole.dsp, whole.memory_bits) == counted[index]
    assert circuit.multipliers == whole.multipliers
    assert [stage.multipliers for stage in circuit.stages] == [
        costs[stage.name].multipliers for stage in circuit.stages
    ]


@pytest.mark.xdist_group("cost packed")
def test_products_share_multiplications_in_networks():
    pairs = [
        total(list(built(index, "packed")[1].values())).pairs for index, it in enumerate(CASES) if "net" in str(it)
    ]
    assert sum(count > 0 for count in pairs) > 2


# Seed, interval, form: parallel and serial scans; stems, tables of tokens, and neither; one shift, and one a channel.
MAPPED = [
    (1, 12, "packed"), (0, 24, "rom"), (2, 4000, "rom"), (3, 12, "ram"), (3, 100, "rom"),
    (4, 500, "ram"), (7, 300, "ram"), (8, 12, "packed"), (10, 24, "ram"), (11, 100, "rom"),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "interval", "kind"), MAPPED)
def test_luts_and_flip_flops_are_those_of_the_synthesis_within_15_per_cent(seed, interval, kind):
    circuit, costs = both(random_network(seed, blocks=1).graph, interval, kind)
    mapped = synthesize(verilog(circuit.rtlil, circuit.top), circuit.top).totals
    estimated = total(list(costs.values()))
    assert estimated.dsp == mapped.DSP
    assert estimated.lut == pytest.approx(mapped.LUT, rel=0.15)
    assert estimated.ff == pytest.approx(mapped.FF, rel=0.15)
