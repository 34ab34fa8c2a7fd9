"""A recipe and a data set become a trained network."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from emamba import files
from emamba.config import Config
from emamba.data import Dataset, frames, grid
from emamba.model import Network, Shape, build
from emamba.training.loop import Epoch, Fit, Loss, Progress, fit, reproducible, silent
from emamba.training.metrics import evaluate


def train(
    config: Config, dataset: Dataset, progress: Progress = silent, memory: Path | None = None
) -> tuple[Network, tuple[Epoch, ...]]:
    """A network trained on `dataset.train` as `config` says, and how it went.

    The same seed gives the same bytes on the same machine, even if the run was killed in between and
    `memory` is where the earlier one remembered. TrainingError if the loss diverges.
    """
    with reproducible(config.training.seed, config.training.threads):
        model = _start(config, dataset)

        def measure(found: nn.Module) -> float:
            return evaluate(found, dataset.validation, dataset.task, config.data)

        measured = measure if len(dataset.validation) else None
        how = Fit("train", progress, measured, memory, training_key(config, dataset))
        objective = _objective(model, config, dataset)
        return model, fit(model, objective, dataset.train, config.data, config.training, how)


def training_key(config: Config, dataset: Dataset) -> str:
    """A hash over all that a training run depends on."""
    whole = config.model_dump(mode="json")
    sections = {name: whole[name] for name in ("data", "model", "training", "quantization")}
    return files.digest(json.dumps(sections, sort_keys=True), dataset.identity)


def _start(config: Config, dataset: Dataset) -> Network:
    """The untrained network; one that gives coordinates begins at their mean."""
    rows, columns = grid(dataset.train.images, config.data)
    features = frames(dataset.train.images[:1], config.data).shape[2]
    model = build(config.model, Shape(rows, columns, features), dataset.outputs)
    if dataset.task == "regression":
        with torch.no_grad():
            model.head.bias.copy_(torch.from_numpy(dataset.train.targets.mean(0)))
    return model


def _objective(model: Network, config: Config, dataset: Dataset) -> Loss:
    """Cross-entropy, or the squared error in units of the coordinates' spread."""
    if dataset.task == "classification":
        loss = nn.CrossEntropyLoss(label_smoothing=config.training.label_smoothing)
        return lambda tokens, targets: loss(model(tokens), targets)
    spread = float((dataset.train.targets - dataset.train.targets.mean(0)).std())

    def squared(tokens: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(model(tokens) / spread, targets / spread)

    return squared
