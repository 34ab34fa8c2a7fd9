"""The command line: verbs, what they print, and every way in which a user's mistake ends."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from emamba import __version__, cli, data, flow
from emamba.errors import EmambaError
from emamba.files import write
from emamba.report import load_results
from toy import TOY

VERBS = ["demo", "train", "quantize", "show", "emit", "verify", "synth", "report", "flow", "doctor"]
DATA_VERBS = {"list": "catalogue", "fetch": "fetch", "check": "check"}


class Ended:
    """How a command ended: its exit code, and what it printed."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def told(self):
        """The lines of an error; there have to be two."""
        lines = [
            line for line in self.err.splitlines() if not re.search(r" \.\.\.$|^\w+: (new|unchanged|forced)", line)
        ]
        assert len(lines) == 2
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        return tuple(lines)


@pytest.fixture
def emamba(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ended(ended.value.code, captured.out, captured.err)

    return run


def recipe(folder: Path, *lines: str) -> Path:
    """The toy recipe with more lines behind it (as `section.key = value` in front)."""
    return write(folder / "toy.toml", "\n".join(lines) + "\n" + TOY)


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

    def flowing(config, run, force, listener):
        asked.append((config.name, run, force))
        shutil.copytree(toy_run, run)
        return {}

    monkeypatch.setattr("emamba.flow.stages.flow", flowing)
    ended = emamba("demo", "--force")
    assert asked == [("digits", Path("runs/digits"), True)]
    assert ended.out.splitlines()[-1] == "report: runs/digits/report.html"


def test_flow_takes_a_recipe_or_a_run(emamba, monkeypatch, toy_run, tmp_path):
    asked = []

    def flowing(config, run, force, listener):
        asked.append((config.name, run))
        return {}

    monkeypatch.setattr("emamba.flow.flow", flowing)
    emamba("flow", toy_run, "--json")
    emamba("flow", recipe(tmp_path), "--json")
    emamba("flow", recipe(tmp_path), "--run", "there", "--json")
    assert asked == [("toy", toy_run), ("toy", Path("runs/toy")), ("toy", Path("there"))]


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


# Bad input: each with its exit code, two lines, and nothing half-written.


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("model.d_modle = 8", "model.d_modle: Extra inputs are not permitted, got 8"),
        ('training.epochs = "3"', "training.epochs: Input should be a valid integer, got '3'"),
        ("hardware.interval_cycles = 0", "hardware.interval_cycles: Input should be greater than or equal to 3"),
        ("quantization.weight_bits = -8", "quantization.weight_bits: Input should be greater than or equal to 2"),
    ],
    ids=["unknown key", "wrong type", "0 lanes", "negative bits"],
)
def test_a_bad_recipe(emamba, tmp_path, line, fact):
    write(tmp_path / "bad.toml", f'name = "bad"\n{line}\n')
    ended = emamba("train", "bad.toml")
    assert ended.code == 2
    assert fact in ended.told[0]
    assert not (tmp_path / "runs").exists()


def test_a_patch_that_does_not_divide_the_image(emamba, tmp_path):
    write(tmp_path / "bad.toml", 'name = "bad"\ndata.patch = 3\n')
    ended = emamba("train", "bad.toml")
    assert ended.code == 2
    assert "a patch of 3 does not divide images of 8x8" in ended.told[0]
    assert "data.patch" in ended.told[1]


@pytest.mark.parametrize("name", ["graph.json", "graph.npz", "model.safetensors"])
@pytest.mark.parametrize("harm", ["truncated", "altered", "missing"])
def test_a_damaged_graph_or_checkpoint(emamba, toy_run, name, harm):
    path = toy_run / name
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data if harm == "altered" else data[:middle])
    if harm == "missing":
        path.unlink()
    before = contents(toy_run)
    verb = "quantize" if name == "model.safetensors" else "emit"
    ended = emamba(verb, toy_run, "--force")
    assert ended.code == 4
    assert ("does not exist" if harm == "missing" else "is damaged") in ended.told[0]
    assert contents(toy_run) == before


def test_a_folder_that_is_no_run(emamba, tmp_path):
    ended = emamba("quantize", tmp_path)
    assert ended.code == 4
    assert "is not a run folder: it has no config.toml" in ended.told[0]


def test_data_of_a_wrong_shape(emamba, tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.setattr("emamba.data.digits.load_digits", lambda **_: (np.zeros((1797, 128)), np.zeros(1797, int)))
    ended = emamba("train", recipe(tmp_path))
    assert ended.code == 3
    assert "digits of scikit-learn" in ended.told[0]
    assert [path.name for path in (tmp_path / "runs" / "toy").iterdir()] == ["config.toml"]


def test_a_missing_tool(emamba, toy_run, monkeypatch, tmp_path):
    before = contents(toy_run)
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = emamba("emit", toy_run, "--force")
    assert ended.code == 5
    assert "apt install" in ended.told[1]
    assert contents(toy_run) == before


def test_an_unwritable_place(emamba, tmp_path):
    write(tmp_path / "runs", "a file where a folder should be")
    ended = emamba("train", recipe(tmp_path))
    assert ended.code == 7
    assert "cannot write runs/toy/config.toml" in ended.told[0]


def test_a_full_temporary_disk(emamba, toy_run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    monkeypatch.setattr("emamba.flow.stages.tempfile.TemporaryDirectory", full)
    ended = emamba("emit", toy_run, "--force")
    assert ended.code == 7
    assert "No space left on device" in ended.told[0]


def test_an_error_of_ours_shows_its_traceback_with_debug_only(emamba, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("emamba.flow.show", broken)
    ended = emamba("show", "x")
    assert (ended.code, ended.told[0]) == (1, "error: ZeroDivisionError: by zero")
    assert "defect of emamba" in ended.told[1]
    for arguments in (["--debug", "show", "x"], ["show", "x", "--debug"]):
        assert "Traceback (most recent call last)" in emamba(*arguments).err


def test_every_family_of_errors_has_its_code(emamba, monkeypatch):
    for kind in EmambaError.__subclasses__():

        def failing(*_, kind=kind):
            raise kind("the fact", "the hint")

        monkeypatch.setattr("emamba.flow.show", failing)
        ended = emamba("show", "x")
        assert (ended.code, ended.told) == (kind.exit_code, ("error: the fact", "hint: the hint"))


def contents(run: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def child(*arguments, **options) -> subprocess.Popen:
    """The command as a process of its own, as a shell would start it."""
    command = [sys.executable, "-c", "from emamba.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def heeding_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_full_disk_during_training_loses_nothing(toy_run):
    """Files may not grow beyond 2,000 bytes here: the checkpoint hits the limit half-way."""
    before = contents(toy_run)
    assert len(before["model.safetensors"]) > 2500

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = child("train", toy_run / "config.toml", "--run", toy_run, "--force", preexec_fn=limit)
    _, errors = done.communicate(timeout=120)
    assert done.returncode == 7, errors
    assert "error: cannot write" in errors
    assert contents(toy_run) == before


def test_ctrl_c_during_training_loses_nothing(toy_run, tmp_path):
    before = contents(toy_run)
    slow = recipe(tmp_path, "training.epochs = 5000", "training.learning_rate = 0.001")
    # A shell starts background jobs with Ctrl-C ignored, and this test may be one.
    done = child("train", slow, "--run", toy_run, cwd=tmp_path, preexec_fn=heeding_ctrl_c)
    try:
        assert done.stderr
        assert done.stderr.readline() == "train ...\n"
        time.sleep(4)
        done.send_signal(signal.SIGINT)
        out, errors = done.communicate(timeout=60)
    finally:
        done.kill()
    assert (done.returncode, out) == (130, "")
    assert errors.splitlines() == ["interrupted: finished stages are kept, the same command goes on from there"]
    after = contents(toy_run)
    assert after.pop("config.toml") != before.pop("config.toml")
    assert after == before
    assert load_results(toy_run).quantization


def test_a_closed_pipe_is_no_error(toy_run):
    done = child("show", toy_run)
    done.stdout.close()
    assert done.stderr.read() == ""
    assert done.wait(timeout=60) in (0, 1)


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
