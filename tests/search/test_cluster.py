import importlib.util
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

import search_space
from emamba.errors import ConfigError, ToolError
from emamba.search import Means, load_space, search
from emamba.search.cluster import _refused, at_once, engine
from emamba.search.study import Plan, open_study
from search_space import die, die_once, wait_for, write_space

module = import_module("emamba.search.search")  # the function of that name hides it
pytestmark = pytest.mark.xdist_group("cluster")  # one Ray on a machine is enough


# Of Ray, where a machine does other things too: it gives up a worker or itself only after minutes.
PATIENCE = {
    "raylet_start_wait_time_s": "120",
    "worker_register_timeout_seconds": "300",
    "health_check_failure_threshold": "60",
    "memory_monitor_refresh_ms": "0",
    "CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "240",
}


@pytest.fixture(scope="module")
def ray():
    """`--cluster ray` is a Ray of two cores that runs already."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("PYTHONPATH", str(Path(search_space.__file__).parent), prepend=os.pathsep)  # of workers too
        for name, value in PATIENCE.items():
            environment.setenv(f"RAY_{name}", value)
        started = start()
        environment.setenv("RAY_ADDRESS", started.address)
        try:
            yield
        finally:
            started.shutdown()


# Of a Ray head, where a process of its own that serves the client needs longer than it waits.
TOO_SLOW = ("Proxy failed to Connect to backend", "Starting Ray client server failed", "ray client connection timeout")


def start():
    """A cluster; on a machine that does other things too, Ray may need to be asked again."""
    from ray.cluster_utils import Cluster

    bare = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}  # starts in half the time
    reasons = []
    for _ in range(3):
        try:
            return Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **bare})
        except Exception as error:
            reasons.append(str(error))
    return pytest.skip(f"Ray does not start here: {reasons[-1]}")


def means(cluster, **more):
    return Means(**{"budget_s": 600, "trials": 5, "sampler": "random", "cluster": cluster, **more})


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


def test_a_worker_killed_on_ray_loses_no_finished_trial_its_own_is_run_again_and_the_study_goes_on(
    ray, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "work", die_once)
    space, folder = load_space(write_space(tmp_path)), tmp_path / "run"
    found = search(space, folder, means=means("ray"))
    check_killed_and_rerun(found, space, folder)
    again = search(space, folder, means=means("ray", trials=len(found.trials) + 1))
    assert len(again.trials) > len(found.trials)
    assert again.trials[: len(found.trials)] == found.trials


def test_a_worker_killed_on_dask_loses_no_finished_trial_and_its_own_is_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "work", die_once)
    space, folder = load_space(write_space(tmp_path)), tmp_path / "run"
    check_killed_and_rerun(search(space, folder, means=means("dask", workers=2)), space, folder)


def free_port():
    """One that Ray keeps for nothing else: its workers have 10002 to 19999."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            if (port := server.getsockname()[1]) > 19999:
                return port


def tool(*arguments, check=True, **how):
    """A command of a package that is installed beside Python."""
    return subprocess.run([str(Path(sys.executable).parent / arguments[0]), *arguments[1:]], check=check, **how)


def listens(port):
    """Whether somebody answers at `port` of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def head(environment, log):
    """The address of a Ray of two cores that a command started, and that ends alone."""
    port = free_port()
    ports = (f"--port={free_port()}", f"--ray-client-server-port={port}", "--include-dashboard=false")
    command = (Path(sys.executable).parent / "ray", "start", "--head", "--block", "--num-cpus=2", *ports)
    with log.open("w") as told:
        started = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
    try:
        # It says that it has started before the server for clients, a process of its own, listens.
        wait_for(lambda: listens(port) or started.poll() is not None)
        if not listens(port):
            pytest.skip(f"Ray does not start here: {log.read_text()[-300:]}")
        yield f"ray://127.0.0.1:{port}"
    finally:
        started.terminate()  # it ends what it started
        try:
            started.wait(60)
        except subprocess.TimeoutExpired:
            started.kill()


def searched(tmp_path, cluster, environment):
    """What the trials of a search by two workers on `cluster` ended as."""
    path, folder = write_space(tmp_path), tmp_path / "run"
    given = ("emamba", "search", path, "--cluster", cluster, "--trials", "3", "--sampler", "random", "--run", folder)
    for _ in range(3):
        ended = tool(*map(str, given), check=False, env=environment, timeout=300, capture_output=True, text=True)
        if not any(said in ended.stderr for said in TOO_SLOW):
            break
    else:
        pytest.skip(f"Ray's server does not start in time here: {ended.stderr}")
    assert ended.returncode == 0, ended.stderr
    return {it.state.name for it in states(load_space(path), folder)}


def test_the_head_of_a_ray_that_asks_for_a_token_is_reached_through_its_port(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    environment |= {f"RAY_{name}": value for name, value in PATIENCE.items()}
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        environment.pop(name, None)
    tool("ray", "get-auth-token", "--generate", env=environment, capture_output=True)
    with head(environment, tmp_path / "log") as address:
        assert "COMPLETE" in searched(tmp_path, address, environment)


def test_a_scheduler_of_dask_that_runs_already_is_reached(tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=None) as running:
        assert "COMPLETE" in searched(tmp_path, running.scheduler_address, dict(os.environ))


def entered(cluster, workers=0):
    with engine(cluster, workers) as found:
        return found


def test_without_a_cluster_workers_are_processes_of_this_machine():
    assert entered("", 3).local
    assert (entered("", 3).backend, entered("", 3).workers) == ("loky", 3)
    assert entered("").workers >= 1


def test_calls_at_once_give_their_results_in_order():
    told = []
    assert at_once([(pow, base, 2) for base in range(5)], 2, told.append) == [0, 1, 4, 9, 16]
    assert told == [0, 1, 2, 3, 4, 5]


def test_a_process_that_is_ended_from_outside_has_a_hint():
    with pytest.raises(ToolError, match="ended from outside") as ended:
        at_once([(die, None, 0), (pow, 2, 2)], 2, lambda ended: None)
    assert "--workers" in ended.value.hint


@pytest.mark.parametrize("cluster", ["spark", "http://host:80", "ray://", "tcp://host", "tcp://host:port", "host:8786"])
def test_what_is_no_address_of_a_cluster_is_refused(cluster):
    with pytest.raises(ConfigError, match="is no address of a cluster") as refused:
        entered(cluster)
    assert "ray://HOST:10001" in refused.value.hint


@pytest.mark.parametrize("scheme", ["ray", "tcp", "tls"])
def test_an_address_where_nothing_answers_is_refused(scheme):
    with pytest.raises(ConfigError, match=rf"{scheme}://127.0.0.1:1 does not answer: .*refused"):
        entered(f"{scheme}://127.0.0.1:1")


def test_a_refusal_says_what_a_server_said_last():
    refused = _refused("ray://host:1", ConnectionError("Initialization failure from server:\nTraceback:\n  No.\n"))
    assert "does not answer: Initialization failure from server: No." in refused.message


def test_an_address_where_no_scheduler_answers_is_refused(monkeypatch):
    monkeypatch.setattr("emamba.search.cluster._ANSWER_S", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ConfigError, match="does not answer: TimeoutError") as refused,
    ):
        entered(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert "dask scheduler" in refused.value.hint


@pytest.mark.parametrize(("cluster", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_an_engine_that_is_not_installed_has_a_hint(cluster, package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=f"{cluster} needs {package}") as missing:
        entered(cluster)
    assert missing.value.hint == f"pip install 'emamba[{cluster}]'"


def test_a_cluster_has_two_workers_or_more_and_no_fewer_than_are_wanted(ray):
    assert entered("ray").workers == 2
    for wanted in (1, 3):
        with pytest.raises(ConfigError, match=f"{wanted} of 2 cores of ray are wanted"):
            entered("ray", wanted)
