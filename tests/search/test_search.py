import re
import sqlite3
import threading
import time
from contextlib import closing
from importlib import import_module

import pytest

from emamba.errors import ConfigError, DataError, ToolError
from emamba.flow import Listener
from emamba.search import Means, load_space, search, worker
from emamba.search.cluster import Engine
from emamba.search.found import summary
from emamba.search.study import Plan, open_study, trials
from emamba.search.worker import TICKET, Order
from search_space import DIMENSIONS, die, die_once, wait_for, write_space

module = import_module("emamba.search.search")  # the function of that name hides it


def means(**more):
    return Means(**{"budget_s": 300, "trials": 4, "workers": 2, "sampler": "random", **more})


def test_workers_leave_a_front_with_recipes_and_a_later_call_goes_on(tmp_path):
    told = []
    space = load_space(write_space(tmp_path))
    listener = Listener(lambda done, total, label: told.append((done, total, label)))
    found = search(space, tmp_path / "run", means=means(), listener=listener)
    assert 4 <= len(found.trials) <= 5, "the other worker may have been in the middle of one"
    assert found.front
    assert (tmp_path / "run" / "front.svg").is_file()
    assert len(list((tmp_path / "run" / "recipes").iterdir())) == len(found.front)
    assert {total for _, total, _ in told} == {4}
    label = told[-1][2]
    assert re.fullmatch(r"search: \d+ trials, best [0-9.]+ % at [0-9,]+ multiplier cycles, \d+ min left", label)
    again = search(space, tmp_path / "run", means=means(trials=6, workers=1))
    assert len(again.trials) >= 6
    assert again.trials[: len(found.trials)] == found.trials


@pytest.mark.parametrize(("sampler", "first"), [("tpe", True), ("random", False)])
def test_a_search_begins_with_the_recipe_and_chance_does_not(tmp_path, sampler, first):
    space = load_space(write_space(tmp_path, epochs="[1]"))
    found = search(space, tmp_path / "run", means=means(trials=1, workers=1, sampler=sampler, seed=1))
    assert (found.trials[0].place == space.home()) == first


def test_a_study_of_another_space_in_the_folder_is_refused(tmp_path):
    open_study(Plan(load_space(write_space(tmp_path))), f"sqlite:///{tmp_path / 'study.db'}")
    other = load_space(write_space(tmp_path, dimensions=DIMENSIONS.replace("[2, 4, 6]", "[2, 4]")))
    with pytest.raises(ConfigError, match="another space"):
        search(other, tmp_path, means=means())


def test_workers_that_are_lost_again_and_again_end_the_search_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "work", die)
    with pytest.raises(ToolError, match="workers were lost 5 times") as lost:
        search(load_space(write_space(tmp_path)), tmp_path / "run", means=means())
    assert "memory" in lost.value.hint


def test_a_killed_worker_loses_no_finished_trial_and_its_own_is_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "work", die_once)
    space = load_space(write_space(tmp_path))
    found = search(space, tmp_path / "run", means=means(trials=5))
    assert (tmp_path / "run" / "killed").is_file()
    assert len(found.trials) >= 5
    states = open_study(Plan(space), f"sqlite:///{tmp_path / 'run' / 'study.db'}").get_trials(deepcopy=False)
    (killed, *_) = [it for it in states if it.state.name == "FAIL"]
    assert any(it.place == killed.params and not it.reason for it in found.trials)
    whole = [it.number for it in states if it.state.name == "COMPLETE" and "same" not in it.user_attrs]
    assert [it.number for it in found.trials if not it.reason] == whole


def test_what_an_interrupted_search_has_found_is_in_its_folder_and_the_cut_trial_is_asked_again(tmp_path, monkeypatch):
    space, folder, second, true = load_space(write_space(tmp_path)), tmp_path / "run", threading.Event(), worker.trained

    def trained(*given):
        if not second.is_set() and trials(open_study(Plan(space), f"sqlite:///{folder / 'study.db'}")):
            second.set()
            wait_for(worker.STOP.is_set)
        return true(*given)

    def interrupt(done, total, label):
        if second.is_set():
            raise KeyboardInterrupt

    monkeypatch.setattr(worker, "trained", trained)
    with pytest.raises(KeyboardInterrupt):
        search(space, folder, means=means(trials=0, workers=1), listener=Listener(interrupt))
    assert (folder / "trials.jsonl").read_text()
    assert (folder / "front.json").is_file()
    states = [it.state.name for it in open_study(Plan(space), f"sqlite:///{folder / 'study.db'}").trials]
    assert "RUNNING" not in states
    assert states[-1] == "WAITING"
    found = search(space, folder, means=means(trials=len(states), workers=1))
    assert len(found.trials) >= len(states)


def test_a_search_without_any_design_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("emamba.search.worker._IN_VAIN", 3)
    space = load_space(write_space(tmp_path, dimensions=f'[set]\n"hardware.latency_cycles" = 1\n{DIMENSIONS}'))
    found = search(space, tmp_path / "run", means=means(workers=1))
    assert not found.trials
    told = [line for line in summary(found, tmp_path) if line.startswith("without a design, 3 places; ")]
    assert "no design found (wish for" in told[0]


def test_a_database_that_is_lost_in_the_middle_is_a_clear_error(tmp_path):
    folder = tmp_path / "run"

    def lose(done, total, label):
        if done:
            with closing(sqlite3.connect(folder / "study.db")) as database:
                database.execute("alter table trials rename to lost")

    with pytest.raises(ToolError, match="does not answer any more: ") as lost:
        search(load_space(write_space(tmp_path)), folder, means=means(trials=0, workers=1), listener=Listener(lose))
    assert "the same command goes on" in lost.value.hint


THREADS = Engine("threading", {}, 2)  # stands for a cluster: its workers start at once


def raises(error):
    def task(order, number):
        raise error

    return task


@pytest.fixture
def order(tmp_path):
    plan = Plan(load_space(write_space(tmp_path)))
    return Order(plan, tmp_path, f"sqlite:///{tmp_path / 'study.db'}", "random", 0, time.time() + 600, 1)


def test_what_a_cluster_lacks_is_known_before_the_search(order, monkeypatch):
    ticket = module._checked(order, THREADS).ticket
    assert (order.folder / TICKET).read_text() == ticket
    for error, fact in (
        (ConfigError("no folder", "share it"), "^no folder"),
        (ImportError("no emamba"), "do not start"),
    ):
        monkeypatch.setattr(module, "look_around", raises(error))
        with pytest.raises((ConfigError, ToolError), match=fact):
            module._checked(order, THREADS)


def test_an_error_of_the_user_ends_the_search_at_once(order, monkeypatch):
    monkeypatch.setattr(module, "work", raises(DataError("no data", "fetch it")))
    study = open_study(order.plan, order.storage)
    with pytest.raises(DataError, match="no data"):
        module._with_workers(study, order, THREADS, lambda: None)


def test_workers_may_be_lost_often_as_long_as_trials_end_in_between(order, monkeypatch):
    study = open_study(order.plan, order.storage)

    def work(order, number):
        if number or len(study.trials) >= 7:
            return
        asked = study.ask()
        asked.set_user_attr("costs", {"multiplier_cycles": 9})
        study.tell(asked, [0.5, 9])
        raise RuntimeError("no memory")

    monkeypatch.setattr(module, "work", work)
    monkeypatch.setattr(module, "_GLANCE_S", 0.1)
    module._with_workers(study, order, THREADS, lambda: None)
    assert len(study.trials) == 7


def test_a_worker_that_never_comes_back_is_not_waited_for_when_all_is_done(order, monkeypatch):
    study = open_study(order.plan, order.storage)
    came_back = []

    def work(order, number):
        time.sleep(60)
        came_back.append(number)

    monkeypatch.setattr(module, "work", work)
    monkeypatch.setattr(module, "_GLANCE_S", 0.1)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.3)
    looks = []

    def look():
        looks.append(len(looks))
        if len(looks) == 3:
            asked = study.ask()
            asked.set_user_attr("costs", {"multiplier_cycles": 9})
            study.tell(asked, [0.5, 9])

    module._with_workers(study, order, THREADS, look)
    assert len(looks) >= 5, "the trial ended at the third look"
    assert not came_back
