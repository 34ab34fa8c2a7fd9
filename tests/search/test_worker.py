import socket
import time
from dataclasses import replace

import pytest

from emamba.errors import ConfigError, DataError
from emamba.search.measures import constraints
from emamba.search.space import load_space
from emamba.search.study import Plan, open_study, trials
from emamba.search.worker import TICKET, Order, look_around, work
from search_space import DIMENSIONS, write_space


@pytest.fixture
def order(tmp_path):
    plan = Plan(load_space(write_space(tmp_path)))
    return Order(plan, tmp_path, f"sqlite:///{tmp_path / 'study.db'}", "random", 0, time.time() + 600, 3)


def ended(order):
    return trials(open_study(order.plan, order.storage))


def test_trials_climb_rungs_as_long_as_they_are_among_the_best(order):
    work(order, 0)
    found = ended(order)
    assert len(found) == 3
    assert all(len(it.losses) == (2 if it.whole else 1) for it in found)
    assert found[0].whole, "the first has no rivals"
    assert all(0 <= loss <= 1 for it in found for loss in it.losses)
    assert all(it.costs["multipliers"] > 0 and it.feasible and not it.reason for it in found)


def test_a_place_is_trained_once_and_a_space_that_is_used_up_ends_the_search(order, monkeypatch):
    monkeypatch.setattr("emamba.search.worker._IN_VAIN", 25)
    work(replace(order, trials=0), 0)
    places = [tuple(it.place.items()) for it in ended(order)]
    assert len(places) == len(set(places)) == 6


def test_a_gaussian_process_is_not_caught_in_places_that_are_illegal(order, tmp_path):
    more = '\n[[dimension]]\nkey = "model.d_conv"\nchoices = [2, 4, 5]\nreason = "a square one has to be odd"\n'
    dimensions = DIMENSIONS.replace(', "model.d_conv" = 3', "").replace("[2, 4, 6]", "[2, 4]") + more
    plan = Plan(load_space(write_space(tmp_path / "more", dimensions=dimensions, epochs="[1]")))
    there = replace(order, plan=plan, storage=f"sqlite:///{tmp_path / 'more.db'}", sampler="gp", trials=0)
    work(there, 0)
    assert len(ended(there)) == 8, "of twelve places those that are legal"


def test_the_same_seed_tries_the_same_places_and_a_study_that_goes_on_tries_others(order, tmp_path):
    other = replace(order, storage=f"sqlite:///{tmp_path / 'other.db'}", trials=2)
    for it in (replace(order, trials=2), other):
        work(it, 0)
    first = [it.place for it in ended(order)]
    assert [it.place for it in ended(other)] == first
    work(order, 0)
    assert ended(order)[2].place not in first


def test_where_enough_trials_have_ended_none_is_added(order):
    work(replace(order, trials=2), 0)
    asked = len(open_study(order.plan, order.storage).trials)
    work(replace(order, trials=2), 0)
    assert len(open_study(order.plan, order.storage).trials) == asked


def test_what_breaks_a_constraint_is_not_trained(order):
    limited = replace(order, plan=replace(order.plan, constraints=constraints(["multipliers<=1"])))
    work(limited, 0)
    assert [(it.losses, it.feasible) for it in ended(limited)] == [((), False)] * 3


def test_a_trial_that_diverges_fails_with_its_reason_and_the_study_goes_on(tmp_path):
    dimensions = (
        DIMENSIONS + '\n[[dimension]]\nkey = "training.learning_rate"\nchoices = [0.01, 1e30]\nreason = "steps"\n'
    )
    plan = Plan(load_space(write_space(tmp_path, dimensions=dimensions)))
    order = Order(plan, tmp_path, f"sqlite:///{tmp_path / 'study.db'}", "random", 1, time.time() + 600, 6)
    work(order, 0)
    reasons = {it.place["training.learning_rate"]: it.reason for it in ended(order)}
    assert reasons[0] == ""
    assert reasons[1].startswith("TrainingError: ")


def test_a_trial_that_runs_out_of_memory_fails_with_its_reason(order, monkeypatch):
    monkeypatch.setattr("emamba.search.worker.trained", lambda *_: (_ for _ in ()).throw(MemoryError("9 GB")))
    work(order, 0)
    assert [it.reason for it in ended(order)] == ["MemoryError: 9 GB"] * 3


def test_a_trial_that_the_deadline_cuts_is_asked_again_first(order, monkeypatch):
    from emamba.search import worker

    true, told = worker._Worker._in_time, []

    def cut_once(self, *step):
        told.append(step)
        true(replace_deadline(self) if len(told) == 1 else self, *step)

    def replace_deadline(self):
        return worker._Worker(replace(order, deadline=0), self.known, self.sampler)

    monkeypatch.setattr(worker._Worker, "_in_time", cut_once)
    work(replace(order, trials=1), 0)
    first, second = open_study(order.plan, order.storage).get_trials()
    assert (first.state.name, second.state.name) == ("FAIL", "COMPLETE")
    assert first.params == second.params
    assert [it.number for it in ended(order)] == [1]


def test_a_later_trial_inherits_weights_of_the_one_it_is_most_like(order, monkeypatch):
    from emamba.search import worker

    donors, true = [], worker.trained
    monkeypatch.setattr(worker, "trained", lambda *given: donors.append(given[2]) or true(*given))
    work(replace(order, trials=2), 0)
    assert donors[0] is None
    assert any(donor and "head.weight" in donor for donor in donors[1:])


def test_a_worker_on_another_machine_needs_a_server_for_the_study(order):
    here = replace(order, host=socket.gethostname())
    look_around(here, 0)
    with pytest.raises(ConfigError, match=r"cannot share the study in sqlite:.* with elsewhere") as refused:
        work(replace(order, host="elsewhere"), 0)
    assert "postgresql://" in refused.value.hint


def test_a_worker_on_another_machine_needs_the_folder_of_the_search(order, tmp_path):
    there = replace(order, host="elsewhere", storage="postgresql://user@host/name", ticket="new")
    for text in (None, "of an earlier search"):
        if text:
            (tmp_path / TICKET).write_text(text)
        with pytest.raises(ConfigError, match="does not see the folder"):
            look_around(there, 0)
    (tmp_path / TICKET).write_text("new")
    look_around(there, 0)


def test_a_worker_on_another_machine_needs_the_data(order, tmp_path):
    space = order.plan.space
    recipe = space.recipe.model_copy(update={"data": space.recipe.data.model_copy(update={"name": "mars"})})
    plan = replace(order.plan, space=replace(space, recipe=recipe))
    there = replace(order, plan=plan, host="elsewhere", storage="postgresql://user@host/name", ticket="new")
    (tmp_path / TICKET).write_text("new")
    with pytest.raises(DataError, match=f"on {socket.gethostname()}: mars is not there"):
        look_around(replace(there, data_dir=tmp_path), 0)
