from emamba.report.devices import Fill, fills, smallest
from emamba.report.results import Routing, Synthesis


def mapped(target, **totals):
    return Synthesis(target, {"LUT": 0, "FF": 0, "DSP": 0, "BRAM": 0, "LUTRAM": 0, **totals}, ())


def test_the_smallest_device_that_has_enough_of_everything():
    name, note = smallest(mapped("ecp5", LUT=8_000, LUTRAM=4_164, FF=8_006, DSP=40, BRAM=19))
    assert name == "LFE5U-45F"
    assert note == "of 3 known; ULX3S 45F; by mapping, before placement: LUT 28 %, FF 18 %, DSP 56 %, BRAM 18 %"
    assert smallest(mapped("xcup", DSP=361))[0] == "XCK26"
    assert smallest(mapped("xcup", DSP=360))[0] == "XCZU3EG"


def test_what_is_too_large_for_all_says_what_is_lacking():
    assert smallest(mapped("ecp5", LUT=90, DSP=602)) == (
        "none",
        "by mapping, LFE5U-85F is the largest known: DSP 386 %",
    )
    assert smallest(mapped("own")) == ("none", "none is known")


def test_a_routed_design_stands_apart_from_what_was_mapped():
    cells = {"TRELLIS_COMB": (41_820, 83_640), "TRELLIS_FF": (0, 83_640), "MULT18X18D": (39, 156)}
    synth = Synthesis("ecp5", {"LUT": 1, "DSP": 40}, (), Routing("LFE5U-85F, CABGA381", 100.0, "", cells))
    *others, last = fills(synth)
    assert [it.how for it in others] == ["mapped"] * 3
    assert last == Fill("LFE5U-85F, CABGA381", "", "routed", {"LUT": 0.5, "FF": 0, "DSP": 0.25, "BRAM": 0})
    assert last.fits
