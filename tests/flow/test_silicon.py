"""The accelerator in the cells of a made-up library, as stages of a run."""

import json
import shutil
from pathlib import Path

import pytest

from cases import scan_case
from emamba import files, flow
from emamba.config import parse_config
from emamba.eda import opensta, process
from emamba.eda.verilog import verilog
from emamba.errors import ConfigError, MismatchError
from emamba.flow import silicon
from emamba.flow.design import described
from emamba.flow.run import Listener, write_json
from emamba.graph import save
from emamba.report import load_results
from emamba.rtl import build
from liberties import slower, tiny_liberty, tiny_macro

CASE = scan_case("small", 1, 2, 2)


@pytest.fixture
def small_run(tmp_path):
    """The run folder of a scan, up to its Verilog."""
    run, design = flow.start(tmp_path / "run", parse_config('name = "small"')), build(CASE.graph, 8)
    save(CASE.graph, run / "graph.json")
    files.write(run / "rtl" / f"{design.top}.v", verilog(design.rtlil, design.top))
    write_json(run / "rtl.json", described(design, 100.0))
    return run


@pytest.fixture
def liberty(tmp_path):
    (tmp_path / "tiny.lib").write_text(tiny_liberty())
    return str(tmp_path / "tiny.lib")


def test_a_run_is_mapped_to_any_liberty_file_and_only_when_something_changed(small_run, liberty):
    said = []
    found = flow.synth(small_run, liberty, listener=Listener(say=said.append))
    assert {**found, "timing": 0} == {**json.loads((small_run / "silicon.json").read_text()), "timing": 0}
    assert (found["target"], found["library"], found["voltage"], found["clock_mhz"]) == ("tiny.lib", "tiny", 1, 100)
    assert found["area_um2"] == pytest.approx(sum(found["areas_um2"].values()))
    assert "tiny_dff" in (small_run / "silicon" / "netlist.v").read_text()
    assert not (small_run / "synth.json").exists()
    results = load_results(small_run)
    assert results.silicon
    assert results.silicon.area_um2 == found["area_um2"]
    flow.synth(small_run, liberty, listener=Listener(say=said.append))
    _macros_are_an_alternative(small_run, liberty)
    assert [line.split(",")[0] for line in said if line.startswith("silicon")] == ["silicon: new", "silicon: unchanged"]


def _macros_are_an_alternative(run, liberty):
    """In cells of which a bit of memory takes 8 um2, and the state of the scan lies in 2 x 4 words of 8 bits."""
    one, two = Path(liberty).with_name("one.lib"), Path(liberty).with_name("two.lib")
    one.write_text(tiny_macro())
    two.write_text(tiny_macro(at_once=True).replace("area : 100", "area : 1"))
    assert flow.synth(run, liberty, macro=one)["macros"]["chosen"] == 0, "its state is read and written at once"
    found = flow.synth(run, liberty, macro=two)
    (state,) = [it for it in found["macros"]["memories"] if it["name"] == "state"]
    bits = CASE.graph["scan"].state.bits
    assert (state["component"], state["words"] * state["bits"]) == ("scan", 4 * bits)
    assert state["flip_flops_um2"] == pytest.approx(4 * bits * 8)
    assert state["chosen"]
    results = load_results(run)
    assert results.macros
    assert results.macros.macros_um2 == found["macros"]["macros"]
    assert "macros" not in flow.synth(run, liberty, clock_mhz=99), "of another netlist"
    flow.synth(run, liberty)


def test_gates_are_held_against_golden_and_timed_if_that_can_be(small_run, liberty, monkeypatch, tmp_path):
    monkeypatch.setattr(silicon, "test_frames", lambda run, config, graph, data_dir: CASE.frames)
    found = flow.synth(small_run, liberty, gates=True)
    assert found["gates"] == {"frames": len(CASE.frames), "mismatches": 0, "cells": found["cells"]}
    assert found["power"]["total_mw"] == pytest.approx(sum(found["power"]["powers_mw"].values()))
    assert ("timing" in found) == (shutil.which("sta") is not None)
    assert "gates" in flow.synth(small_run, liberty)
    said = []
    monkeypatch.setattr(opensta, "which", lambda name, hint: process.which("no-such-program", hint))
    again = flow.synth(small_run, liberty, clock_mhz=50, listener=Listener(say=said.append))
    assert again["clock_mhz"] == 50
    assert not {"timing", "gates", "power", "rate"} & set(again), "of another netlist"
    assert any("no timing: no-such-program is not installed" in line for line in said)


def test_other_corners_are_timed_and_their_power_is_told(small_run, liberty, tmp_path, monkeypatch):
    """1.5 times as slow, at twice the voltage: charging loads takes four times the energy there."""
    monkeypatch.setattr(silicon, "test_frames", lambda run, config, graph, data_dir: CASE.frames)
    slow, bare, said = tmp_path / "slow.lib", tmp_path / "bare.lib", []
    slow.write_text(slower(tiny_liberty(), 1.5, 2.0).replace("(tiny)", "(tiny_slow)"))
    bare.write_text(slow.read_text().replace("internal_power", "other_power"))
    flow.synth(small_run, liberty)
    corners = [str(slow), str(bare)]
    found = flow.synth(small_run, liberty, gates=True, corners=corners, listener=Listener(say=said.append))
    assert "silicon: unchanged, skipped" in said
    power, others = found["power"], found["power"]["corners"]
    assert [(it["library"], it["voltage"], it["temperature"]) for it in (power, *others)] == [
        ("tiny", 1.0, 25.0),
        ("tiny_slow", 2.0, 125.0),
    ], "the other one says nothing of power"
    assert power["total_mw"] < others[0]["total_mw"] < 4 * power["total_mw"]
    assert others[0]["powers_mw"]["leakage"] == pytest.approx(power["powers_mw"]["leakage"])
    results = load_results(small_run)
    assert results.power
    assert [it.voltage for it in results.power.corners] == [2.0]
    if "timing" in found:
        clocks = [found["timing"]["clock_mhz"], *(it["clock_mhz"] for it in found["timing"]["corners"])]
        assert clocks == pytest.approx([clocks[0], clocks[0] / 1.5, clocks[0] / 1.5], rel=0.1)
    assert not flow.synth(small_run, liberty).get("timing", {}).get("corners")
    slow.write_text(tiny_liberty().replace("tiny_", "other_"))
    with pytest.raises(ConfigError, match=r"slow\.lib is no other corner of tiny: it lacks"):
        flow.synth(small_run, liberty, corners=corners)
    with pytest.raises(ConfigError, match="xcup is an FPGA"):
        flow.synth(small_run, corners=[liberty])


def test_energy_is_stated_at_a_rate_that_the_design_reaches(small_run, liberty, monkeypatch):
    monkeypatch.setattr(silicon, "test_frames", lambda run, config, graph, data_dir: CASE.frames)
    with pytest.raises(ConfigError, match="frames a second are more than"):
        flow.synth(small_run, liberty, gates=True, fps=1e9)
    assert not (small_run / "silicon.json").exists(), "said before anything runs"
    found, said = flow.synth(small_run, liberty, gates=True), []
    power, rate = found["power"], found["rate"]
    between = 1e6 / 30 - power["interval_cycles"] / power["clock_mhz"]
    assert rate["frame_nj"] == pytest.approx(power["energy_nj"] + power["idle_mw"] * between)
    assert (rate["fps"], rate["tokens"]) == (30, CASE.graph.tokens)
    assert rate["token_nj"] == pytest.approx(rate["frame_nj"] / rate["tokens"])
    faster = flow.synth(small_run, liberty, gates=True, fps=1000, listener=Listener(say=said.append))
    assert faster["rate"]["fps"] == 1000
    assert faster["rate"]["frame_nj"] < rate["frame_nj"]
    assert [line.split(",")[0] for line in said if line.startswith(("gates", "rate"))] == [
        "gates: unchanged",
        "rate: inputs changed",
    ]
    slow = flow.synth(small_run, liberty, clock_mhz=1e-3, gates=True)
    assert slow["rate"]["fps"] == pytest.approx(1e3 / slow["power"]["interval_cycles"]), "cannot do 30"
    assert slow["rate"]["frame_nj"] == pytest.approx(slow["power"]["energy_nj"])


def test_a_rate_needs_power_of_cells(small_run, liberty):
    with pytest.raises(ConfigError, match="not known without power"):
        flow.synth(small_run, liberty, fps=30)
    with pytest.raises(ConfigError, match="xcup is an FPGA"):
        flow.synth(small_run, fps=30)


def test_a_netlist_that_gives_other_integers_is_a_mismatch(small_run, liberty, monkeypatch):
    monkeypatch.setattr(silicon, "test_frames", lambda run, config, graph, data_dir: CASE.frames)
    flow.synth(small_run, liberty)
    other = scan_case("small", 2, 2, 2)
    save(other.graph, small_run / "graph.json")
    with pytest.raises(MismatchError, match="gates differs from golden first in tensor"):
        flow.synth(small_run, liberty, gates=True)
    assert not (small_run / "gates.json").exists()


def test_what_cannot_be_mapped_to_is_an_error_before_anything_runs(small_run, tmp_path):
    (tmp_path / "empty.lib").write_text("")
    for target in ("nowhere.lib", str(tmp_path / "empty.lib"), "gf22"):
        with pytest.raises(ConfigError):
            flow.synth(small_run, target)
    assert not (small_run / "silicon.json").exists()
    with pytest.raises(ConfigError, match="cannot be placed and routed"):
        flow.synth(small_run, "sky130", route=True)
