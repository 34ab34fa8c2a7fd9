"""The search: workers on all cores until the time is over, then the front and a recipe for each of its points."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emamba.errors import ConfigError, ToolError
from emamba.flow import SILENT, Listener
from emamba.search.evaluation import subject
from emamba.search.found import Found, write
from emamba.search.front import pareto
from emamba.search.measures import Constraint
from emamba.search.space import Space
from emamba.search.study import Plan, Sampler, bury, check_against, open_study, trials
from emamba.search.worker import Order, work

if TYPE_CHECKING:
    from optuna import Study

_LOST_POOLS = 5  # times that workers may be lost before something else is wrong
_GLANCE_S = 1.0  # between two looks at the study


@dataclass(frozen=True)
class Means:
    """With what a search works: time, workers, and where its trials are kept (empty: in its folder)."""

    budget_s: float = 1800.0
    trials: int = 0
    workers: int = 0
    storage: str = ""
    sampler: Sampler = "tpe"
    seed: int = 0


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

    `folder` gets study.db, trials.jsonl, front.json, front.svg, and recipes/; called again, the study goes on.
    ConfigError if the study there is another one; ToolError if workers are lost
    again and again.
    """
    plan, means = Plan(space, check_against(against), constraints), means or Means()
    storage = means.storage or f"sqlite:///{(folder / 'study.db').absolute()}"
    folder.mkdir(parents=True, exist_ok=True)
    study = open_study(plan, storage)
    task = subject(
        space.recipe, 1, folder, data_dir, listener
    ).dataset.task  # trains the teacher before workers need it
    deadline = time.time() + means.budget_s
    order = Order(plan, folder.absolute(), storage, means.sampler, means.seed, deadline, means.trials, data_dir)
    _with_workers(study, order, means, lambda: _tell(study, order, listener))
    found = Found(plan, task, tuple(trials(study)), ())
    return write(replace(found, front=tuple(pareto(found.trials, plan.against))), folder)


def _with_workers(study: Study, order: Order, means: Means, look: Callable[[], None]) -> None:
    """Workers in processes until they are done; `look` is called again and again meanwhile."""
    lost = 0
    while time.time() < order.deadline:
        bury(study)
        failed: list[BaseException] = []
        thread = threading.Thread(target=_pool, args=(order, means, failed), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_GLANCE_S)
            look()
        if not failed:
            return
        if isinstance(failed[0], ConfigError):
            raise failed[0]
        lost += 1
        if lost >= _LOST_POOLS:
            fact = f"workers were lost {lost} times: {type(failed[0]).__name__}: {failed[0]}"
            raise ToolError(fact, "give fewer --workers, or more memory; the same command goes on") from failed[0]


def _pool(order: Order, means: Means, failed: list[BaseException]) -> None:
    """One worker a core, or as many as wanted; what ends them all goes to `failed`."""
    from joblib import Parallel, delayed

    try:
        count = means.workers or len(os.sched_getaffinity(0))
        Parallel(n_jobs=count)(delayed(work)(order, number) for number in range(count))
    except BaseException as error:  # it is raised, or explained, in the main thread
        failed.append(error)


def _tell(study: Study, order: Order, listener: Listener) -> None:
    """Trials done, the best loss so far, and the time left, as progress."""
    known = trials(study)
    best = min((trial.losses[-1] for trial in known if trial.whole and trial.feasible), default=None)
    left = max(order.deadline - time.time(), 0)
    text = "search: none whole yet" if best is None else f"search: best loss {best:.4f}"
    listener.progress(len(known), order.trials, f"{text}, {left / 60:.0f} min left")
