"""The proof that a search pays: what is compared, what dominates, and that a second call does nothing again."""

import json
import math
import re
from dataclasses import replace

import pytest

from emamba.bench import search as bench
from emamba.errors import ConfigError
from emamba.search import Found, Trial, load_space, pareto
from emamba.search.space import spaces
from emamba.search.study import Plan, open_study
from search_space import write_space
from toy import TOY

TUNED = 1  # epochs of fine-tuning of a whole trial
PLACE = {"model.d_model": 0, "convolution": 0}


def trial(number, loss, cost, **more):
    known = {"whole": True, "feasible": True, "losses": (0.9, loss), **more}
    return Trial(number, PLACE, {bench.COST: cost}, **known)


@pytest.fixture
def found(tmp_path):
    stopped = trial(0, 0, 10, whole=False, losses=(0.01,))
    trials = (stopped, trial(1, 0.06, 20), trial(2, 0.03, 40), trial(3, 0.02, 45), trial(4, 0.01, 70))
    return Found(
        Plan(load_space(write_space(tmp_path))), "classification", trials, tuple(pareto(trials, (bench.COST,)))
    )


def outcome(found, paper):
    return bench.outcome(found, "tpe", 1, paper, (0.1, 100), found)


def test_the_point_is_the_cheapest_of_the_front_that_is_as_good_as_the_paper(found):
    it = outcome(found, 0.03)
    assert (it.recipe, it.validation, it.ratio, it.dominates) == ("toy_2", 0.97, 0.4, True)
    assert (it.seed, it.method, it.trials, it.whole, it.epochs) == (1, "tpe", 5, 4, 1 + 4 * (1 + 2 + TUNED))


def test_a_point_that_costs_more_than_half_does_not_dominate_and_without_one_there_is_none(found):
    dear = outcome(found, 0.01)
    assert (dear.recipe, dear.ratio, dear.dominates) == ("toy_4", 0.7, False)
    none = outcome(found, 0.005)
    assert (none.recipe, none.validation, none.ratio, none.dominates) == (None, None, None, False)


def test_the_hypervolume_is_a_share_of_the_area_up_to_the_reference(found):
    share = outcome(found, 0.01).hypervolume
    by_hand = 0.04 * 80 + 0.03 * 60 + 0.01 * 55 + 0.01 * 30
    assert share == pytest.approx(by_hand / 10)
    assert outcome(replace(found, front=()), 0.01).hypervolume == 0


def test_chance_trains_whole_networks_for_as_many_epochs_as_the_longest_search(found):
    fewer = replace(found, trials=found.trials[:3])
    assert bench._fair([fewer, found]) == math.ceil((1 + 4 * (1 + 2 + TUNED)) / (2 + TUNED)) == 6
    assert bench._fair([replace(found, trials=())]) == 1
    assert bench._fair([fewer]) == math.ceil((1 + 2 * (1 + 2 + TUNED)) / (2 + TUNED)) == 3


def test_the_table_and_the_summary_say_who_is_ahead(found):
    drawn = (trial(0, 0.09, 50, losses=(0.09,)), trial(1, 0.04, 60, losses=(0.04,)))
    drawn += tuple(trial(n, 0.02, 55, losses=(0.02,)) for n in range(2, 9))
    space = found.plan.space
    content = space.content.model_copy(update={"epochs": space.content.epochs[-1:]})
    plan = replace(found.plan, space=replace(space, content=content))
    chance = replace(found, plan=plan, trials=drawn, front=tuple(pareto(drawn, (bench.COST,))))
    short = replace(found, trials=found.trials[1:2], front=found.front[:1])
    asked = ("toy", bench.Target("toy_paper", 0.1), [(0.03, 100.0), (0.05, 100.0)])
    proof = bench.proof(*asked, [{"tpe": found, "gp": short, bench.CHANCE: chance}])
    head, tpe, gp, chance = bench.table(proof)
    assert head[-2:] == ("Accuracy", "cost")
    assert tpe == ("0", "tpe", "5", "4", "17", "0.585", "0.365", "toy_2", "97.00 %", "0.40")
    assert gp == ("0", "gp", "1", "1", "4", "0.320", "0.250", "none", "-", "-"), "two places have as many epochs"
    assert chance == ("0", "chance", "9", "9", "27", "0.365", "0.365", "toy_2", "98.00 %", "0.55")
    lines = bench.summary(proof)
    assert lines[0].startswith("toy_paper: 97.00 %, 95.00 % (validation")
    assert "90.00 % at 100" in lines[1]
    assert lines[4] == (
        "tpe: mean hypervolume 0.585, 0.365 of chance with as many epochs, ahead with 1 of 1 seeds; "
        "1 of 1 fronts dominate toy_paper"
    )
    assert lines[6] == "chance: mean hypervolume 0.365; 0 of 1 fronts dominate toy_paper"
    assert [it["dominates"] for it in bench.to_json(proof)["outcomes"]] == [True, False, False]


def test_a_point_has_to_be_as_good_as_the_authors_say_where_that_is_better_than_the_preset(found):
    def first(published):
        target = bench.Target("toy_paper", 0.1, published)
        proof = bench.proof("toy", target, [(0.03, 100.0)], [{"tpe": found, bench.CHANCE: found}])
        return proof.outcomes[0].recipe, bench.summary(proof)[0]

    assert first(0.02) == (
        "toy_3",
        "toy_paper: 97.00 % (validation, integers, one a seed; the authors say 98.00 %; the best counts), "
        "100 multipliers x cycles",
    )
    assert first(0.05)[0] == first(None)[0] == "toy_2"
    assert "authors" not in first(None)[1]


def test_a_space_without_a_preset_of_the_paper_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no preset of the paper for small") as refused:
        bench.prove(load_space(write_space(tmp_path)), tmp_path, 1)
    assert "digits" in refused.value.hint


def test_every_target_is_a_recipe_of_the_data_of_a_space_of_the_package():
    from emamba.config import load_config

    for name, target in bench.TARGETS.items():
        space, paper = load_space(name), load_config(target.recipe)
        assert paper.data.name == space.recipe.data.name
        assert paper.model.silu.knots == "paper"


def test_the_help_names_all_spaces_and_all_that_have_a_preset(emamba):
    assert set(spaces()) <= set(re.findall(r"\w+", emamba("search", "--help").out))
    assert set(bench.TARGETS) <= set(re.findall(r"\w+", emamba("bench", "search", "--help").out))


def test_the_command_measures_both_methods_and_a_second_call_adds_nothing(emamba, tmp_path, monkeypatch):
    (tmp_path / "master.toml").write_text("training.epochs = 1\n" + TOY)
    told = f'training = {{ validation = "trains", epochs = 1, teacher.recipe = "{tmp_path / "master.toml"}" }}\n'
    path = write_space(tmp_path, recipe=told + TOY)
    monkeypatch.setattr(bench, "TARGETS", {"small": bench.Target(str(tmp_path / "toy.toml"), 1.0)})
    given = ("bench", "search", path, "--trials", 2, "--seeds", 1, "--run", "proof", "--workers", 2)
    ended = emamba(*given)
    assert ended.code == 0
    head, *rows = ended.out.splitlines()
    assert re.match(r"seed +method +trials +whole +epochs +hypervolume +chance +cheapest as good +Accuracy +cost", head)
    assert [row.split()[:2] for row in rows[:2]] == [["0", "tpe"], ["0", "chance"]]
    used = [int(row.split()[4]) for row in rows[:2]]
    assert 0 <= used[1] - used[0] < 2 + TUNED, "as many epochs, or less than a whole training more"
    studies = [tmp_path / "proof" / name / "study.db" for name in ("tpe_0", "chance_0")]
    space = load_space(path)
    drawn = replace(space, content=space.content.model_copy(update={"epochs": space.content.epochs[-1:]}))

    def count():
        return [
            len(open_study(Plan(of), f"sqlite:///{study}").trials)
            for of, study in zip((space, drawn), studies, strict=True)
        ]

    asked = count()
    taught = [tmp_path / "proof" / name / "teacher/model.safetensors" for name in (".", "tpe_0", "chance_0")]
    assert len({it.stat().st_mtime_ns for it in taught}) == 1, "trained once, for all searches"
    again = json.loads(emamba(*given, "--json").out)
    assert [it["epochs"] for it in again["outcomes"]] == used
    assert count() == asked
    assert again["paper"][0] * 40 == pytest.approx(round(again["paper"][0] * 40)), "on the 40 frames of the trials"
    assert emamba("bench", "search", path, "--sampler", "guess").code == 2
