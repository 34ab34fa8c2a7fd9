"""The search: workers on all cores until the time is over, then the front and a recipe for each of its points."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emamba import files
from emamba.data import Task
from emamba.errors import EmambaError, ToolError
from emamba.flow import SILENT, Listener
from emamba.report.scores import MEASURES
from emamba.search.cluster import Engine, engine
from emamba.search.evaluation import score, subject
from emamba.search.found import Found, number, write
from emamba.search.front import pareto
from emamba.search.measures import Constraint
from emamba.search.space import Space
from emamba.search.study import Plan, Sampler, answering, bury, check_against, open_study, trials, unpriced
from emamba.search.worker import STOP, TICKET, Order, look_around, work

if TYPE_CHECKING:
    from optuna import Study

_LOST_POOLS = 5  # times in a row that workers may be lost, without a trial that ended, before something else is wrong
_GLANCE_S = 1.0  # between two looks at the study
_FAREWELL_S = 10.0  # for a trial in this process to end, when the search is interrupted
_PATIENCE_S = 60.0  # with workers that do nothing any more: that of a lost machine may wait for another for ever


@dataclass(frozen=True)
class Means:
    """With what a search works: time, workers, the cluster they run on (empty: none), and where trials are kept.

    Without `storage` that is in the folder of the search.
    """

    budget_s: float = 1800.0
    trials: int = 0
    workers: int = 0
    storage: str = ""
    sampler: Sampler = "tpe"
    seed: int = 0
    cluster: str = ""


def search(
    space: Space,
    folder: Path,
    against: tuple[str, ...] = ("multiplier_cycles",),
    constraints: tuple[Constraint, ...] = (),
    means: Means | None = None,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> Found:
    """The front of `space`: loss of the integers on validation frames against costs, in time for `means`.

    `folder` gets study.db, trials.jsonl, front.json, front.svg, and recipes/, also if the search is interrupted; called
    again, the study goes on. ConfigError if the study there is another one, or workers of a cluster do not see it;
    ToolError if workers are lost again and again, or the database is.
    """
    plan, means = Plan(space, check_against(against), constraints), means or Means()
    storage = means.storage or f"sqlite:///{(folder / 'study.db').absolute()}"
    folder.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir and data_dir.absolute()
    order = Order(plan, folder.absolute(), storage, means.sampler, means.seed, 0, means.trials, data_dir)
    STOP.clear()
    with answering(storage), engine(means.cluster, means.workers) as on:
        # The recipe's author knew something; chance knows nothing.
        study = open_study(plan, storage, None if means.sampler == "random" else space.home())
        if not on.local:
            order = _checked(replace(order, host=socket.gethostname()), on)
        # The teacher is trained before workers need it, and in no time of theirs.
        task = subject(space.recipe, 1, folder, data_dir, listener).dataset.task
        order = replace(order, deadline=time.time() + means.budget_s)
        try:
            _with_workers(study, order, on, lambda: _tell(study, order, task, listener))
        finally:
            found = _written(study, order, task)
    return found


def _written(study: Study, order: Order, task: Task) -> Found:
    """What the study has found so far, in the folder of the search."""
    known = tuple(trials(study))
    front = tuple(pareto(known, order.plan.against))
    return write(Found(order.plan, task, known, front, unpriced(study)), order.folder)


def _with_workers(study: Study, order: Order, on: Engine, look: Callable[[], None]) -> None:
    """Workers until they are done; meanwhile those that were lost are looked for, and `look` is called."""
    lost = 0
    while time.time() < order.deadline:
        bury(study)
        ended = len(trials(study))
        failed: list[BaseException] = []
        thread = threading.Thread(target=_pool, args=(work, order, on, failed), daemon=True)
        thread.start()
        _watch(thread, study, order, look)
        if not failed:
            return
        if isinstance(failed[0], EmambaError):
            raise failed[0]
        lost = lost + 1 if len(trials(study)) == ended else 1
        if lost >= _LOST_POOLS:
            fact = f"workers were lost {lost} times: {type(failed[0]).__name__}: {failed[0]}"
            raise ToolError(fact, "give fewer --workers, or more memory; the same command goes on") from failed[0]


def _watch(thread: threading.Thread, study: Study, order: Order, look: Callable[[], None]) -> None:
    """Until `thread` ends, or nothing is left for it to do."""
    idle = 0.0
    try:
        while thread.is_alive() and idle < _PATIENCE_S:
            thread.join(_GLANCE_S)
            bury(study)
            look()
            idle = idle + _GLANCE_S if _over(study, order) else 0.0
    except KeyboardInterrupt:
        STOP.set()
        thread.join(_FAREWELL_S)
        raise


def _over(study: Study, order: Order) -> bool:
    """Whether time is over or enough trials have ended, and none runs any more."""
    from optuna.trial import TrialState

    if time.time() < order.deadline and not 0 < order.trials <= len(trials(study)):
        return False
    return not study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _checked(order: Order, on: Engine) -> Order:
    """`order`, after workers of a cluster have found all that it names.

    ConfigError or DataError if one has not, ToolError if none can run.
    """
    order = replace(order, ticket=secrets.token_hex(8))
    files.write(order.folder / TICKET, order.ticket.encode())
    failed: list[BaseException] = []
    _pool(look_around, order, on, failed)
    if failed and not isinstance(failed[0], EmambaError):
        fact = f"workers do not start on the cluster: {type(failed[0]).__name__}: {failed[0]}"
        raise ToolError(fact, "install this version of emamba on all its machines") from failed[0]
    if failed:
        raise failed[0]
    return order


def _pool(task: Callable[[Order, int], None], order: Order, on: Engine, failed: list[BaseException]) -> None:
    """`task` in every worker; what ends them all goes to `failed`."""
    from joblib import Parallel, delayed, parallel_config

    try:
        on.ready()
        with parallel_config(on.backend, **on.options):
            Parallel(n_jobs=on.workers)(delayed(task)(order, number) for number in range(on.workers))
    except BaseException as error:  # it is raised, or explained, in the main thread
        failed.append(error)


def _tell(study: Study, order: Order, task: Task, listener: Listener) -> None:
    """Trials done, the best score so far and what it costs, and the minutes left, as progress."""
    known, cost = trials(study), order.plan.against[0]
    whole = [trial for trial in known if trial.whole and trial.feasible]
    text = "none whole yet"
    if whole:
        best = min(whole, key=lambda trial: trial.losses[-1])
        written = MEASURES[task].written(score(task, best.losses[-1]))
        text = f"best {written} at {number(best.costs[cost])} {cost.replace('_', ' ')}"
    left = (
        max(order.deadline - time.time(), 0) / 60 + 0.5
    )  # rounded up: each new label is a line where progress is lines
    listener.progress(len(known), order.trials, f"search: {len(known)} trials, {text}, {left:.0f} min left")
