"""The zoo on the command line."""

import json

import pytest

from emamba.flow import zoo


@pytest.fixture(autouse=True)
def small_zoo(toy_run, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path / "zoo")
    monkeypatch.chdir(tmp_path)
    zoo.put_in([toy_run], tmp_path / "zoo")


def test_models_are_listed(emamba):
    listed = emamba("zoo", "list").out
    assert "emamba flow toy" in listed
    assert [card["name"] for card in json.loads(emamba("zoo", "list", "--json").out)] == ["toy"]


def test_a_model_is_taken_out_and_put_in_again(emamba, tmp_path):
    assert emamba("zoo", "take", "toy", "--run", tmp_path / "out").out == f"{tmp_path}/out\n"
    assert emamba("zoo", "put", tmp_path / "out", "--zoo", tmp_path / "other").out == f"{tmp_path}/other/toy\n"
    for name in ("graph.json", "vectors.npz", "card.json"):
        assert (tmp_path / "other" / "toy" / name).read_bytes() == (tmp_path / "zoo" / "toy" / name).read_bytes()


def test_a_model_that_is_not_there_is_an_error_of_choice(emamba):
    for arguments in (("zoo", "take", "lion"), ("show", "zoo:lion"), ("verify", "zoo:lion")):
        ended = emamba(*arguments)
        assert ended.code == 2
        assert "no model 'lion' in the zoo" in ended.told[0]
        assert "toy" in ended.told[1]


def test_verify_emits_and_takes_the_vectors_where_the_data_are_not(emamba, monkeypatch):
    def missing(name, folder=None):
        from emamba.errors import DataError

        raise DataError(f"{name} is not there", "fetch it")

    monkeypatch.setattr("emamba.data.load_dataset", missing)
    found = json.loads(emamba("verify", "zoo:toy", "--json").out)
    assert (found["frames"], found["mismatches"]) == (16, 0)


def test_show_takes_a_model(emamba):
    assert emamba("show", "zoo:toy").out.startswith("graph toy: 4 tokens")
