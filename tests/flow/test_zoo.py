import json
import shutil

import pytest

from baselines import recipe as baseline
from emamba import flow
from emamba.config import CnnConfig
from emamba.errors import ArtifactError, ConfigError
from emamba.flow import zoo
from emamba.graph import content_hash, load

MODELS = zoo.names()


@pytest.fixture
def small_zoo(toy_run, tmp_path, monkeypatch):
    """A zoo with the toy model alone."""
    folder = tmp_path / "zoo"
    zoo.put_in([toy_run], folder)
    monkeypatch.setattr(zoo, "_folder", lambda: folder)
    return folder


def test_what_is_put_in_comes_out_as_a_finished_run(small_zoo, toy_run, tmp_path):
    assert zoo.names() == ["toy"]
    run = zoo.take_out("toy", tmp_path / "out")
    for name in ("config.toml", "model.safetensors", "graph.json", "graph.npz", "training.json", "quantization.json"):
        assert (run / name).read_bytes() == (toy_run / name).read_bytes()
    said = []
    listener = flow.Listener(say=said.append)
    flow.train(flow.recipe(run), run, listener=listener)
    flow.quantize(run, listener=listener)
    assert said == ["train: unchanged, skipped", "quantize: unchanged, skipped"]


def test_a_card_tells_how_a_model_came_about(small_zoo, toy_run):
    card = zoo.card("toy")
    training, quantization = (json.loads((toy_run / f"{it}.json").read_text()) for it in ("training", "quantization"))
    assert card["command"] == "emamba flow toy"
    assert card["data"] == training["data"]
    assert card["parameters"] == training["parameters"]
    assert card["seeds"] == [{"seed": 0, **{name: quantization[name] for name in ("validation", "scores", "subjects")}}]


def test_runs_of_other_seeds_are_told_and_of_other_recipes_refused(toy_run, tmp_path):
    other = shutil.copytree(toy_run, tmp_path / "other")
    text = (other / "config.toml").read_text()
    (other / "config.toml").write_text(text.replace("seed = 0", "seed = 5"))
    entry = zoo.put_in([toy_run, other], tmp_path / "zoo")
    assert [it["seed"] for it in json.loads((entry / "card.json").read_text())["seeds"]] == [0, 5]
    (other / "config.toml").write_text(text.replace("d_state = 2", "d_state = 3"))
    with pytest.raises(ConfigError, match="has another recipe"):
        zoo.put_in([toy_run, other], tmp_path / "zoo")


def test_an_unfinished_run_is_refused(toy_run, tmp_path):
    (toy_run / "quantization.json").unlink()
    with pytest.raises(ArtifactError, match=r"quantization\.json does not exist"):
        zoo.put_in([toy_run], tmp_path / "zoo")


def test_of_a_baseline_there_is_a_card_alone(tmp_path, monkeypatch):
    config = baseline("cnn", epochs=1).model_copy(update={"model": CnnConfig(kind="cnn", channels=(2,), dense=())})
    flow.train(config, tmp_path / "run")
    entry = zoo.put_in([tmp_path / "run"], tmp_path / "zoo")
    assert sorted(path.name for path in entry.iterdir()) == ["card.json", "config.toml"]
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path / "zoo")
    assert zoo.names() == []
    assert zoo.card("cnn")["command"] == "emamba train cnn"
    assert set(zoo.card("cnn")["seeds"][0]["scores"]) == {"float"}


def test_an_unknown_model_is_refused_with_those_there_are(small_zoo):
    with pytest.raises(ConfigError, match=r"no model 'lion' in the zoo \(there are: toy\)"):
        zoo.graph("lion")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_that_ships_is_small_and_what_its_card_says(name):
    entry, card = zoo._folder() / name, zoo.card(name)
    quantization = json.loads((entry / "quantization.json").read_text())
    assert content_hash(load(entry / "graph.json")) == quantization["graph_hash"]
    assert card["seeds"][0]["scores"] == quantization["scores"]
    assert all(path.stat().st_size < 500_000 for path in entry.iterdir())
    assert not any(mark in (entry / "card.json").read_text() for mark in ("/work", "/home", "/tmp"))
