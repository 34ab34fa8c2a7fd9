"""A design in cells of a made-up library: areas by component, and that nothing is left out or counted twice."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from cases import scan_case
from emamba.eda import cells
from emamba.eda.cells import Area, buffered, map_cells, measured
from emamba.eda.verilog import verilog
from emamba.eda.yosys import yosys
from emamba.errors import ToolError
from emamba.rtl import build

CASE = scan_case("cells", 1, 3, 4)


@pytest.fixture(scope="module")
def design():
    built = build(CASE.graph, 24)
    return built.top, verilog(built.rtlil, built.top)


@pytest.fixture(scope="module")
def netlist(design, tiny_library):
    top, text = design
    return map_cells(text, top, tiny_library, 100)


def test_areas_of_components_add_up_to_what_yosys_says_of_the_netlist(netlist, tiny_library, tmp_path):
    (tmp_path / "netlist.v").write_text(netlist.verilog)
    liberty, top = tiny_library.paths[0], f"hierarchy -top {netlist.top}"
    statistics = f"tee -q -o stat.json stat -json -liberty {liberty}"
    yosys([f"read_liberty -lib {liberty}", "read_verilog netlist.v", top, statistics], tmp_path)
    whole = json.loads((tmp_path / "stat.json").read_text())["design"]
    assert netlist.totals.total == pytest.approx(whole["area"])
    assert netlist.cells == sum(count for kind, count in whole["num_cells_by_type"].items() if "tiny" in kind)
    written = netlist.to_json()
    for kind, whole in written["areas_um2"].items():
        assert whole == pytest.approx(sum(component[kind] for component in written["components"]))
    assert written["area_um2"] == pytest.approx(sum(written["areas_um2"].values()))
    assert written["gate_equivalents"] == round(written["area_um2"] / 2)


def test_components_are_stages_and_links_and_memories_are_counted_apart(netlist, tiny_library):
    assert {"scan", "links"} <= set(netlist.components)
    states = CASE.graph["scan"].state.bits * 3 * 4
    assert netlist.components["scan"].memory == states * tiny_library.cells["tiny_dff"].area
    assert netlist.components["scan"].gates > 0
    assert netlist.components["scan"].logic > netlist.components["scan"].registers > 0
    assert "tiny_dffe" not in netlist.verilog


def test_without_clock_gates_enables_are_logic(design, tiny_library, netlist):
    top, text = design
    ungated = {name: cell for name, cell in tiny_library.cells.items() if not cell.gate}
    found = map_cells(text, top, replace(tiny_library, cells=ungated), 100)
    assert found.totals.gates == 0
    assert (found.totals.memory, found.totals.registers) == (netlist.totals.memory, netlist.totals.registers)
    assert found.totals.logic > netlist.totals.logic + netlist.totals.gates


def test_the_parts_together_are_the_whole(design, tiny_library, netlist, monkeypatch):
    """What ABC finds depends on the parts by a few gates; flip-flops do not."""
    top, text = design
    monkeypatch.setattr("emamba.eda.synthesis._PART_BYTES", len(text) // 3)
    found = map_cells(text, top, tiny_library, 100)
    assert list(found.components) == list(netlist.components)
    for name, area in netlist.components.items():
        assert replace(found.components[name], logic=0) == replace(area, logic=0)
        assert found.components[name].logic == pytest.approx(area.logic, rel=0.05)


def test_a_cell_is_counted_by_what_it_is(tiny_library):
    text = "\n".join(
        [
            "module \\top.a (x);",
            "  tiny_dff \\memory_3_  (\n    .D(x)\n  );",
            "  tiny_dff _2_ (\n    .D(x)\n  );",
            "  tiny_gate _3_ (\n    .CK(x)\n  );",
            "  tiny_nor2 _4_ (\n    .A(x)\n  );",
            "endmodule\n",
        ]
    )
    assert measured(text, "top", tiny_library).components == {"a": Area(logic=2, registers=8, memory=8, gates=4)}
    with pytest.raises(ToolError, match=r"a cell tiny_rom that tiny does not have"):
        measured(text.replace("tiny_nor2", "tiny_rom"), "top", tiny_library)


def test_a_net_that_goes_to_many_flip_flops_gets_a_tree_of_buffers(tiny_library):
    cells = "".join(f"  tiny_dff _{i}_ (\n    .C(clk),\n    .D(x[3]),\n    .Q(q{i})\n  );\n" for i in range(105))
    module = f"module a (clk, x);\n{cells}  tiny_inv _i_ (\n    .A(x[3]),\n    .Y(y)\n  );\nendmodule\n"
    found = buffered(module, tiny_library)
    pins = re.findall(r"\.([AD])\((.*)\)", found)
    fanout = Counter(net for _, net in pins)
    assert found.count("tiny_buf") == 11 + 2
    assert fanout["x[3]"] == 3, "the inverter, and two buffers"
    assert max(fanout.values()) == 10
    assert sorted(Counter(net for pin, net in pins if pin == "D").values()) == [5, *[10] * 10]
    assert found.count(".C(clk)") == 105
    few = module.replace(cells, "".join(cells.splitlines(keepends=True)[:50]))
    assert buffered(few, tiny_library) == few
    bare = replace(tiny_library, cells={name: cell for name, cell in tiny_library.cells.items() if name != "tiny_buf"})
    assert buffered(module, bare) == module


def test_verilog_that_is_none_is_a_tool_error(tiny_library):
    with pytest.raises(ToolError):
        map_cells("module broken(", "broken", tiny_library, 100)


def test_the_clock_gate_with_the_fewest_pins_is_taken(tiny_library):
    gate = tiny_library.cells["tiny_gate"]
    tested = replace(gate, name="small_gate", area=1.0, gate={**gate.gate, "test": "T"})
    both = replace(tiny_library, cells={**tiny_library.cells, "small_gate": tested})
    assert cells._gating(both) == ["clockgate -pos tiny_gate EN:CK:GCK  -min_net_size 4"]
    only = replace(tiny_library, cells={"small_gate": tested})
    assert cells._gating(only) == ["clockgate -pos small_gate EN:CK:GCK -tie_lo T -min_net_size 4"]
