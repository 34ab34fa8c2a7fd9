"""Power by hand where every number is made up, and of a netlist that works on frames."""

from dataclasses import replace

import numpy as np
import pytest

from cases import scan_case
from emamba.eda.cells import map_cells
from emamba.eda.gates import Gates, Instance, evaluate, flattened
from emamba.eda.liberty import Cell, read
from emamba.eda.opensta import wire_ff
from emamba.eda.power import Watts, idle_us, power, powers
from emamba.eda.verilog import verilog
from emamba.errors import ConfigError
from emamba.rtl import build
from liberties import tiny_liberty


@pytest.fixture
def cells(tiny_library):
    """A register behind a clock gate, an inverter behind it, and a register of a memory that is always clocked."""
    of = tiny_library.cells
    return [
        Instance("a.gate", of["tiny_gate"], {"CK": "clk", "EN": "en", "GCK": "g"}),
        Instance("a.reg", of["tiny_dff"], {"C": "g", "D": "d", "Q": "q"}),
        Instance("link_x.inv", of["tiny_inv"], {"A": "q", "Y": "y"}),
        Instance("a.memory_1_", of["tiny_dff"], {"C": "clk", "D": "y", "Q": "z"}),
        Instance("", Cell("ports"), {"clk": "clk"}),
    ]


NETS = ("clk", "en", "g", "d", "q", "y", "z")
STILL = dict.fromkeys(NETS, 0.0)


def gates(toggles=STILL, high=STILL, resting=STILL):
    return Gates(np.zeros(0), 2, 100, 10, {**STILL, **toggles}, {**STILL, **high}, {**STILL, **resting})


def test_what_the_file_says_of_a_cell(tiny_library):
    """All tables say 1 fJ; a leaking flip-flop 2 nW; a pin 2 fF."""
    known = powers(tiny_library, {"tiny_dff", "tiny_inv"})
    assert known["tiny_dff"].leakage == 2
    assert {name: (pin.capacitance, pin.energy(50)) for name, pin in known["tiny_dff"].pins.items()} == {
        "D": (2, 0),
        "C": (2, 1),
        "Q": (0, 1),
    }


def test_a_design_that_stands_still_leaks_and_has_a_clock(tiny_library, cells):
    found = power(cells, tiny_library, gates(), 100)
    assert found.totals.leakage == pytest.approx((1 + 2 + 1 + 2) * 1e-6)
    assert (found.totals.logic, found.totals.memory) == (0, 0)
    # 1 fJ in each of two pins, and the charge of both, twice a cycle; 1 fJ at 100 MHz is 1e-4 mW.
    root = 2 * 0.5 * 2 * (2 + wire_ff(tiny_library))
    assert found.components["clock net"].clock == pytest.approx(root * 1e-4)
    assert found.components["a"].clock == pytest.approx((2 + 2 * 0) * 1e-4), "the gate's own clock pin has no table"
    assert found.idle_mw == pytest.approx(found.totals.total)


def test_every_change_has_its_price_and_belongs_to_a_component_and_a_kind(tiny_library, cells):
    still, load = power(cells, tiny_library, gates(), 100), 2 + wire_ff(tiny_library)
    one = power(cells, tiny_library, gates({"q": 4, "y": 5, "z": 3}), 100)
    # At 10 cycles a frame 1 fJ a frame is 1e-5 mW.
    assert one.components["a"].logic == pytest.approx(4 * (1 + 0.5 * load) * 1e-5)
    assert one.components["links"].logic == pytest.approx(5 * (1 + 0.5 * load) * 1e-5)
    assert one.components["a"].memory == pytest.approx(3 * 1 * 1e-5)
    assert one.totals.clock == still.totals.clock
    assert one.idle_mw == still.idle_mw


def test_a_gated_clock_costs_as_often_as_it_is_open(tiny_library, cells):
    shut, half = (power(cells, tiny_library, gates(high={"g": share}, resting={"g": share}), 100) for share in (0, 0.5))
    load = 2 + wire_ff(tiny_library)
    # Once a cycle: the gate's output with its load, and the register's clock pin.
    assert half.totals.clock - shut.totals.clock == pytest.approx((1 + 0.5 * load + 1) * 1e-4)
    assert half.idle_mw - shut.idle_mw == pytest.approx((1 + 0.5 * load + 1) * 1e-4)


def test_the_gate_in_front_of_all_belongs_to_the_clock_net(tiny_library, cells):
    gate = Instance("CLOCK_GATE", tiny_library.cells["tiny_gate"], {"CK": "clk", "EN": "en", "GCK": "g"})
    inside = power(cells, tiny_library, gates(high={"g": 1.0}), 100)
    found = power([gate, *cells[1:]], tiny_library, gates(high={"g": 1.0}), 100)
    assert "top" not in found.components
    moved = found.components["clock net"].clock - inside.components["clock net"].clock
    assert moved == pytest.approx(inside.components["a"].clock - found.components["a"].clock)
    assert moved > 0


def test_energy_is_that_of_a_frame_at_full_speed(tiny_library, cells):
    found = power(cells, tiny_library, gates({"q": 4}), 100)
    assert found.frame_us == 0.1
    written = found.to_json()
    assert written["energy_nj"] == found.energy_nj == pytest.approx(found.totals.total * 0.1)
    assert written["frames"] == 128
    for kind, whole in written["powers_mw"].items():
        assert whole == pytest.approx(sum(component[kind] for component in written["components"]))
    assert written["total_mw"] == pytest.approx(sum(written["powers_mw"].values()))


def test_tables_are_read_in_their_order_and_units_and_supplies_add_up(tmp_path, tiny_library):
    text = tiny_liberty(load="ff").replace(
        "internal_power () { related_pin", "internal_power () { related_pg_pin : VSS; related_pin", 1
    )
    inverter = 'internal_power () { related_pg_pin : VDD; rise_power (p) { values ("1, 3", "5, 9"); } } function : "!A"'
    text = text.replace('function : "!A"', inverter, 1).replace(
        'leakage_power_unit : "1nW"', 'leakage_power_unit : "1pW"'
    )
    (tmp_path / "tiny.lib").write_text(text)
    pin = powers(read([tmp_path / "tiny.lib"]), {"tiny_inv"})["tiny_inv"].pins["Y"]
    # The slower row, 5 at a load of 0.001 and 9 at 1; and 0.001 from the other supply.
    assert [pin.energy(load) for load in (0, 1, 2)] == pytest.approx([5.001, 9.001, 9.001])
    assert powers(read([tmp_path / "tiny.lib"]), {"tiny_inv"})["tiny_inv"].leakage == pytest.approx(1e-3)


def test_leakage_is_the_mean_of_conditions_for_each_supply(tmp_path):
    state = 'leakage_power () {{ value : {}; when : "A"; related_pg_pin : {}; }}'
    states = " ".join(state.format(value, pin) for value, pin in ((3, "VDD"), (5, "VDD"), (1, "VSS")))
    text = tiny_liberty().replace("cell_leakage_power : 1.0;", states, 1)
    (tmp_path / "tiny.lib").write_text(text)
    assert powers(read([tmp_path / "tiny.lib"]), {"tiny_inv"})["tiny_inv"].leakage == 5


def test_a_netlist_that_works_needs_more_than_one_that_rests(tiny_library):
    it = scan_case("power", 1, 2, 2)
    design = build(it.graph, 8)
    cells = flattened(map_cells(verilog(design.rtlil, design.top), design.top, tiny_library, 100), tiny_library)
    worked = evaluate(cells, design, np.resize(it.frames, (128, *it.frames.shape[1:])))
    found = power(cells, tiny_library, worked, 100)
    assert found.interval_cycles == worked.interval
    assert found.totals.total > found.idle_mw > found.totals.leakage > 0
    assert found.components["scan"].memory > 0
    assert found.components["scan"].logic > found.components["links"].logic
    still = replace(worked, toggles=dict.fromkeys(worked.toggles, 0.0))
    assert power(cells, tiny_library, still, 100).totals == replace(
        found.totals, logic=0, memory=0, clock=found.totals.clock
    )
    assert found.totals + Watts() == found.totals


def test_what_is_left_between_frames_is_idle():
    assert idle_us(30, 400, 100) == pytest.approx(1e6 / 30 - 4)
    assert idle_us(250_000, 400, 100) == 0
    assert idle_us(250_000 * (1 + 1e-12), 400, 100) == 0, "rounding is no reason to say no"
    with pytest.raises(ConfigError, match="250,001 frames a second are more than 250,000") as raised:
        idle_us(250_001, 400, 100)
    assert "one every 400 cycles at 100 MHz" in raised.value.message
    assert "emamba build RUN --fps" in raised.value.hint
