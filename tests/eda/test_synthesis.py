"""Resources by component, and that nothing is left out or counted twice."""

import numpy as np
import pytest

from cases import case, linear, norm, operation_cases
from emamba.eda import synthesis
from emamba.eda.synthesis import Resources, synthesize
from emamba.eda.verilog import verilog
from emamba.errors import ToolError
from emamba.graph import Linear
from emamba.rtl import build


def test_components_are_stages_and_links_and_their_multipliers_become_dsps():
    rng = np.random.default_rng(0)
    op = linear(rng, 10, 6, 7)
    head = Linear(**{**vars(op), "name": "head", "source": "norm"})
    graph = case("synthesis", rng, 4, 10, norm(10), head).graph
    design = build(graph, 10)
    found = synthesize(verilog(design.rtlil, design.top), design.top)
    assert set(found.components) == {"input", "norm", "head", "links"}
    assert {name: found.components[name].DSP for name in ("norm", "head")} == {"norm": 1, "head": 6}
    assert design.multipliers == found.totals.DSP
    assert all(resources.LUT > 0 and resources.FF > 0 for resources in found.components.values())
    written = found.to_json()
    for kind, total in written["totals"].items():
        assert total == sum(component[kind] for component in written["components"])


def test_the_sum_of_the_components_is_what_yosys_counts():
    """The same cells, counted by module and for the design."""
    cells = {"LUT6": 3, "LUT2": 1, "FDRE": 5, "RAMB18E2": 1, "RAM32M16": 1, "SRL16E": 2, "CARRY4": 9, "$scopeinfo": 2}
    stat = {
        "modules": {
            "\\top": {"num_cells_by_type": {"\\top.a": 1, "\\top.link_a_to_b_source": 1, "top.fork_a": 1}},
            "\\top.a": {"num_cells_by_type": cells},
            "\\top.link_a_to_b_source": {"num_cells_by_type": {"FDRE": 2}},
            "\\top.link_b_to_c_source": {"num_cells_by_type": {"FDRE": 1}},
            "\\top.fork_a": {"num_cells_by_type": {"FDSE": 1, "INV": 1}},
        }
    }
    assert synthesis._components(stat, "top") == {
        "a": Resources(LUT=4, FF=5, BRAM=0.5, LUTRAM=10),
        "links": Resources(FF=3),
        "forks": Resources(LUT=1, FF=1),
    }


def test_an_unknown_cell_is_not_passed_over():
    stat = {"modules": {"\\top": {"num_cells_by_type": {"URAM288": 1}}}}
    with pytest.raises(ToolError, match="1 cells of type URAM288"):
        synthesis._components(stat, "top")


def test_verilog_that_is_none_is_a_tool_error():
    with pytest.raises(ToolError):
        synthesize("module broken(", "broken")


def test_wires_alone_need_nothing():
    flatten = next(item.graph for item in operation_cases() if str(item) == "flatten")
    design = build(flatten, 24)
    assert synthesize(verilog(design.rtlil, design.top), design.top).totals.DSP == 0
