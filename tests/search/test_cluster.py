from importlib import import_module

import pytest

from emamba.errors import ConfigError, ToolError
from emamba.search import Means, load_space, search
from emamba.search.cluster import engine
from emamba.search.study import Plan, open_study
from search_space import die_once, write_space

module = import_module("emamba.search.search")  # the function of that name hides it
pytestmark = pytest.mark.xdist_group("cluster")  # one Ray on a machine is enough


@pytest.fixture(scope="module")
def ray():
    """A cluster of two workers, which may take its time to start on a machine that does other things too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_raylet_start_wait_time_s", "300")
        import ray

        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


def means(cluster, **more):
    return Means(**{"budget_s": 300, "trials": 5, "sampler": "random", "cluster": cluster, **more})


def states(space, folder):
    return open_study(Plan(space), f"sqlite:///{folder / 'study.db'}").get_trials(deepcopy=False)


def check_killed_and_rerun(found, space, folder):
    """The killed worker's trial was run again at its place, and every trial that was finished is there."""
    assert (folder / "killed").is_file()
    assert len(found.trials) >= 5
    assert found.front
    failed = [it for it in states(space, folder) if it.state.name == "FAIL"]
    assert len(failed) == 1, "that of the other worker goes on"
    assert any(it.place == failed[0].params and not it.reason for it in found.trials)
    whole = [it for it in states(space, folder) if it.state.name == "COMPLETE" and "same" not in it.user_attrs]
    assert [it.number for it in found.trials if not it.reason] == [it.number for it in whole]


@pytest.mark.parametrize("cluster", ["ray", "dask"])
def test_a_worker_killed_on_a_cluster_loses_no_finished_trial_and_its_own_is_run_again(
    cluster, tmp_path, monkeypatch, request
):
    if cluster == "ray":
        request.getfixturevalue("ray")
    monkeypatch.setattr(module, "work", die_once)
    space, folder = load_space(write_space(tmp_path)), tmp_path / "run"
    found = search(space, folder, means=means(cluster, workers=2))
    check_killed_and_rerun(found, space, folder)
    workers = {it.user_attrs["worker"] for it in states(space, folder) if "worker" in it.user_attrs}
    assert len(workers) >= 2
    again = search(space, folder, means=means(cluster, workers=2, trials=len(found.trials) + 1))
    assert len(again.trials) > len(found.trials)
    assert again.trials[: len(found.trials)] == found.trials
