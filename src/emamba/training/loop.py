"""The training loop: AdamW under a one-cycle schedule, the same bytes for the same seed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils import deterministic

from emamba.config import TrainingConfig
from emamba.data import Images, Split
from emamba.errors import TrainingError
from emamba.training.augmentation import augmented
from emamba.training.memory import recall, remember

_MEMORY: Any = deterministic  # its type hides what it can be told
_SPANS = 4  # a training is so many times as long as what its average looks back over, or longer

Places = NDArray[np.int64]  # in the split that trains: [batch]
Loss = Callable[[Images, Places], Tensor]  # of images [batch, height, width, channels], changed, and their places
Found = TypeVar("Found")
Measure = Callable[[nn.Module], float]
Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is being done


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images, counted from 1: its mean loss, and the score behind it."""

    epoch: int
    loss: float
    validation: float | None = None


@dataclass(frozen=True, eq=False)
class Fit:
    """What `fit` does besides the optimisation: whom it tells, what it measures, where it remembers.

    `key` identifies the run in `memory`; without `memory` a killed run begins anew.
    """

    label: str
    progress: Progress
    measure: Measure | None = None
    memory: Path | None = None
    key: str = ""


def silent(done: int, total: int, label: str) -> None:
    """A `Progress` that shows nothing."""


def fit(model: nn.Module, objective: Loss, split: Split, training: TrainingConfig, how: Fit) -> tuple[Epoch, ...]:
    """Trains the parameters of `model` in place so that `objective` gets small on the images of `split`."""
    run = _Run(model, objective, split, training, how)
    for epoch in range(run.resumed() + 1, training.epochs + 1):
        loss = run.pass_over(epoch)
        measured = how.measure(run.result()) if how.measure else None
        run.history.append(Epoch(epoch, loss, measured))
        run.remember()
    model.load_state_dict(run.result().state_dict())
    return tuple(run.history)


class _Run:
    """The moving parts of `fit`; its `_parts` and history are all that a later process needs."""

    def __init__(self, model: nn.Module, objective: Loss, split: Split, training: TrainingConfig, how: Fit) -> None:
        self.model, self.objective, self.split = model, objective, split
        self.training, self.how = training, how
        self.batches = math.ceil(len(split) / training.batch_size)
        self.optimizer = _optimizer(model, training)
        self.schedule = OneCycleLR(self.optimizer, training.learning_rate, total_steps=training.epochs * self.batches)
        # An average that reached further back would be that of the weights it began with.
        self.averaging = min(training.averaging, max(0.0, 1 - _SPANS / (training.epochs * self.batches)))
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(self.averaging))
        self.history: list[Epoch] = []
        self.threads = training.threads if _divisible(model) else 1

    def result(self) -> nn.Module:
        """The model that counts: the average of the weights, if there is one."""
        return self.average.module if self.averaging else self.model

    def pass_over(self, epoch: int) -> float:
        """One epoch of steps; the mean loss. Its random numbers depend on seed and epoch only."""
        rng = np.random.default_rng([self.training.seed, epoch])
        torch.manual_seed(int(rng.integers(1 << 62)))
        order, size, total = rng.permutation(len(self.split)), self.training.batch_size, 0.0
        for number in range(self.batches):
            places = order[number * size : (number + 1) * size]
            images = augmented(self.split.images[places], self.training.augmentation, rng)
            total += self._step(epoch, images, places)
            done = (epoch - 1) * self.batches + number + 1
            self.how.progress(done, self.training.epochs * self.batches, self.how.label)
        return total / self.batches

    def _step(self, epoch: int, images: Images, places: Places) -> float:
        loss = self._descent(images, places)
        steepness = nn.utils.clip_grad_norm_(self.model.parameters(), self.training.gradient_clip)
        found = _finite(loss, steepness, epoch, self.how.label)
        self.optimizer.step()
        self.schedule.step()
        if self.averaging:
            self.average.update_parameters(self.model)
        return found

    def _descent(self, images: Images, places: Places) -> Tensor:
        """The mean loss of a batch, and its gradients in the parameters: of parts of it at once, a thread for each.

        Single operations are too short for several threads: two of them took 0.66 of the time of one in a step of
        `cifar`, and 0.51 with a half of the batch each.
        """
        parameters = list(self.model.parameters())

        def descended(part: Places) -> tuple[Tensor, tuple[Tensor | None, ...]]:
            loss = self.objective(images[part], places[part]) * (len(part) / len(places))
            return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)

        parts = np.array_split(np.arange(len(places)), min(self.threads, len(places)))
        losses, gradients = zip(*_at_once(descended, parts), strict=True)
        for parameter, shares in zip(parameters, zip(*gradients, strict=True), strict=True):
            parameter.grad = _added(shares)
        return torch.stack(losses).sum()

    def remember(self) -> None:
        """Writes all parts to the memory, if there is one."""
        if self.how.memory:
            history = [asdict(epoch) for epoch in self.history]
            states = {name: part.state_dict() for name, part in self._parts().items()}
            remember(self.how.memory, self.how.key, {"history": history, **states})

    def resumed(self) -> int:
        """Takes over what the memory holds of this run; the number of epochs that were done."""
        known = recall(self.how.memory, self.how.key) if self.how.memory else None
        if known is not None:
            self.history = [Epoch(**epoch) for epoch in known["history"]]
            for name, part in self._parts().items():
                part.load_state_dict(known[name])
        return len(self.history)

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | OneCycleLR]:
        return {"model": self.model, "average": self.average, "optimizer": self.optimizer, "schedule": self.schedule}


@contextmanager
def reproducible(seed: int, threads: int = 1) -> Iterator[None]:
    """Seeded, deterministic, on so many threads; PyTorch is left as it was found, but for cuBLAS's workspace."""
    strict, filled = torch.are_deterministic_algorithms_enabled(), _MEMORY.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic, and refused
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), on_threads(threads):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        _MEMORY.fill_uninitialized_memory = False  # else every new tensor is filled first: a tenth of the time
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)
            _MEMORY.fill_uninitialized_memory = filled


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """PyTorch computes on `count` threads: sums depend on their number. Afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _divisible(model: nn.Module) -> bool:
    """Whether parts of a batch can be passed at once: on the CPU, if nothing sees all of it or draws random numbers."""
    whole = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    found = any(isinstance(module, whole) for module in model.modules())
    return not found and all(parameter.device.type == "cpu" for parameter in model.parameters())


def _at_once(function: Callable[[Places], Found], parts: list[Places]) -> list[Found]:
    """`function` of each of `parts`: if there are several, each on a thread of its own, where PyTorch has no others."""
    if len(parts) == 1:
        return [function(parts[0])]
    with ThreadPoolExecutor(len(parts), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(function, parts))


def _added(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    """The sum of gradients; None where nothing depends on a parameter."""
    found = [part for part in parts if part is not None]
    return torch.stack(found).sum(0) if found else None


def _optimizer(model: nn.Module, training: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW; weights of linear maps decay, all else (biases, norms, rates, skips) does not."""
    decaying = [p for name, p in model.named_parameters() if p.ndim > 1 and "weight" in name]
    known = {id(parameter) for parameter in decaying}
    free = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": decaying, "weight_decay": training.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)


def _finite(loss: Tensor, steepness: Tensor, epoch: int, label: str) -> float:
    """The loss, if it and its gradient are finite. Integers hide what is not, so the loss alone is not enough."""
    for what, value in (("loss", loss.item()), ("gradient", steepness.item())):
        if not math.isfinite(value):
            key = "training.learning_rate" if label == "train" else "quantization.finetune_learning_rate"
            raise TrainingError(f"{label}: the {what} became {value} in epoch {epoch}", f"lower {key}")
    return loss.item()
