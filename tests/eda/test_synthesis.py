"""Resources by component, and that nothing is left out or counted twice."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cases import case, linear, norm, operation_cases
from emamba.eda import synthesis
from emamba.eda.synthesis import synthesize
from emamba.eda.targets import ECP5, ICE40, XCUP, Resources
from emamba.eda.verilog import verilog
from emamba.errors import ToolError
from emamba.rtl import build
from networks import random_network

pytestmark = pytest.mark.xdist_group("synthesis")  # one worker makes what all of them look at


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(0)
    head = replace(linear(rng, 10, 6, 7), name="head", source="norm")
    return build(case("synthesis", rng, 4, 10, norm(10), head).graph, 3)


@pytest.fixture(scope="module")
def whole(small):
    return synthesize(verilog(small.rtlil, small.top), small.top)


def test_components_are_stages_and_links_and_their_multipliers_become_dsps(small, whole):
    assert set(whole.components) == {"input", "norm", "head", "links", "activity"}
    assert {name: whole.components[name].DSP for name in ("norm", "head")} == {"norm": 5, "head": 20}
    assert small.multipliers == whole.totals.DSP
    assert all(resources.LUT > 0 and resources.FF > 0 for resources in whole.components.values())
    written = whole.to_json()
    for kind, total in written["totals"].items():
        assert total == sum(component[kind] for component in written["components"])


def test_cells_of_modules_become_resources_of_components():
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
    assert synthesis._components(stat, "top", XCUP) == {
        "a": Resources(LUT=4, FF=5, BRAM=0.5, LUTRAM=10),
        "links": Resources(FF=3),
        "forks": Resources(LUT=1, FF=1),
    }


def test_each_child_is_in_one_part_with_all_that_is_inside_it():
    design = build(random_network(0).graph, 60)
    text = verilog(design.rtlil, design.top)
    parts = synthesis.parts(text, design.top)
    names = [synthesis._MODULE.findall(part) for part in parts]
    assert len(parts) == synthesis._PARTS
    assert max(map(len, parts)) < 2 * min(map(len, parts))
    assert all(found[0] == design.top for found in names)
    assert sorted(name for found in names for name in found[1:]) == sorted(synthesis._MODULE.findall(text)[1:])
    for part, found in zip(parts, names, strict=True):
        assert set(re.findall(r"^  \\(\S+)  \S+ +\($", part, re.MULTILINE)) == set(found[1:])


def test_the_parts_together_are_the_whole(small, whole, monkeypatch):
    """What abc finds depends on names, by a few LUTs; all else is counted out."""
    text = verilog(small.rtlil, small.top)
    assert len(synthesis.parts(text, small.top)) == 1
    monkeypatch.setattr(synthesis, "_PART_BYTES", len(text) // 2)
    assert len(synthesis.parts(text, small.top)) == 3
    parts = synthesize(text, small.top)
    assert list(parts.components) == list(whole.components)
    for name, resources in whole.components.items():
        assert replace(parts.components[name], LUT=0) == replace(resources, LUT=0)
        assert abs(parts.components[name].LUT - resources.LUT) <= max(2, resources.LUT // 20)


def test_an_unknown_cell_is_not_passed_over():
    stat = {"modules": {"\\top": {"num_cells_by_type": {"URAM288": 1}}}}
    with pytest.raises(ToolError, match="1 cells of type URAM288"):
        synthesis._components(stat, "top", XCUP)


def test_verilog_that_is_none_is_a_tool_error():
    with pytest.raises(ToolError):
        synthesize("module broken(", "broken")


def test_a_graph_without_products_needs_no_dsp():
    flatten = next(item.graph for item in operation_cases() if str(item) == "flatten")
    design = build(flatten, 24)
    assert synthesize(verilog(design.rtlil, design.top), design.top).totals.DSP == 0


def test_another_target_has_the_same_multipliers_in_other_cells(small, whole):
    mapped = synthesize(verilog(small.rtlil, small.top), small.top, ECP5)
    assert mapped.target == "ecp5"
    assert set(mapped.components) == set(whole.components)
    assert mapped.totals.DSP == whole.totals.DSP
    assert mapped.totals.LUT > whole.totals.LUT > 0 < mapped.totals.FF


def test_ice40_multiplies_16_bits_so_that_wider_products_take_two_blocks(small, whole):
    mapped = synthesize(verilog(small.rtlil, small.top), small.top, ICE40)
    assert set(mapped.components) == set(whole.components)
    assert mapped.components["head"].DSP == whole.components["head"].DSP
    assert mapped.components["norm"].DSP == 2 * whole.components["norm"].DSP
    assert mapped.totals.LUT > 0 < mapped.totals.FF
    assert mapped.totals.LUTRAM == 0
