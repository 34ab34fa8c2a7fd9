from pathlib import Path

from emamba.cli.options import run_folder
from emamba.flow import zoo


def test_a_run_folder_is_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_folder("some/run") == Path("some/run")
    assert not list(tmp_path.iterdir())


def test_a_model_of_the_zoo_becomes_a_run_folder_once(toy_run, tmp_path, monkeypatch):
    zoo.put_in([toy_run], tmp_path / "zoo")
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path / "zoo")
    monkeypatch.chdir(tmp_path)
    run = run_folder("zoo:toy")
    assert run == Path("runs/zoo_toy")
    assert (run / "vectors.npz").is_file()
    (run / "mark").touch()
    assert run_folder("zoo:toy") == run
    assert (run / "mark").exists()
