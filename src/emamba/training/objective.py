"""What training makes small: the distance from the targets, and from a teacher."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss

from emamba.config import Config
from emamba.data import Dataset
from emamba.training.loop import Loss


def taught(model: nn.Module, config: Config, dataset: Dataset, teacher: nn.Module | None = None) -> Loss:
    """The loss of `model` for tokens and targets, mixed with its distance from `teacher` if there is one.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.
    """
    plain, choice = distance(config, dataset), config.training.teacher
    if teacher is None:
        return lambda tokens, targets: plain(model(tokens), targets)
    teacher.eval()
    follow = plain if dataset.task == "regression" else softened(choice.temperature)

    def mixed(tokens: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = teacher(tokens)
        found = model(tokens)
        return (1 - choice.share) * plain(found, targets) + choice.share * follow(found, wanted)

    return mixed


def distance(config: Config, dataset: Dataset) -> Loss:
    """Of outputs from targets: cross-entropy, or the squared error in units of the coordinates' spread."""
    if dataset.task == "classification":
        return nn.CrossEntropyLoss(label_smoothing=config.training.label_smoothing)
    spread = float((dataset.train.targets - dataset.train.targets.mean(0)).std())
    return lambda found, wanted: mse_loss(found / spread, wanted / spread)


def softened(temperature: float) -> Loss:
    """The Kullback-Leibler divergence of classes at `temperature`, with gradients as large as at 1."""

    def divergence(found: Tensor, wanted: Tensor) -> Tensor:
        student, master = (log_softmax(logits / temperature, dim=1) for logits in (found, wanted))
        return temperature**2 * kl_div(student, master, reduction="batchmean", log_target=True)

    return divergence
