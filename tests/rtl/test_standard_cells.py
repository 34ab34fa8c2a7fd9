"""Area and energy by the cost model: by hand, beside the published measurements of MARS, and beside a mapping."""

import re
from pathlib import Path

import numpy as np
import pytest

from emamba.eda import pdk
from emamba.eda.cells import map_cells
from emamba.eda.gates import evaluate, flattened
from emamba.eda.power import power
from emamba.eda.verilog import verilog
from emamba.errors import ConfigError
from emamba.flow import zoo
from emamba.rtl import build, solve
from emamba.rtl.estimate import Estimate, estimate
from emamba.rtl.performance import Performance
from emamba.rtl.primitives import Cost
from emamba.rtl.solver import fold
from emamba.rtl.standard_cells import CLOCKED, PRICES, UNITS, Prices, chips, in_cells
from networks import random_network

DOCS = (Path(__file__).parents[2] / "docs" / "silicon.md").read_text()


def test_an_estimate_is_the_sum_of_what_is_counted():
    one = Cost(lut=2, ff=3, shift_bits=1, product_bits=5, ram_bits=7, copied_bits=9, rom_bits=11)
    found = Estimate({"a": one, "b": Cost(ff=6)}, {"a": one * 10, "b": Cost()}, Performance(40, 20), 0)
    prices = Prices((1e6, 1e5, 1e4, 1e3, 1e2, 1e1), (1e6, 1e5, 1e4, 1e3, 1e2, 1e1), (3.0, 1.0), 1, 0.1, 0.2)
    made = in_cells(found, prices)
    assert made.area_mm2 == pytest.approx(2 + 1 + 0.05 + 0.007 + 0.0009 + 0.00011)
    assert made.energy_nj == pytest.approx(10 * (2 + 0.4 + 0.05 + 0.007 + 0.0009 + 0.00011) + 20 * (3 * 10 + 7) * 1e-6)


@pytest.mark.parametrize("name", PRICES)
def test_prices_say_how_far_off_they_are(name):
    prices = PRICES[name]
    assert (len(prices.area_um2), len(prices.work_fj), len(prices.clock_fj)) == (len(UNITS), len(UNITS), len(CLOCKED))
    assert min(*prices.area_um2, *prices.work_fj, *prices.clock_fj) >= 0
    assert f"{prices.designs} measured designs was off by at most {prices.area_error:.0%} in area" in str(prices)


@pytest.mark.parametrize(("column", "interval", "latency"), [(0, 400, 9000), (2, 20, 650)])
def test_mars_takes_what_the_documents_say_within_10_per_cent(column, interval, latency):
    graph = zoo.graph("mars_fast")
    found = chips(estimate(graph, solve(graph, interval, latency)))
    for row, unit in (("area, mm²", "mm2"), ("energy a frame, nJ", "nj")):
        cells = re.search(rf"^\| {row} \| (.*) \|$", DOCS, re.MULTILINE)[1].replace(",", "").split(" | ")
        for place, name in enumerate(("sky130", "asap7")):
            assert found[f"{name}_{unit}"] == pytest.approx(float(cells[column + place]), rel=0.1)


def test_a_random_network_takes_in_cells_what_the_model_says_within_20_per_cent():
    """None of those that the prices come from: of other sizes and widths, untrained, on frames of noise."""
    try:
        library = pdk.library("asap7")
    except ConfigError as error:
        pytest.skip(f"{error.message}; {error.hint}")
    case = random_network(2, blocks=1)
    foldings = fold(case.graph, 200)
    expected = in_cells(estimate(case.graph, foldings), PRICES["asap7"])
    design = build(case.graph, 200, foldings)
    netlist = map_cells(verilog(design.rtlil, design.top), design.top, library, 100)
    instances = flattened(netlist, library)
    frames = np.resize(case.frames, (128, *case.frames.shape[1:]))
    taken = power(instances, library, evaluate(instances, design, frames), 100)
    assert expected.area_mm2 == pytest.approx(netlist.totals.total * 1e-6, rel=0.2)
    assert expected.energy_nj == pytest.approx(taken.energy_nj, rel=0.2)
