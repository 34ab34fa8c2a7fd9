"""The command line: verbs, and what they print. How mistakes end is in `test_mistakes.py`."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands import recipe
from emamba import __version__, cli, data, flow
from emamba.files import write

VERBS = ["demo", "train", "quantize", "show", "emit", "verify", "synth", "report", "flow", "doctor"]
DATA_VERBS = {"list": "catalogue", "fetch": "fetch", "check": "check"}


def test_every_verb_is_the_twin_of_a_function(emamba):
    assert {command.name or command.callback.__name__ for command in cli.app.registered_commands} == set(VERBS)
    for verb in VERBS:
        assert getattr(flow, verb).__doc__


def test_every_verb_about_data_is_the_twin_of_a_function(emamba):
    assert {command.name or command.callback.__name__ for command in cli.sets.registered_commands} == set(DATA_VERBS)
    for name, function in DATA_VERBS.items():
        assert getattr(data, function).__doc__
        assert f"Usage: emamba data {name}" in emamba("data", name, "--help").out


def test_data_sets_are_listed_and_checked(emamba, tmp_path):
    (tmp_path / "mars").mkdir()
    listed = emamba("data", "list", "--data-dir", tmp_path).out
    assert re.search(rf"^mars +regression +24,066.*\n +{tmp_path}/mars$", listed, re.MULTILINE)
    assert re.search(r"^cifar-10 .*\n +missing$", listed, re.MULTILINE)
    entries = json.loads(emamba("data", "list", "--data-dir", tmp_path, "--json").out)
    assert [entry["folder"] for entry in entries] == [None, None, None, str(tmp_path / "mars"), None]
    assert re.search(
        r"^identity +digits of scikit-learn.*\n(.*\n)*train +1150$", emamba("data", "check", "digits").out, re.MULTILINE
    )
    assert json.loads(emamba("data", "check", "digits", "--json").out)["validation"] == 287


def test_what_is_fetched_is_printed_and_a_missing_network_is_an_error_of_data(emamba, tmp_path, monkeypatch):
    item = replace(data.SOURCES["mars"].downloads[0], file="x", addresses=("http://127.0.0.1:9/x",), checksum="")
    monkeypatch.setitem(data.SOURCES, "mars", replace(data.SOURCES["mars"], downloads=(item,)))
    monkeypatch.setenv("no_proxy", "*")
    write(tmp_path / "mars" / "x", "there already")
    assert emamba("data", "fetch", "mars", "--data-dir", tmp_path).out == f"{tmp_path}/mars/x\n"
    ended = emamba("data", "fetch", "mars", "--data-dir", tmp_path / "empty")
    assert ended.code == 3
    assert f"put them into {tmp_path}/empty/mars" in ended.told[1]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(emamba, verb):
    ended = emamba(verb, "--help")
    assert ended.code == 0
    assert f"Usage: emamba {verb}" in ended.out
    assert emamba("--help").out.count(verb) >= 1


def test_nothing_asked_is_help(emamba):
    assert emamba().out == emamba("--help").out
    assert emamba().code == 0


def test_version(emamba):
    assert emamba("--version").out == f"emamba {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train"], ["train", "digits", "--froce"], ["verify", "x", "--seed=-1"]]
)
def test_a_wrong_command_line_is_two_lines(emamba, arguments):
    ended = emamba(*arguments)
    assert ended.code == 2
    assert "emamba --help" in ended.told[1]


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


def test_bars_show_one_thing_at_a_time():
    from rich.progress import Progress

    with Progress(disable=True) as bars:
        progress = cli._bars(bars)
        progress(0, 0, "a")
        progress(3, 9, "b")
        first, second = bars.tasks
        assert (first.total, first.visible) == (None, False)
        assert (second.completed, second.total, second.visible) == (3, 9, True)
        progress(4, 9, "b")
        assert len(bars.tasks) == 2


def test_lines_say_each_thing_once():
    said = []
    progress = cli._lines(said.append)
    for step in range(3):
        progress(step, 3, "a")
    progress(0, 0, "b")
    assert said == ["a ...", "b ..."]


def test_bench_scan_prints_what_was_measured(emamba, monkeypatch):
    from emamba.bench import scan as bench

    found = {"seconds": 0.002, "bytes": 3 << 20}
    case = {"case": vars(bench.CASES[0]), "error": 2e-6, "packages": {"emamba": found}}
    asked = {}

    def scan(progress, **options):
        asked.update(options)
        return {"limit_seconds": 60, "missing": ["mambapy"], "results": [case]}

    monkeypatch.setattr(bench, "scan", scan)
    ended = emamba("bench", "scan", "--rounds", 2)
    assert ended.code == 0
    assert re.search(r"emamba +2.0 ms +3 MiB", ended.out)
    assert re.search(r"mambapy +missing +pip install", ended.out)
    assert asked == {"rounds": 2, "limit": 60}
    assert json.loads(emamba("bench", "scan", "--json").out)["results"] == [case]
    assert emamba("bench", "scan", "--rounds", 0).code == 2
