import os
import socket
import sqlite3
import subprocess
from contextlib import closing

import optuna
import pytest
from optuna.trial import TrialState

from emamba.errors import ConfigError
from emamba.search.measures import constraints
from emamba.search.space import load_space
from emamba.search.study import SAMPLERS, Plan, ask_again, bury, check_against, new_sampler, open_study, trials
from search_space import DIMENSIONS, write_space


@pytest.fixture
def plan(tmp_path):
    return Plan(load_space(write_space(tmp_path)))


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


def finished(study, loss, **about):
    asked = study.ask()
    asked.suggest_int("model.d_model", 0, 2)
    asked.suggest_categorical("convolution", range(2))
    for name, value in {"costs": {"multiplier_cycles": 9}, "losses": [loss], "whole": True, **about}.items():
        asked.set_user_attr(name, value)
    study.tell(asked, [loss, 9])


def test_a_study_goes_on_where_it_was(plan, storage):
    finished(open_study(plan, storage), 0.25)
    finished(open_study(plan, storage), 0.5)
    assert [(it.number, list(it.losses), it.whole) for it in trials(open_study(plan, storage))] == [
        (0, [0.25], True),
        (1, [0.5], True),
    ]


def test_a_new_study_begins_where_it_is_told_to_and_a_known_one_goes_on(plan, storage):
    home = plan.space.home()
    assert home == {"model.d_model": 1, "convolution": 0}
    for _ in range(2):
        study = open_study(plan, storage, home)
        assert [it.system_attrs["fixed_params"] for it in study.trials] == [home]
    assert study.ask().suggest_int("model.d_model", 0, 2) == 1


def test_what_no_choice_says_is_drawn_at_home_too(tmp_path):
    other = DIMENSIONS.replace("[2, 4, 6]", "[2, 6]")
    assert load_space(write_space(tmp_path, dimensions=other)).home() == {"convolution": 0}


def test_places_that_were_illegal_known_or_put_back_are_no_trials(plan, storage):
    study = open_study(plan, storage)
    finished(study, 0.5, same=0)
    finished(study, 0.5, again=True)
    study.tell(study.ask(), state=TrialState.PRUNED)
    assert trials(study) == []


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"against": ("lut",)}, "another against"),
        ({"constraints": constraints(["lut<=9"])}, r"another constraints: constraints was \[\]"),
    ],
)
def test_a_study_of_another_plan_is_refused(plan, storage, change, fact):
    open_study(plan, storage)
    with pytest.raises(ConfigError, match=fact):
        open_study(Plan(plan.space, **change), storage)


def test_a_study_of_another_space_or_version_is_refused(plan, storage, tmp_path, monkeypatch):
    open_study(plan, storage)
    with pytest.raises(ConfigError, match="another space"):
        open_study(Plan(load_space(write_space(tmp_path / "other", epochs="[1, 3]"))), storage)
    monkeypatch.setattr("emamba.search.study.__version__", "0.0.0")
    with pytest.raises(ConfigError, match="another emamba"):
        open_study(plan, storage)


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("nonsense", "Could not parse"),
        ("oracle9://x/y", "Can't load plugin"),
        ("sqlite:////nowhere/at/all.db", "unable to open"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", "refused"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_clear_error(plan, url, fact):
    with pytest.raises(ConfigError, match=f"cannot use the database .*{fact}") as refused:
        open_study(plan, url)
    assert "URL" in refused.value.hint


def test_a_password_is_not_shown(plan):
    with pytest.raises(ConfigError, match=r"postgresql://me:\*\*\*@127") as refused:
        open_study(plan, "postgresql://me:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite+pysqlite:///:memory:"])
def test_a_database_in_memory_is_refused(plan, url):
    with pytest.raises(ConfigError, match="no other process sees"):
        open_study(plan, url)


def test_a_file_that_is_no_database_is_a_clear_error(plan, storage, tmp_path):
    (tmp_path / "study.db").write_text("this is a text, and long enough not to be taken for an empty database" * 9)
    with pytest.raises(ConfigError, match="cannot use the database"):
        open_study(plan, storage)


def test_a_study_that_others_made_is_refused(plan, storage):
    optuna.create_study(storage=storage, study_name="small", directions=["minimize"] * 2).ask()
    with pytest.raises(ConfigError, match=r"the study small in .* was not made by emamba"):
        open_study(plan, storage)


def test_a_database_of_another_program_is_refused(plan, storage, tmp_path):
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute("create table studies (title text)")
    with pytest.raises(ConfigError, match="cannot use the database"):
        open_study(plan, storage)


@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"])
def test_trials_of_the_dead_are_buried_and_of_the_living_not(plan, storage, host, monkeypatch):
    dead = subprocess.Popen(["true"])
    dead.wait()
    study = open_study(plan, storage)
    for process in (os.getpid(), dead.pid):
        asked = study.ask()
        asked.suggest_int("model.d_model", 0, 2)
        asked.set_user_attr("worker", f"{host} {process}")
    # Another machine's are known by their heartbeats; as those are not waited for here, the second one has none.
    stale = [asked._trial_id] if host == "elsewhere" else []
    monkeypatch.setattr(study._storage, "_get_stale_trial_ids", lambda _: stale)
    bury(study)
    assert [it.state.name for it in study.get_trials()] == ["RUNNING", "FAIL", "WAITING"]


def test_a_lost_trial_is_asked_again_twice_and_then_given_up(plan, storage):
    study = open_study(plan, storage)
    study.enqueue_trial({"model.d_model": 2, "convolution": 1})
    for times in range(3):
        asked = study.ask()
        assert asked.suggest_int("model.d_model", 0, 2) == 2
        assert asked.suggest_categorical("convolution", range(2)) == 1
        frozen = study.get_trials()[-1]
        ask_again(study, frozen)
        waiting = [it for it in study.get_trials() if it.state.name == "WAITING"]
        assert len(waiting) == (times < 2)


def test_objectives_are_costs_each_once():
    assert check_against(["lut", "cycles"]) == ("lut", "cycles")
    for wrong in ([], ["lut", "lut"], ["joules"], ["lut", "fps"]):
        with pytest.raises(ConfigError):
            check_against(wrong)


def test_samplers_are_what_they_are_called():
    kinds = [type(new_sampler(kind, 0)).__name__ for kind in SAMPLERS]
    assert kinds == ["TPESampler", "GPSampler", "NSGAIISampler", "RandomSampler"]
