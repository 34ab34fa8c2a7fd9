import json
from pathlib import Path

from emamba.fuzz import campaign
from emamba.fuzz.conduct import Failure


def test_a_graph_without_a_failure(emamba):
    ended = emamba("fuzz", "--graphs", "1", "--seed", "3")
    assert (ended.code, ended.out) == (0, "1 graphs, no failure\n")


def test_a_failure_ends_with_its_code_and_says_how_to_run_it_again(emamba, monkeypatch):
    monkeypatch.setattr(campaign, "conduct", lambda trials, folder: [Failure("RTL", "wrong")] * len(trials))
    ended = emamba("fuzz", "--graphs", "1", "--json")
    assert ended.code == 6
    assert "seed 0: RTL: wrong" in ended.err
    assert "emamba fuzz --replay runs/fuzz/fuzz0/trial.json" in ended.err
    path = json.loads(ended.out)[0]["path"]
    assert Path(path).is_file()
    again = emamba("fuzz", "--replay", path)
    assert again.code == 6
    assert "RTL: wrong" in again.err


def test_a_trial_that_is_not_there(emamba, tmp_path):
    ended = emamba("fuzz", "--replay", tmp_path / "trial.json")
    assert (ended.code, "is no file" in ended.err, "trial.json that" in ended.err) == (4, True, True)
