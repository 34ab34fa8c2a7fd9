"""What is said of the design in standard cells."""

from dataclasses import replace

import pytest

from emamba.config import parse_config
from emamba.report.cells import Gates, Macros, Power, Rate, Silicon, Timing
from emamba.report.results import Results
from emamba.report.silicon import area, clock, components, corner_clock, corner_power, macros, power, rate, rows, scaled

PLACE = {"library": "tiny_tt", "voltage": 0.75, "temperature": 25.0}
FOUND = Silicon(
    target="tiny.lib",
    **PLACE,
    clock_mhz=100.0,
    cells=1234,
    area_um2=98_765.0,
    gate_equivalents=49_382,
    areas_um2={"logic": 49_382.5, "registers": 24_691.25, "memory": 19_753.0, "gates": 4_938.25},
    components=(),
)


def test_area_names_cells_corner_and_method():
    label, value, note = area(FOUND)
    assert (label, value) == ("Area, mm2", "0.0988")
    assert note == (
        "tiny.lib, tiny_tt at 0.75 V, 25 C; Yosys mapping, before placement: 1,234 cells; 49,382 gate equivalents "
        "(NAND2); logic 50%, flip-flops 25%, memories as flip-flops 20%, clock gates 5%"
    )


@pytest.mark.parametrize(("slack_ns", "told"), [(1.5, "100 MHz met by 1.50 ns"), (-0.25, "100 MHz missed by 0.25 ns")])
def test_the_clock_says_whether_the_wish_is_met_and_what_limits_it(slack_ns, told):
    label, value, note = clock(
        Timing(100, 117.6, slack_ns, 142, "3 fF a sink, assumed", "scan: 3 cells", **PLACE), FOUND
    )
    assert (label, value) == ("Clock in silicon, MHz", "118")
    assert told in note
    assert "wires of 3 fF a sink, assumed, 142 without wires" in note
    assert note.endswith("slowest path: scan: 3 cells")


TIMING = Timing(100, 117.6, 1.5, 142, "3 fF a sink, assumed", "scan: 3 cells", **PLACE)
TAKEN = Power(100, 400, 128, 20.0, {"clock": 5.0, "logic": 14.0, "memory": 0.0, "leakage": 1.0}, 6.0, 80.0, (), **PLACE)


RATE = Rate(30.0, 16, 200_055.6, 12_503.5)


def test_power_is_told_by_kind():
    total, idle, energy = power(TAKEN, FOUND)
    assert total[:2] == ("Power, mW", "20")
    assert total[2].endswith("clock 25%, logic 70%, memory 0%, leakage 5%")
    assert idle[:2] == ("Idle power, mW", "6")
    assert energy == ("Energy a frame, nJ", "80", "frame behind frame, 250,000 a second")


def test_other_corners_have_rows_of_their_own():
    slow = replace(TIMING, clock_mhz=80.0, slack_ns=-2.5, library="tiny_ss", voltage=0.7, temperature=125.0)
    label, value, note = corner_clock(slow, FOUND)
    assert (label, value) == ("Clock at 0.7 V, 125 C, MHz", "80")
    assert note.startswith("OpenSTA, tiny.lib, tiny_ss at 0.7 V, 125 C; ")
    assert "100 MHz missed by 2.50 ns" in note
    hot = replace(TAKEN, total_mw=15.0, idle_mw=5.0, energy_nj=60.0, library="tiny_ss", voltage=0.7, temperature=125.0)
    assert corner_power(hot, FOUND) == (
        "Power at 0.7 V, 125 C, mW",
        "15",
        "tiny.lib, tiny_ss at 0.7 V, 125 C, 100 MHz; 5 mW idle, 60 nJ a frame; from the same changes of nets",
    )
    timing, taken = replace(TIMING, corners=(slow,)), replace(TAKEN, corners=(hot,))
    found = rows(Results(parse_config('name = "none"'), silicon=FOUND, timing=timing, power=taken))
    assert [label for label, _, _ in found if "0.7 V" in label] == [label, "Power at 0.7 V, 125 C, mW"]


RAM = Macros(
    "ram_256x64", 256, 64, False, 3.25, 2, 3, 60_000.0, 30_000.0, 12.5, library="ram_tt", voltage=0.75, temperature=25.0
)


def test_the_area_with_macros_is_marked_as_an_estimate():
    label, value, note = macros(RAM, FOUND)
    assert (label, value) == ("Area with SRAM macros, mm2", "0.0688"), "0.0988 without 0.06 with 0.03"
    assert note == (
        "estimated, not mapped: 2 memories in 3 ram_256x64 of 256 x 64 bits at 0.75 V, 25 C, 0.03 mm2 instead of 0.06 "
        "of flip-flops; their clock gates and read multiplexers left in; reading them takes 12.5 nJ a frame at most; "
        "access in 3.25 ns"
    )
    _, value, note = macros(replace(RAM, chosen=0), FOUND)
    assert value == "none"
    assert "no memory of loadable weights, which alone one port can serve, is smaller in ram_256x64" in note
    assert "no memory that it can serve" in macros(replace(RAM, chosen=0, at_once=True), FOUND)[2]
    assert "nJ" not in macros(replace(RAM, reads_nj=None, access_ns=None), FOUND)[2]
    found = rows(Results(parse_config('name = "none"'), silicon=FOUND, macros=RAM))
    assert [label for label, _, _ in found] == ["Area, mm2", "Area with SRAM macros, mm2"]


def test_a_large_energy_is_no_power_of_ten():
    assert power(replace(TAKEN, energy_nj=13_923.4), FOUND)[2][1] == "13,923"


def test_energy_is_told_of_a_token_and_at_a_rate():
    token, *stated = rate(TAKEN, RATE)
    assert token == ("Energy a token, nJ", "5", "frame behind frame, 16 tokens each")
    assert [row[:2] for row in stated] == [
        ("Energy a frame at 30 a second, nJ", "200,056"),
        ("Energy a token at 30 a second, nJ", "12,504"),
    ]


def test_what_has_not_run_has_no_row():
    none = Results(parse_config('name = "none"'))
    assert rows(none) == []
    all_rows = rows(replace(none, silicon=FOUND, timing=TIMING, gates=Gates(128, 0, 1234), power=TAKEN, rate=RATE))
    assert len(all_rows) == 9
    assert len(rows(replace(none, silicon=FOUND))) == 1


def test_what_is_scaled_to_22_nm_is_marked_and_stands_beside_the_published_chip():
    """3.7536 um2 become 0.19968; 80 nJ of 20 mW, of which 1 mW leaks, become 0.2306 times (0.8 / 1.6)^2 of 76."""
    area, energy = scaled(replace(FOUND, target="sky130", voltage=1.6), TAKEN)
    assert area[:2] == ("Area scaled to 22 nm, mm2", "0.00525 to 0.00588")
    assert energy[:2] == ("Energy a frame scaled to 22 nm, nJ", "4.38 to 9.12")
    for _, _, note in (area, energy):
        assert note.startswith("scaled from sky130, not measured; ")
    assert area[2].endswith("published chip: 0.35")
    assert energy[2].endswith("published chip: 125, derived from 13.49 mW and 928 cycles")
    assert "1.6 to 0.8 V" in energy[2]
    assert len(scaled(replace(FOUND, target="sky130"), None)) == 1


def test_only_mars_in_a_known_library_is_scaled():
    """The published chip is for MARS; nothing is known of how another library compares with 22 nm."""
    known, digits = replace(FOUND, target="sky130"), Results(parse_config('name = "none"'), power=TAKEN)
    mars = replace(digits, config=parse_config('name = "none"\ndata.name = "mars"'))
    labels = [label for label, _, _ in rows(replace(mars, silicon=known))]
    assert [label for label in labels if "22 nm" in label] == [
        "Area scaled to 22 nm, mm2",
        "Energy a frame scaled to 22 nm, nJ",
    ]
    assert not [label for label, _, _ in rows(replace(digits, silicon=known)) if "22 nm" in label]
    assert not [label for label, _, _ in rows(replace(mars, silicon=FOUND)) if "22 nm" in label]


def test_components_stand_on_the_road_with_area_and_energy_that_sum_to_the_whole(cells):
    found = components(cells)
    assert [it.name for it in found] == [*(op.name for op in cells.graph.operations), "clock net"]
    assert sum(sum(it.area.values()) for it in found) == pytest.approx(cells.silicon.area_um2)
    assert sum(sum(it.energy.values()) for it in found) == pytest.approx(cells.power.energy_nj)
    assert found[1].area == {"logic": 101.0, "flip-flops": 20.0, "memories": 4.0, "clock": 1.0}
    assert found[1].energy == {"clock": 1.0, "logic": 2.0, "memories": 0.0, "leakage": 0.5}
    assert found[-1] == ("clock net", {}, {"clock": 4.0, "logic": 0.0, "memories": 0.0, "leakage": 0.0})
    assert [it.energy for it in components(replace(cells, power=None))] == [{}] * len(cells.graph.operations)
    assert components(replace(cells, silicon=None)) == []
