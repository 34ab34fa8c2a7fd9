from pathlib import Path

import numpy as np

from emamba.cli.options import run_folder
from emamba.flow import zoo
from emamba.fuzz.operations import linear, source
from emamba.graph import Graph, save


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


def test_a_graph_in_a_file_becomes_a_run_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Graph("block", 3, (source(6), linear(np.random.default_rng(1), 6, 4, 8))), Path("some.json"))
    assert run_folder("some.json") == Path("runs/some")
    assert (tmp_path / "runs" / "some" / "graph.npz").is_file()
