import json
from dataclasses import replace

import pytest

from emamba.bench import accuracy as bench
from emamba.bench.accuracy import (
    CLAIMS,
    RATIOS,
    Claim,
    Finding,
    Ratio,
    accuracy,
    ratio_table,
    ratios,
    table,
    to_json,
    unmeasured,
)
from emamba.config import load_config
from emamba.data import dataset_of
from emamba.errors import ConfigError
from emamba.flow import recipe, zoo
from emamba.graph import load
from emamba.quantization import evaluate

TOY = Claim("toy", "digits, toy", "-", 0.0, 1000)


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
    assert found.score == expected == found.seeds[0]
    assert found.float == json.loads((toy_run / "training.json").read_text())["scores"]["float"]
    assert steps == [(0, 1, "digits, toy")]
    assert found.met


def test_only_the_models_asked_for_are_measured(toy_zoo):
    assert [found.claim for found in accuracy(["toy"], None, lambda *step: None)] == [TOY]
    with pytest.raises(ConfigError, match="no model 'lion' in the zoo"):
        accuracy(["toy", "lion"], None, lambda *step: None)


RADAR = Finding(Claim("m", "MARS", "8.83", 7.7, 17_217), "regression", 12_000, 0.075, 0.0745, (0.075, 0.076, 0.074))
CLOTHES = Finding(Claim("f", "F", "-", 91.5, 20_000), "classification", 19_000, 0.915, 0.916, (0.915,))


def test_a_bar_is_met_by_score_and_parameters():
    assert RADAR.met
    assert replace(RADAR, score=0.077).met
    assert not replace(RADAR, score=0.0771).met
    assert not replace(RADAR, parameters=17_218).met
    assert CLOTHES.met
    assert not replace(CLOTHES, score=0.914).met


def test_where_there_is_no_bar_only_parameters_count():
    text = Finding(Claim("w", "W", "-", None, 100_000), "language", 95_000, 1.7605, 1.7551, (1.7605, 1.7625))
    assert text.met
    assert not replace(text, parameters=100_001).met
    row = table([text])[1]
    assert row[3:] == ("-", "1.760 bits a byte", "1.761 bits a byte ± 0.001 (2 seeds)", "+0.005 bits")


def test_tables_say_what_was_missed_spread_and_lost():
    head, first, second = table([RADAR, replace(CLOTHES, score=0.91)])
    assert head[4] == "INT8 test"
    assert first == ("MARS", "12,000", "8.83", "<= 7.7 cm", "7.50 cm", "7.50 cm ± 0.10 (3 seeds)", "+0.05 cm")
    assert second == ("F", "19,000", "-", ">= 91.5 %", "91.00 % (missed)", "one seed", "\N{MINUS SIGN}0.60 points")
    assert to_json([RADAR], [])["models"][0]["met"]


def test_parameters_are_compared_with_a_baseline_of_the_zoo(toy_zoo, monkeypatch):
    found = Finding(TOY, "classification", 500, 0.86, 0.85, (0.86,))
    monkeypatch.setattr(bench, "RATIOS", (("toy", "toy_vit", 2.5),))
    assert ratios([found]) == []
    card = {"parameters": 2000, "seeds": [{"scores": {"float": 0.8}}, {"scores": {"float": 0.9}}]}
    (toy_zoo / "toy_vit").mkdir()
    (toy_zoo / "toy_vit" / "card.json").write_text(json.dumps(card))
    assert ratios([]) == []
    (ratio,) = ratios([found])
    assert (ratio.ratio, ratio.baseline_score) == (4.0, pytest.approx(0.85))
    expected = ("toy", "86.00 %", "toy_vit", "85.00 %", "4.00x fewer", ">= 2.5x, no less accurate")
    assert ratio_table([ratio])[1] == expected


def test_a_ratio_needs_parameters_and_accuracy():
    ratio = Ratio("m", "v", "regression", 1.6, 1.7, score=0.07, baseline_score=0.071)
    assert ratio.met
    assert not replace(ratio, ratio=1.5).met
    worse = replace(ratio, score=0.072)
    assert not worse.met
    assert ratio_table([worse])[1][-1] == ">= 1.6x, no less accurate (missed)"
    assert replace(worse, task="classification").met


def test_bars_that_nothing_was_trained_for_are_told(toy_zoo, monkeypatch):
    lions, words = Claim("lion", "Lions", "-", 99.5, 10), Claim("word", "Words", "-", None, 10)
    monkeypatch.setattr(bench, "CLAIMS", (TOY, lions, words))
    monkeypatch.setattr(bench, "RATIOS", (("toy", "toy_vit", 2.5),))
    facts = ["Lions, bar 99.5: no model in the zoo", "toy against toy_vit, bar 2.5x: toy_vit was not trained"]
    assert unmeasured([]) == [facts[0], "Words, no bar: no model in the zoo", facts[1]]
    assert unmeasured(["toy"]) == facts[1:]


def test_claims_name_recipes_that_come_with_the_package():
    named = {claim.model for claim in CLAIMS} | {baseline for _, baseline, _ in RATIOS}
    assert set(zoo.cards()) <= named
    for name in zoo.cards():
        assert load_config(name).name == name
