import json
from dataclasses import replace

import pytest

from emamba.bench import hardware as bench
from emamba.bench.hardware import PUBLISHED, VARIANTS, Measured, bars, hardware, ratios, table
from emamba.errors import ConfigError
from emamba.flow import Listener

ECP5 = {"LUT": 11_000.0, "FF": 7000.0, "DSP": 40, "BRAM": 21}
ROUTED = {"device": "LFE5U-85F", "clock_mhz": 101.25, "critical_path": "b0_scan: adder (9.9 ns)", "cells": {}}
SMALL = Measured(VARIANTS[2], 64, 6400, 8777, 40, 0.68, {"xcup": ECP5, "ecp5": ECP5}, ROUTED)


def test_a_bar_is_met_or_missed():
    assert all(SMALL.met().values())
    assert set(SMALL.met()) == {"cycles_per_frame", "latency_cycles", "multipliers", "use", "lut", "ff", "clock_mhz"}
    worse = replace(SMALL, latency_cycles=9001, resources={"ecp5": {**ECP5, "FF": 12_001}})
    worse = replace(worse, routing={**ROUTED, "clock_mhz": 99.9})
    assert [name for name, reached in worse.met().items() if not reached] == ["latency_cycles", "clock_mhz", "ff"]
    assert bars([worse])[0].endswith("missed latency_cycles, clock_mhz, ff")
    assert bars([SMALL])[0].endswith("all met")
    assert "clock_mhz >= 100" in bars([SMALL])[0]


def test_the_slowest_path_of_a_routed_design_is_told():
    assert bars([SMALL])[1].endswith("after place and route, LFE5U-85F; slowest path: b0_scan: adder (9.9 ns)")
    assert len(bars([replace(SMALL, routing={})])) == len(bars([SMALL])) - 1


def test_ratios_are_to_the_best_published_design_that_states_both_numbers():
    assert ratios(SMALL) == {"multiplier": 928 * 900 / (6400 * 40), "LUT4": 7600 * 43_500 / (6400 * 11_000)}


def test_the_table_has_ours_and_the_published_designs_with_their_source():
    head, *rows = table([SMALL])
    assert len(rows) == 2 + len(PUBLISHED)
    assert {len(row) for row in (head, *rows)} == {len(head)}
    counts = ("6,400", "8,777", "40", "68%", "40", "11,000", "7,000", "21")
    assert rows[0] == ("small, xcup", *counts, "-", "measured")
    assert rows[1] == ("small, ecp5", *counts, "101.2 MHz", "measured")
    assert all(row[-1] for row in rows)
    assert "derived" in rows[2][-1]
    assert [row[-2] for row in rows[2:]] == ["-", "60-100 MHz", "60-100 MHz", "-"]


@pytest.fixture
def stages(monkeypatch):
    """The stages as functions that only say what they were asked for."""
    asked = []

    def answer(name, result):
        return lambda run, *given, **named: asked.append((name, run.name, *given, named)) or result

    design = {"stages": [{"multipliers": 30}, {"multipliers": 10}]}
    synth = {"totals": {"LUT": 9000.0, "LUTRAM": 1000.0, "FF": 7000.0, "DSP": 40, "BRAM": 21}, "routing": ROUTED}
    proof = {"frames": 5, "cycles_per_frame": 6400, "latency_cycles": 8777}
    for name, result in (("build", {"rtl": design}), ("verify", proof), ("synth", synth)):
        monkeypatch.setattr(bench.flow, name, answer(name, result))
    return asked


def test_a_variant_is_built_verified_and_synthesised_for_its_targets(stages, tmp_path):
    (found,) = hardware(tmp_path, 5, ["small"], Listener())
    assert (found.multipliers, found.cycles_per_frame, found.frames) == (40, 6400, 5)
    assert 0.6 < found.use < 0.75
    assert found.resources["ecp5"] == {"LUT": 10_000.0, "FF": 7000.0, "DSP": 40, "BRAM": 21}
    assert [call[:2] for call in stages[:2]] == [("build", "small"), ("verify", "small")]
    assert [call[2:4] for call in stages[2:]] == [("xcup", False), ("ecp5", True)]
    assert found.routing["clock_mhz"] == 101.25
    assert (tmp_path / "small" / "graph.json").is_file()


def test_only_the_packed_variant_has_products_that_share_dsp_blocks(stages, tmp_path):
    hardware(tmp_path, 5, [], Listener())
    built = {run: named["packing"] for verb, run, *_, named in stages if verb == "build"}
    assert built == {"fast": False, "packed": True, "small": False}


def test_the_verb_prints_table_and_bars(stages, emamba):
    ended = emamba("bench", "hardware", "small", "--frames", 5)
    assert ended.out.startswith("design")
    assert "small: bars cycles_per_frame <= 7,600" in ended.out
    document = json.loads(emamba("bench", "hardware", "small", "--json").out)
    assert document["measured"][0]["met"]["use"] is True
    assert len(document["published"]) == len(PUBLISHED)


def test_an_unknown_variant_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no variant 'large'"):
        hardware(tmp_path, 5, ["large"], Listener())
