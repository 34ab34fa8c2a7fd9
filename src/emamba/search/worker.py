"""What a worker does: it asks the study for a place, trains there as long as that is worth it, and tells."""

from __future__ import annotations

import random
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emamba.data import dataset_of
from emamba.errors import ConfigError, DataError, EmambaError
from emamba.flow import SILENT
from emamba.rtl import beats
from emamba.search.evaluation import Subject, price, subject, trained
from emamba.search.space import Place
from emamba.search.study import Plan, Sampler, Trial, new_sampler, open_study, trials, worker_name

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

    from emamba.training import Weights

_KEPT = 1 / 3  # of the trials on a rung climb on (successive halving, Jamieson and Talwalkar 2016, by ranks)
_WEIGHTS = "weights of a trial"
STOP = threading.Event()  # in a process whose search was interrupted
TICKET = "ticket"  # a file by which a machine of a cluster knows the folder of a search
_IN_VAIN = 100  # places in a row that are illegal or known: nothing new is left


@dataclass(frozen=True)
class Order:
    """All that a worker has to know; it may be sent to another machine that sees `folder`."""

    plan: Plan
    folder: Path
    storage: str
    sampler: Sampler
    seed: int
    deadline: float  # seconds since the epoch
    trials: int  # that may have ended when it stops; 0: any number
    data_dir: Path | None = None
    host: str = ""  # that gave it to a cluster
    ticket: str = ""  # that lies in `folder` then


class Overtime(Exception):  # noqa: N818 - it is no error
    """The search ended in the middle of a trial, which has to be asked again."""


def look_around(order: Order, number: int) -> None:
    """Nothing, if this machine has what `order` names; ConfigError or DataError, with the machine, if not."""
    host = socket.gethostname()
    if not order.host or host == order.host:
        return
    if order.storage.startswith("sqlite"):
        fact = f"{host} cannot share the study in {order.storage} with {order.host}: SQLite is for one machine"
        raise ConfigError(fact, "give --storage postgresql://user@host/name, or another server's")
    ticket = order.folder / TICKET
    if not ticket.is_file() or ticket.read_text() != order.ticket:
        fact = f"{host} does not see the folder {order.folder} of {order.host}"
        raise ConfigError(fact, "give a --run folder on a disk that all machines share, at the same path")
    try:
        dataset_of(order.plan.space.recipe, order.data_dir)
    except DataError as error:
        raise DataError(f"on {host}: {error.message}", error.hint) from error


def work(order: Order, number: int) -> None:
    """Trials until the deadline or until enough have ended; `number` tells the workers of an order apart."""
    look_around(order, number)
    study = open_study(order.plan, order.storage)
    # A study that goes on must not draw the places again with which it began.
    seed = random.Random(f"{order.seed} {number} {len(study.trials)}").getrandbits(31)
    study.sampler = new_sampler(order.sampler, seed)
    recipe, frames = order.plan.space.recipe, order.plan.space.content.frames
    known = subject(recipe, frames, order.folder, order.data_dir, SILENT)
    worker = _Worker(order, known, study.sampler)
    if worker.done(study):
        return
    study.optimize(
        worker.objective,
        timeout=max(order.deadline - time.time(), 0),
        callbacks=[worker.ended],
        catch=(Overtime, EmambaError, MemoryError, RuntimeError, ArithmeticError),
    )


class _Worker:
    """The objective of a study, and what it remembers between trials."""

    def __init__(self, order: Order, known: Subject, sampler: BaseSampler) -> None:
        self.order, self.known, self.space, self.vain = order, known, order.plan.space, 0
        self.sampler, self.chance = sampler, new_sampler("random", order.seed)

    def objective(self, asked: Asked) -> tuple[float, ...]:
        """The loss on the last rung that the trial reached, and its costs; why it failed is kept with it."""
        import optuna

        asked.set_user_attr("worker", worker_name())
        try:
            return self._judged(asked)
        except (Overtime, KeyboardInterrupt):
            asked.set_user_attr("again", True)
            asked.study.enqueue_trial(asked.params)
            raise
        except optuna.TrialPruned as error:
            asked.set_user_attr("reason", str(error))
            raise
        except Exception as error:
            asked.set_user_attr("reason", f"{type(error).__name__}: {error}")
            raise

    def ended(self, study: Study, trial: FrozenTrial) -> None:
        """Stops the worker when it is told to, enough trials have ended, or nothing new is found any more."""
        if STOP.is_set() or self.done(study) or self.vain >= _IN_VAIN:
            study.stop()
        if self.order.sampler == "gp":  # which learns nothing from a place without a loss, and would ask for it again
            learned = trial.state.name == "COMPLETE" and "same" not in trial.user_attrs
            study.sampler = self.sampler if learned else self.chance

    def done(self, study: Study) -> bool:
        """Whether as many trials have ended as were ordered."""
        return 0 < self.order.trials <= len(trials(study))

    def _place(self, asked: Asked) -> Place:
        """The place that the study proposes."""
        return {
            it.key: asked.suggest_int(it.key, 0, len(it.choices) - 1)
            if it.ordered
            else asked.suggest_categorical(it.key, range(len(it.choices)))
            for it in self.space.dimensions
        }

    def _judged(self, asked: Asked) -> tuple[float, ...]:
        """Loss and costs at the place that the study proposes; the illegal is pruned, the too dear not trained."""
        import optuna

        place = self._place(asked)
        self.vain += 1
        try:
            config = self.space.config(place)
            same = self._same(asked)
            costs = same.costs if same else price(config, self.known.dataset)
        except ConfigError as error:
            raise optuna.TrialPruned(str(error)) from error
        asked.set_user_attr("costs", dict(costs))
        for constraint in self.order.plan.constraints:
            asked.set_constraint(str(constraint), constraint.excess(costs))
        values = [costs[name] for name in self.order.plan.against]
        if same:
            asked.set_user_attr("same", same.number)
            return same.losses[-1] if same.losses else self._worst(asked.study), *values
        self.vain = 0
        if any(constraint.excess(costs) > 0 for constraint in self.order.plan.constraints):
            return self._worst(asked.study), *values
        return self._climbed(asked, place, values), *values

    def _worst(self, study: Study) -> float:
        """What is told of a place that is not trained: far outside of all losses, it would hide how these differ."""
        return max((trial.losses[0] for trial in trials(study) if trial.losses), default=1.0)

    def _climbed(self, asked: Asked, place: Place, values: list[float]) -> float:
        """The loss on the last rung that the trial reached."""
        from emamba.training import remember

        losses: list[float] = []
        weights, last = self._donor(asked), len(self.space.content.epochs) - 1
        for rung, epochs in enumerate(self.space.content.epochs):
            found = trained(self.space.config(place, epochs), self.known, weights, rung == last, self._in_time)
            losses.append(found.loss)
            asked.set_user_attr("losses", losses)
            asked.set_user_attr("whole", rung == last)
            weights = found.weights
            remember(self._weights(asked.number), _WEIGHTS, dict(weights))
            if rung < last and not self._promising(asked, rung, found.loss, values):
                break
        return losses[-1]

    def _promising(self, asked: Asked, rung: int, loss: float, values: list[float]) -> bool:
        """Whether the trial is among the best third on its rung: those that fewest others beat in all respects."""
        rivals = [
            (trial.losses[rung], *(trial.costs[name] for name in self.order.plan.against))
            for trial in trials(asked.study)
            if len(trial.losses) > rung
        ]
        own = (loss, *values)
        beaten = [sum(beats(other, it) for other in (*rivals, own)) for it in rivals]
        ahead = sum(count < sum(beats(other, own) for other in rivals) for count in beaten)
        return ahead <= _KEPT * len(rivals)

    def _same(self, asked: Asked) -> Trial | None:
        """An earlier trial at the same place."""
        return next((it for it in trials(asked.study) if it.place == asked.params and not it.reason), None)

    def _donor(self, asked: Asked) -> Weights | None:
        """The weights of the trial that has most choices in common, the better one of several."""
        from emamba.training import recall

        def likeness(trial: Trial) -> tuple[int, float]:
            return sum(asked.params[key] == choice for key, choice in trial.place.items()), -trial.losses[-1]

        known = [trial for trial in trials(asked.study) if trial.losses and not trial.reason]
        found = (recall(self._weights(trial.number), _WEIGHTS) for trial in sorted(known, key=likeness, reverse=True))
        return next(filter(None, found), None)

    def _weights(self, number: int) -> Path:
        return self.order.folder / "weights" / f"{number}.memory"

    def _in_time(self, done: int, total: int, label: str) -> None:
        if STOP.is_set() or time.time() > self.order.deadline:
            raise Overtime
