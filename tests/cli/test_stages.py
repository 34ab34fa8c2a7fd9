"""Verbs of the stages, and what they print."""

import json
import re
import shutil
from pathlib import Path

import pytest

from commands import recipe
from emamba import flow
from emamba.cli.stages import verbs
from emamba.files import write

VERBS = ["demo", "train", "quantize", "show", "emit", "build", "explore", "verify", "synth", "report", "flow"]
VERBS += ["doctor", "weights"]


def test_every_verb_is_the_twin_of_a_function(emamba):
    assert {command.name or command.callback.__name__ for command in verbs.registered_commands} == set(VERBS)
    for verb in VERBS:
        assert getattr(flow, verb).__doc__


def test_train_makes_a_run_folder_named_after_the_recipe(emamba, tmp_path):
    assert emamba("train", recipe(tmp_path)).code == 0
    assert (tmp_path / "runs" / "toy" / "model.safetensors").exists()


def test_results_are_printed_as_a_table_or_as_json(emamba, toy_run):
    assert re.search(r"Accuracy, integers +\d+\.\d\d %", emamba("quantize", toy_run).out)
    found = json.loads(emamba("quantize", toy_run, "--json").out)
    assert found == json.loads((toy_run / "quantization.json").read_text())
    assert json.loads(emamba("train", toy_run / "config.toml", "--run", toy_run, "--json").out)["scores"]
    assert set(json.loads(emamba("emit", toy_run, "--json").out)) == {"firmware", "rtl"}


def test_a_baseline_is_trained_in_float_and_has_no_integers(emamba, tmp_path):
    lines = ['name = "small"', "training.epochs = 1", "[model]", 'kind = "lstm"', "d_model = 4"]
    write(tmp_path / "small.toml", "\n".join(lines))
    refused = emamba("flow", "small.toml")
    assert (refused.code, refused.told[0]) == (2, "error: model.kind 'lstm' has no integer form")
    assert not (tmp_path / "runs").exists()
    shown = emamba("train", "small.toml").out.splitlines()
    assert len(shown) == 2
    assert re.match(r"Accuracy, float +\d+\.\d\d %", shown[0])
    assert re.match(r"Parameters +210 ", shown[1])
    assert emamba("quantize", "runs/small").code == 2


def test_show_prints_the_graph(emamba, toy_run):
    assert emamba("show", toy_run).out.startswith("graph toy: 4 tokens a frame")
    assert emamba("show", toy_run, "--json").out == (toy_run / "graph.json").read_text()


def test_report_ends_with_the_path_of_the_page(emamba, toy_run):
    ended = emamba("report", toy_run)
    assert ended.out.splitlines()[-1] == f"report: {toy_run}/report.html"
    assert "Mismatches" in ended.out


def test_results_go_to_stdout_and_progress_to_stderr(emamba, toy_run):
    assert emamba("emit", toy_run).err == "emit: unchanged, skipped\n"
    ended = emamba("emit", toy_run, "--force")
    assert "emit circuit ...\n" in ended.err
    assert "..." not in ended.out


def test_demo_is_the_flow_of_the_digits(emamba, monkeypatch, toy_run, tmp_path):
    asked = []

    def flowing(config, run, force, listener, data_dir):
        asked.append((config.name, run, force, data_dir))
        shutil.copytree(toy_run, run)
        return {}

    monkeypatch.setattr("emamba.flow.stages.flow", flowing)
    ended = emamba("demo", "--force", "--data-dir", tmp_path)
    assert asked == [("digits", Path("runs/digits"), True, tmp_path)]
    assert ended.out.splitlines()[-1] == "report: runs/digits/report.html"


def test_flow_takes_a_recipe_or_a_run(emamba, monkeypatch, toy_run, tmp_path):
    asked = []

    def flowing(config, run, force, listener, data_dir):
        asked.append((config.name, run))
        return {}

    monkeypatch.setattr("emamba.flow.flow", flowing)
    emamba("flow", toy_run, "--json")
    emamba("flow", recipe(tmp_path), "--json")
    emamba("flow", recipe(tmp_path), "--run", "there", "--json")
    assert asked == [("toy", toy_run), ("toy", Path("runs/toy")), ("toy", Path("there"))]


def test_runs_of_several_seeds_lie_side_by_side(emamba, monkeypatch, toy_run, tmp_path):
    asked = []

    def training(config, run, force, listener, data_dir):
        asked.append((config.training.seed, run))
        return {}

    monkeypatch.setattr("emamba.flow.train", training)
    for given in (recipe(tmp_path), toy_run):
        emamba("train", given, "--seed", "3", "--json")
    emamba("train", recipe(tmp_path), "--seed", "4", "--run", "there", "--json")
    assert asked == [(3, Path("runs/toy_3")), (3, toy_run.with_name("toy_run_3")), (4, Path("there"))]


@pytest.mark.parametrize("verb", ["train", "quantize", "verify", "flow"])
def test_verbs_that_need_data_pass_on_where_it_lies(emamba, monkeypatch, toy_run, verb):
    asked = []
    monkeypatch.setattr(f"emamba.flow.{verb}", lambda *given: asked.append(given[-1]) or {})
    given = toy_run / "config.toml" if verb == "train" else toy_run
    for place in ([], ["--data-dir", "there"]):
        assert emamba(verb, given, "--json", *place).code == 0
    assert asked == [None, Path("there")]


def test_doctor_lists_what_is_there(emamba):
    ended = emamba("doctor")
    assert ended.code == 0
    assert re.search(r"^verilator +5\.\d+", ended.out, re.MULTILINE)
    assert {tool["name"] for tool in json.loads(emamba("doctor", "--json").out)} >= {"Python", "torch", "make"}


def test_doctor_tells_what_is_missing(emamba, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = emamba("doctor")
    assert ended.code == 5
    assert re.search(r"^make +missing +verify the circuit", ended.out, re.MULTILINE)
    assert ended.told[0] == "error: missing: C compiler, C++ compiler, make, size"
    assert "apt install make" in ended.told[1]


def test_build_takes_a_wish_and_says_what_came_of_it(emamba, toy_run):
    ended = emamba("build", toy_run, "--fps", 1e6, "--clock-mhz", 200)
    assert (ended.code, flow.recipe(toy_run).hardware.interval_cycles) == (0, 50)
    assert re.search(r"Multipliers +\d+ ", ended.out)
    refused = emamba("build", toy_run, "--interval", 1)
    assert (refused.code, flow.recipe(toy_run).hardware.interval_cycles) == (2, 50)


def test_weights_of_another_run_become_a_file(emamba, toy_run, tmp_path):
    refused = emamba("weights", toy_run, toy_run)
    assert (refused.code, refused.told[1]) == (2, "hint: run `emamba build RUN --weights ram`")
    assert emamba("build", toy_run, "--weights", "ram").code == 0
    printed = emamba("weights", toy_run, toy_run, "--to", tmp_path / "own.json").out
    assert printed == f"{tmp_path / 'own.json'}\n"
    assert json.loads((tmp_path / "own.json").read_text())["elements"]


def test_products_share_dsp_blocks_if_that_is_asked_for(emamba, toy_run):
    assert emamba("build", toy_run, "--packing").code == 0
    assert flow.recipe(toy_run).hardware.packing
    assert emamba("build", toy_run, "--weights", "ram").code == 2
    assert emamba("build", toy_run, "--no-packing", "--weights", "ram").code == 0


def test_explore_prints_designs_from_fast_to_small(emamba, toy_run):
    head, *rows, note, last = emamba("explore", toy_run).out.splitlines()
    assert head.startswith("cycles a frame  latency  multipliers")
    assert len(rows) > 3
    assert note.startswith("asap7: estimated")
    assert last == f"picture: {toy_run}/explore.svg"
    designs = json.loads(emamba("explore", toy_run, "--json").out)
    assert len(designs) == len(rows)
    assert rows[0].endswith(f"--interval {designs[0]['interval_cycles']} --latency {designs[0]['latency_cycles']}")
