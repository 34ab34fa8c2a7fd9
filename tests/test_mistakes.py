"""Every way in which a user's mistake ends: its exit code, two lines, and nothing half-written."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import recipe
from emamba.files import write
from emamba.report import load_results


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
    assert "a patch of 3x3 does not divide images of 8x8" in ended.told[0]
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


def contents(run: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def child(*arguments, **options) -> subprocess.Popen:
    """The command as a process of its own, as a shell would start it."""
    command = [sys.executable, "-c", "from emamba.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def heeding_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path: Path) -> None:
    """Until `path` is there, a minute at most."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"no {path.name} after a minute")


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
        wait_for(toy_run / "train.memory")
        done.send_signal(signal.SIGINT)
        out, errors = done.communicate(timeout=60)
    finally:
        done.kill()
    assert (done.returncode, out) == (130, "")
    assert errors.splitlines() == ["interrupted: finished stages are kept, the same command goes on from there"]
    after = contents(toy_run)
    assert after.pop("train.memory")  # the epochs that were finished
    assert after.pop("config.toml") != before.pop("config.toml")
    assert after == before
    assert load_results(toy_run).quantization


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_error(toy_run, unbuffered):
    done = child("show", toy_run, env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    done.stdout.close()
    assert done.stderr.read() == ""
    assert done.wait(timeout=60) in (0, 1)
