"""Where workers run: in processes of this machine, or on a cluster of Ray or Dask, each a backend of joblib."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emamba.errors import ConfigError, ToolError

if TYPE_CHECKING:
    from distributed import Client

_KINDS = {"ray": "ray", "tcp": "dask", "tls": "dask"}
_NEEDS = {"ray": ("ray", "grpc"), "dask": ("distributed",)}
_RESTARTS = 5  # of a worker by Ray; Dask's own default is 3
_BARE: dict[str, Any] = {"dashboard_address": None, "memory_limit": None}  # of a Dask that is only for us
_ANSWER_S = 10.0  # to wait for an address


@dataclass(frozen=True)
class Engine:
    """A backend of joblib with its options, how many workers it runs, and what has to be waited for before that."""

    backend: str
    options: Mapping[str, Any]
    workers: int
    ready: Callable[[], None] = field(default=lambda: None)

    @property
    def local(self) -> bool:
        """Whether workers are processes of this machine that end together when one is lost."""
        return self.backend == "loky"


@contextmanager
def engine(cluster: str, workers: int) -> Iterator[Engine]:
    """`workers` (0: one a core) on `cluster`: an address, `ray` or `dask` for this machine; empty: without a cluster.

    ConfigError if there is no such cluster, it does not answer, or it has fewer workers; ToolError if
    what it needs is not installed.
    """
    if not cluster:
        yield Engine("loky", {}, workers or _cores())
        return
    kind = _kind(cluster)
    for package in _NEEDS[kind]:
        if importlib.util.find_spec(package) is None:
            raise ToolError(f"{cluster} needs {package}, which is not installed", f"pip install 'emamba[{kind}]'")
    with _ray(cluster, workers) if kind == "ray" else _dask(cluster, workers) as found:
        yield found


def at_once(calls: Sequence[tuple[Any, ...]], workers: int, tell: Callable[[int], None]) -> list[Any]:
    """What the functions in `calls` give for the arguments behind each, in processes of this machine.

    `workers` (0: one a core) run at once; `tell` hears how many have ended. ToolError if one was ended from outside.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    count = min(workers or _cores(), len(calls))
    pool = Parallel(count, batch_size=1, return_as="generator")  # pyright: ignore[reportArgumentType]
    done: list[Any] = []
    tell(0)
    try:
        for result in pool(delayed(function)(*given) for function, *given in calls):
            done.append(result)
            tell(len(done))
    except TerminatedWorkerError as error:
        fact = "a worker was ended from outside, often for lack of memory"
        raise ToolError(fact, "give fewer --workers; the same command goes on") from error
    return done


def _cores() -> int:
    """Those of this machine that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _ray(cluster: str, workers: int) -> Iterator[Engine]:
    """Ray restarts a worker that is lost, and what it did; where all are lost, the search begins them anew."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone unless the user wants it
    if cluster != "ray" and _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # as a head that finds one; Ray's client does not look itself
    import ray
    from ray.util.joblib import register_ray

    own = not ray.is_initialized()
    with redirect_stdout(sys.stderr):  # Ray prints there what happens to workers; stdout is for results
        if own:
            try:
                ray.init(None if cluster == "ray" else cluster, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # Ray raises nothing narrower where its processes do not start
                raise _refused(cluster, error) from error
        try:
            register_ray()
            # Unlike joblib's own, workers take a core each: otherwise one machine might get them all.
            how = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": _RESTARTS}
            cores = int(ray.cluster_resources().get("CPU", 0))
            yield Engine("ray", {"ray_remote_args": how}, _enough(cluster, workers, cores))
        finally:
            if own:
                ray.shutdown()


def _has_token() -> bool:
    """Whether a token lies where Ray looks for it (`ray get-auth-token`), which it does not for `ray://` by itself."""
    named = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").is_file()


@contextmanager
def _dask(cluster: str, workers: int) -> Iterator[Engine]:
    """Dask gives what a lost worker did to another one."""
    from distributed import Client

    here = workers or _cores()
    try:
        if cluster != "dask":
            with ThreadPoolExecutor(1) as alone:  # of a loop that may run here, in a notebook
                alone.submit(asyncio.run, _greeted(cluster)).result()
        client = (
            Client(n_workers=here, threads_per_worker=1, silence_logs=logging.ERROR, **_BARE)
            if cluster == "dask"
            else Client(cluster, timeout=_ANSWER_S)
        )
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise _refused(cluster, error) from error
    with client:
        threads: dict[str, int] = client.nthreads()  # pyright: ignore[reportAssignmentType] - from a thread, no coroutine
        busy = next((f"{worker} has {count}" for worker, count in threads.items() if count > 1), "")
        if busy:  # a network trains reproducibly only where no other one trains in the same process
            hint = "start workers as processes: dask worker ADDRESS --nworkers auto --nthreads 1"
            raise ConfigError(f"workers of {cluster} need one thread each: {busy}", hint)
        found = _enough(cluster, workers, len(threads))
        yield Engine("dask", {"client": client}, found, lambda: _wait(client))


async def _greeted(address: str) -> None:
    """TimeoutError if what answers is no scheduler of Dask: its client would wait for that one for ever."""
    from distributed import Security
    from distributed.comm.core import connect

    async with asyncio.timeout(_ANSWER_S):
        (await connect(address, **Security().get_connection_args("client"))).abort()


def _wait(client: Client) -> None:
    """Until lost workers have come back: with a single one, joblib would train in this process."""
    client.wait_for_workers(2, timeout=60)


def _kind(cluster: str) -> str:
    """`ray` or `dask`; ConfigError if `cluster` is no address of either, or nothing answers there."""
    if cluster in _NEEDS:
        return cluster
    found = re.fullmatch(r"(ray|tcp|tls)://\[?([^/\]]+)\]?:([0-9]{1,5})", cluster)
    if not found:
        hint = "give ray or dask for this machine, ray://HOST:10001 for Ray, or tcp://HOST:8786 for Dask"
        raise ConfigError(f"{cluster!r} is no address of a cluster", hint)
    try:
        socket.create_connection((found[2], int(found[3])), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _refused(cluster, error) from error
    return _KINDS[found[1]]


def _refused(cluster: str, error: Exception) -> ConfigError:
    lines = [line.strip() for line in (str(error).strip() or type(error).__name__).splitlines() if line.strip()]
    why = " ".join(dict.fromkeys((lines[0], lines[-1])))  # between them Ray has a traceback of its server
    if cluster in _NEEDS:
        hint = "look for memory, for room in /dev/shm and /tmp, and whether RAY_ADDRESS names one that ended"
        return ConfigError(f"{cluster} does not start on this machine: {why}", hint)
    hint = "start it (ray start --head; dask scheduler), with the versions of Python, Ray or Dask that are here"
    if cluster.startswith("ray"):
        hint += "; where it asks for a token, put that into ~/.ray/auth_token"
    return ConfigError(f"the cluster {cluster} does not answer: {why}", hint)


def _enough(cluster: str, wanted: int, there: int) -> int:
    """How many workers to start; ConfigError if the cluster has not so many, or one: joblib would run that one here."""
    found = wanted or there
    if not 2 <= found <= there:
        fact = f"{found} of {there} cores of {cluster} are wanted for workers"
        raise ConfigError(fact, "a cluster runs two or more, each on a core; without --cluster one is fine")
    return found
