import json

import pytest

from emamba.config import load_config
from emamba.search.found import Found, recipe_name, row, summary, table, write
from emamba.search.measures import COSTS, constraints
from emamba.search.space import load_space
from emamba.search.study import Plan, Trial
from search_space import write_space


def trial(number, loss, cost=1000, **more):
    known = {"whole": True, "feasible": True, **more}
    return Trial(
        number, {"model.d_model": number % 3, "convolution": 0}, dict.fromkeys(COSTS, cost), [0.9, loss], 1.0, **known
    )


@pytest.fixture
def found(tmp_path):
    trials = (trial(0, 0.25), trial(1, 0.125, 2000), trial(2, 0.5, whole=False), trial(3, 0.5, reason="it diverged"))
    return Found(Plan(load_space(write_space(tmp_path))), "classification", trials, trials[:2])


def test_the_folder_has_every_trial_the_front_and_its_picture(found, tmp_path):
    write(found, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "trials.jsonl").read_text().splitlines()]
    assert [it["number"] for it in lines] == [0, 1, 2, 3]
    assert lines[3]["reason"] == "it diverged"
    assert lines[1]["chosen"] == {"model.d_model": 4, "model.convolution": "depthwise"}
    front = json.loads((tmp_path / "run" / "front.json").read_text())
    assert [it["validation"] for it in front["front"]] == [0.75, 0.875]
    assert front["space"] == found.plan.space.hash
    assert (tmp_path / "run" / "front.svg").read_bytes().startswith(b"<?xml")


def test_each_point_of_the_front_has_a_recipe_and_older_ones_are_gone(found, tmp_path):
    (tmp_path / "run" / "recipes").mkdir(parents=True)
    (tmp_path / "run" / "recipes" / "toy_77.toml").write_text("")
    write(found, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run" / "recipes").iterdir()) == ["toy_0.toml", "toy_1.toml"]
    config = load_config(tmp_path / "run" / "recipes" / "toy_1.toml")
    assert (config.name, config.model.d_model, config.training.epochs) == ("toy_1", 4, 2)


def test_the_table_names_recipes_scores_and_costs(found):
    head, *rows = table(found)
    assert head[:3] == ("recipe", "Accuracy, validation", "multiplier cycles")
    assert rows[1][:3] == ("toy_1", "87.50 %", "2,000")
    assert row(found, found.front[1])["recipe"] == recipe_name(found, found.front[1]) == "toy_1"


def test_the_summary_counts_what_became_of_all_trials(found, tmp_path):
    lines = summary(found, tmp_path)
    assert lines[0] == "4 trials: 2 trained to the end, 1 stopped early, 0 outside the constraints"
    assert lines[1] == "failed, 1 times: it diverged"
    assert "recipes" in lines[2]
    estimated = Plan(found.plan.space, constraints=constraints(["asap7_nj<=40"]))
    note = summary(Found(estimated, "classification", found.trials, found.front), tmp_path)[2]
    assert note.startswith("asap7: estimated: each of ")


def test_where_nothing_keeps_the_constraints_the_nearest_is_told(found, tmp_path):
    plan = Plan(found.plan.space, constraints=constraints(["lut<=100", "fps>=5"]))
    refused = tuple(trial(number, 0.5, cost, feasible=False, whole=False) for number, cost in enumerate((400, 300)))
    lines = summary(Found(plan, "regression", refused, ()), tmp_path)
    assert lines[0] == "2 trials: 0 trained to the end, 0 stopped early, 2 outside the constraints"
    assert lines[1] == "no trial kept the constraints; the nearest missed lut<=100 (300)"
    assert write(Found(plan, "regression", (), ()), tmp_path / "empty").front == ()
