import json
from dataclasses import replace

import pytest

from emamba.bench import accuracy as bench
from emamba.bench.accuracy import CLAIMS, RATIOS, Claim, Finding, accuracy, ratio_table, ratios, table, to_json
from emamba.config import load_config
from emamba.data import dataset_of
from emamba.flow import recipe, zoo
from emamba.graph import load
from emamba.quantization import evaluate

TOY = Claim("toy", "digits, toy", "-", 0.0, "%", 1000)


@pytest.fixture
def toy_zoo(toy_run, tmp_path, monkeypatch):
    zoo.put_in([toy_run], tmp_path / "zoo")
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path / "zoo")
    monkeypatch.setattr(bench, "CLAIMS", (TOY,))
    return tmp_path / "zoo"


def test_the_integer_graph_is_measured_on_the_test_split(toy_zoo, toy_run):
    steps = []
    (found,) = accuracy([], None, lambda *step: steps.append(step))
    config = recipe(toy_run)
    expected = evaluate(load(toy_run / "graph.json"), dataset_of(config).test, "classification", config.data)
    assert found.score == 100 * expected == found.seeds[0]
    assert found.float == 100 * json.loads((toy_run / "training.json").read_text())["scores"]["float"]
    assert steps == [(0, 1, "digits, toy")]
    assert found.met


def test_only_the_models_asked_for_are_measured(toy_zoo):
    assert accuracy(["mars"], None, lambda *step: None) == []


def test_a_bar_is_met_by_score_and_parameters():
    cm = Finding(Claim("m", "MARS", "-", 7.7, "cm", 17_217), 12_000, 7.7, 7.6, (7.7, 7.5))
    assert cm.met
    assert not replace(cm, score=7.71).met
    assert not replace(cm, parameters=17_218).met
    assert cm.loss == pytest.approx(0.1)
    percent = Finding(Claim("f", "F", "-", 91.5, "%", 20_000), 19_000, 91.5, 91.6, (91.5,))
    assert percent.met
    assert not replace(percent, score=91.4).met
    assert percent.loss == pytest.approx(0.1)


def test_tables_say_what_was_missed_spread_and_lost(toy_zoo):
    good = Finding(Claim("m", "MARS", "8.83", 7.7, "cm", 17_217), 12_000, 7.5, 7.45, (7.5, 7.6, 7.4))
    missed = Finding(Claim("f", "F", "-", 91.5, "%", 20_000), 19_000, 91.0, 91.3, (91.0,))
    head, first, second = table([good, missed])
    assert head[4] == "INT8 test"
    assert first == ("MARS", "12,000", "8.83", "<= 7.7 cm", "7.50 cm", "7.50 ± 0.10 cm (3)", "+0.05 cm")
    assert second == ("F", "19,000", "-", ">= 91.5 %", "91.00 % (missed)", "one seed", "-0.30 points")
    assert to_json([good], [])["models"][0]["met"]


def test_parameters_are_compared_with_a_baseline_of_the_zoo(toy_zoo, monkeypatch):
    card = {"parameters": 2000, "seeds": [{"scores": {"float": 0.8}}, {"scores": {"float": 0.9}}]}
    (toy_zoo / "toy_vit").mkdir()
    (toy_zoo / "toy_vit" / "card.json").write_text(json.dumps(card))
    monkeypatch.setattr(bench, "RATIOS", (("toy", "toy_vit", 2.5),))
    (found,) = ratios([Finding(TOY, 500, 86.0, 86.0, (86.0,))])
    assert (found.ratio, found.baseline_score) == (4.0, pytest.approx(85.0))
    expected = ("toy", "86.00 %", "toy_vit", "85.00 %", "4.00x fewer", ">= 2.5x, no less accurate")
    assert ratio_table([found])[1] == expected
    assert found.met
    worse = replace(found, score=84.9)
    assert not worse.met
    assert ratio_table([worse])[1][-1].endswith("(missed)")
    assert not replace(found, ratio=2.4).met
    assert replace(found, unit="cm", score=84.9).met
    assert not replace(found, unit="cm", score=85.1).met
    assert ratios([]) == []


def test_claims_name_recipes_that_come_with_the_package():
    for name in {claim.model for claim in CLAIMS if claim.model in zoo.names()} | {
        baseline for model, baseline, _ in RATIOS if model in zoo.names()
    }:
        assert load_config(name).name == name
