"""The study of a search: its trials in a database that workers on several machines may share.

Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", 2019.
"""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from emamba import __version__
from emamba.errors import ConfigError, ToolError
from emamba.search.measures import Constraint, known_cost
from emamba.search.space import Place, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import URL

Sampler = Literal["tpe", "gp", "nsga2", "random"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
_BY_CHANCE = 6  # trials before models of losses and costs propose; for TPE also such that were illegal
_HEARTBEAT_S, _LOST_S = 10, 60  # a worker says so often that it lives, and is lost after so long without
_LOCKED_S = 60  # to wait for SQLite while another worker writes
_RETRIES = 2  # of a trial whose worker was lost: a third loss is hardly chance


@dataclass(frozen=True)
class Plan:
    """What a study is about; another plan needs another study. `against` are the costs that are made small."""

    space: Space
    against: tuple[str, ...] = ("multiplier_cycles",)
    constraints: tuple[Constraint, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What has to be equal in a study that goes on."""
        return {
            "emamba": __version__,
            "space": self.space.hash,
            "against": list(self.against),
            "constraints": list(map(str, self.constraints)),
        }


@dataclass(frozen=True)
class Trial:
    """A finished trial: its place in the space, its costs, its losses after each rung, and why it ended, if not well.

    `whole` trials climbed all rungs; `feasible` ones keep the constraints. The front is made of those that are both.
    """

    number: int
    place: Place
    costs: Mapping[str, float] = field(default_factory=dict)
    losses: Sequence[float] = ()
    seconds: float = 0.0
    whole: bool = False
    feasible: bool = False
    reason: str = ""


def open_study(plan: Plan, storage: str, first: Place | None = None) -> Study:
    """The study of `plan` in the database at `storage`; a new one, which begins at `first`, if there is none.

    ConfigError if the database cannot be reached or is none, or if its study was made under another plan.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    if _in_memory(storage):
        raise ConfigError(f"{storage} is a database that no other process sees", "name a file: sqlite:///study.db")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats, since version 2
            database = optuna.storages.RDBStorage(
                storage,
                engine_kwargs={"connect_args": {"timeout": _LOCKED_S}} if storage.startswith("sqlite") else None,
                heartbeat_interval=_HEARTBEAT_S,
                grace_period=_LOST_S,
                heartbeat_stale_trial_callback=ask_again,
            )
        study, new = _made_or_loaded(plan, database)
    except (
        ArgumentError,
        NoSuchModuleError,
        ImportError,
        DBAPIError,
        RuntimeError,
        optuna.exceptions.StorageInternalError,  # tables of another program, that have other columns
    ) as error:
        fact = f"cannot use the database {shown(storage)}: {str(error).splitlines()[0]}"
        hint = (
            "give a URL of SQLAlchemy whose driver is installed and whose server answers: postgresql://user@host/name"
        )
        raise ConfigError(fact, hint) from error
    _check_identity(study, plan, storage)
    if new and first is not None:
        study.enqueue_trial(dict(first))
    return study


@contextmanager
def answering(storage: str) -> Iterator[None]:
    """ToolError if the database at `storage` was there and is lost meanwhile."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (StorageInternalError, DBAPIError) as error:
        fact = f"the database {shown(storage)} does not answer any more: {str(error).splitlines()[0]}"
        raise ToolError(fact, "what has ended is in it; when it answers again, the same command goes on") from error


def shown(storage: str) -> str:
    """The URL of a database without its password."""
    url = _url(storage)
    return url.render_as_string(hide_password=True) if url else storage


def _in_memory(storage: str) -> bool:
    """Whether that is a database of SQLite which ends with its process."""
    url = _url(storage)
    return bool(url and url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"))


def _url(storage: str) -> URL | None:
    """`storage` as SQLAlchemy reads it; None if it cannot."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(storage)
    except ArgumentError:
        return None


def _made_or_loaded(plan: Plan, database: RDBStorage) -> tuple[Study, bool]:
    """The study, and whether it is new. One of several machines makes it: it has one name in a database."""
    import optuna

    directions: list[Literal["minimize"]] = ["minimize"] * (1 + len(plan.against))
    try:
        return optuna.create_study(storage=database, study_name=plan.space.name, directions=directions), True
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(storage=database, study_name=plan.space.name), False


def new_sampler(kind: Sampler, seed: int) -> BaseSampler:
    """What proposes places: multi-objective TPE (Ozaki et al. 2022), a Gaussian process that expects hypervolume
    (Ament et al. 2023), NSGA-II (Deb et al. 2002), or chance.
    """
    from optuna import samplers

    match kind:
        case "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=_BY_CHANCE)
        case "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=_BY_CHANCE)
        case "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=10)
        case "random":
            return samplers.RandomSampler(seed=seed)


def ask_again(study: Study, trial: FrozenTrial) -> None:
    """Puts a trial whose worker was lost back into the queue, unless that happened too often."""
    lost = trial.user_attrs.get("lost", 0) + 1
    if lost <= _RETRIES:
        study.enqueue_trial(trial.params, user_attrs={"lost": lost})


def bury(study: Study) -> None:
    """Fails the trials of workers that do not live any more, and puts them back into the queue.

    Those of other machines are known by their heartbeats, of which none came for a while.
    """
    from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # since version 2
        fail_stale_trials(study)

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, _, pid = trial.user_attrs.get("worker", "").rpartition(" ")
        if host != socket.gethostname() or _lives(int(pid)):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # it ended, and its worker with it, since the study was read
            continue
        ask_again(study, trial)


def worker_name() -> str:
    """This process, as trials name it."""
    return f"{socket.gethostname()} {os.getpid()}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def trials(study: Study) -> list[Trial]:
    """The trials that ended, in order, without places that were illegal or known."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        about = trial.user_attrs
        if trial.state.is_finished() and "costs" in about and not {"same", "again"} & set(about):
            found.append(
                Trial(
                    trial.number,
                    trial.params,
                    about["costs"],
                    tuple(about.get("losses", ())),
                    trial.duration.total_seconds() if trial.duration else 0.0,
                    about.get("whole", False),
                    all(excess <= 0 for excess in trial.constraints.values()),
                    about.get("reason", "" if trial.state.name == "COMPLETE" else "its worker was lost"),
                )
            )
    return found


def unpriced(study: Study) -> Counter[str]:
    """Why places have no accelerator, so that none of them became a trial, and how many of them."""
    found = (it.user_attrs for it in study.get_trials(deepcopy=False) if it.state.is_finished())
    return Counter(about["reason"] for about in found if "reason" in about and "costs" not in about)


def check_against(names: Sequence[str]) -> tuple[str, ...]:
    """`names` as objectives; ConfigError if one is no cost, or to be made large, or there is none."""
    if not names or len(set(names)) < len(names):
        raise ConfigError(
            f"costs to weigh accuracy against: {', '.join(names) or 'none'}", "name one or more, each once"
        )
    if "fps" in names:
        raise ConfigError("objectives are made small, but fps large", "weigh against cycles, or limit it: 'fps>=1000'")
    return tuple(map(known_cost, names))


def _check_identity(study: Study, plan: Plan, storage: str) -> None:
    begun = bool(study.trials)  # looked for first: who makes a study writes its plan before its first trial
    known, wanted = study.user_attrs.get("plan"), plan.identity()
    if known is None and (begun or len(study.directions) != 1 + len(plan.against)):
        fact = f"the study {study.study_name} in {shown(storage)} was not made by emamba"
        raise ConfigError(fact, "give another database with --storage, or rename the space")
    if known is None:
        study.set_user_attr("plan", wanted)
    elif known != wanted:
        different = [key for key in wanted if known.get(key) != wanted[key]]
        was = ", ".join(f"{key} was {json.dumps(known.get(key))}" for key in different)
        hint = "give another --run folder, or ask for what it was made with"
        raise ConfigError(f"the study in {shown(storage)} was made with another {' and '.join(different)}: {was}", hint)
