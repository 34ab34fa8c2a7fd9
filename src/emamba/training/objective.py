"""What training makes small: the distance from the targets, and from a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss

from emamba.config import Config, DataConfig, TeacherConfig
from emamba.data import Dataset, Images, Split, joined
from emamba.errors import ConfigError
from emamba.training.loop import Loss, Places
from emamba.training.metrics import outputs, seen

Distance = Callable[[Tensor, Tensor], Tensor]  # of outputs [batch, outputs] from targets or other outputs


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network, and how images become the tokens that it reads."""

    network: nn.Module
    data: DataConfig


def taught(model: nn.Module, config: Config, dataset: Dataset, teacher: Teacher | None = None) -> Loss:
    """The distance of `model` from the targets of `dataset.train`, mixed with that from `teacher` if there is one.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.
    """
    plain, choice = distance(config, dataset), config.training.teacher
    targets = torch.from_numpy(dataset.train.targets)

    def far(found: Tensor, places: Places) -> Tensor:
        return plain(found, targets[places].to(found.device))

    if teacher is None:
        return lambda images, places: far(model(seen(images, config.data, model)), places)
    wanted = _wanted(teacher, choice, dataset)
    follow = plain if dataset.task == "regression" else softened(choice.temperature)

    def mixed(images: Images, places: Places) -> Tensor:
        found = model(seen(images, config.data, model))
        own, followed = far(found, places), follow(found, wanted(images, places).to(found.device))
        return (1 - choice.share) * own + choice.share * followed

    return mixed


def with_unlabelled(dataset: Dataset, teacher: Teacher | None) -> Dataset:
    """`dataset` with its unlabelled images in `train`, behind the others; their targets are what `teacher` gives.

    ConfigError if there are none or no teacher, or if targets are classes, which outputs are not.
    """
    if teacher is None or dataset.unlabelled is None or dataset.task != "regression":
        what = "a teacher" if teacher is None else "unlabelled images with coordinates to give"
        fact = f"training.teacher.unlabelled: {dataset.name} is trained without {what}"
        raise ConfigError(fact, "remove training.teacher.unlabelled")
    targets = outputs(teacher.network, dataset.unlabelled, teacher.data).astype(np.float32)
    return replace(dataset, train=joined(dataset.train, Split(dataset.unlabelled, targets)))


def _wanted(teacher: Teacher, choice: TeacherConfig, dataset: Dataset) -> Callable[[Images, Places], Tensor]:
    """What `teacher` gives for images, as its student sees them or as they are: [batch, outputs]."""
    if choice.sees == "plain":
        known = torch.from_numpy(outputs(teacher.network, dataset.train.images, teacher.data))
        return lambda _, places: known[places]
    teacher.network.eval()

    @torch.no_grad()
    def asked(images: Images, _: Places) -> Tensor:
        return teacher.network(seen(images, teacher.data, teacher.network))

    return asked


def distance(config: Config, dataset: Dataset) -> Distance:
    """Of outputs from targets: cross-entropy, or the squared error in units of the coordinates' spread."""
    if dataset.task != "regression":
        entropy = nn.CrossEntropyLoss(label_smoothing=config.training.label_smoothing)
        return lambda found, wanted: entropy(found.flatten(0, -2), wanted.flatten())
    spread = float((dataset.train.targets - dataset.train.targets.mean(0)).std())
    return lambda found, wanted: mse_loss(found / spread, wanted / spread)


def softened(temperature: float) -> Distance:
    """The Kullback-Leibler divergence of classes at `temperature`, with gradients as large as at 1."""

    def divergence(found: Tensor, wanted: Tensor) -> Tensor:
        student, master = (log_softmax(logits.flatten(0, -2) / temperature, dim=1) for logits in (found, wanted))
        return temperature**2 * kl_div(student, master, reduction="batchmean", log_target=True)

    return divergence
