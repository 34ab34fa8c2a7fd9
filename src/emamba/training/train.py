"""A recipe and a data set become a trained network."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from emamba import files
from emamba.config import Config
from emamba.data import Dataset, frames, grid
from emamba.model import Network, Shape, build
from emamba.training.augmentation import check_augmentation
from emamba.training.loop import Epoch, Fit, Progress, fit, reproducible, silent
from emamba.training.metrics import evaluate
from emamba.training.objective import Teacher, taught


def train(
    config: Config,
    dataset: Dataset,
    progress: Progress = silent,
    memory: Path | None = None,
    teacher: Teacher | None = None,
) -> tuple[Network, tuple[Epoch, ...]]:
    """A network trained on `dataset.train` as `config` says, and how it went.

    It learns from the targets and, if there is a `teacher`, from what that makes of the same images.
    The same seed gives the same bytes on the same machine, even if the run was killed in between and
    `memory` is where the earlier one remembered. TrainingError if the loss diverges,
    ConfigError if the recipe does not fit the data.
    """
    check_augmentation(config.training.augmentation, dataset.task)
    with reproducible(config.training.seed, config.training.threads):
        model = _start(config, dataset)

        def measure(found: nn.Module) -> float:
            return evaluate(found, dataset.validation, dataset.task, config.data)

        measured = measure if len(dataset.validation) else None
        key = training_key(config, dataset, *(() if teacher is None else (weights_hash(teacher.network),)))
        how = Fit("train", progress, measured, memory, key)
        objective = taught(model, config, dataset, teacher)
        return model, fit(model, objective, dataset.train, config.training, how)


def training_key(config: Config, dataset: Dataset, *more: str) -> str:
    """A hash over all that a training run depends on; `more` is what its caller knows."""
    whole = config.model_dump(mode="json")
    sections = {name: whole[name] for name in ("data", "model", "training")}
    return files.digest(json.dumps(sections, sort_keys=True), dataset.identity, *more)


def _start(config: Config, dataset: Dataset) -> Network:
    """The untrained network; one that gives coordinates begins at their mean."""
    rows, columns = grid(dataset.train.images, config.data)
    features = frames(dataset.train.images[:1], config.data).shape[2]
    high, wide = config.data.group
    model = build(config.model, Shape(rows // high, columns // wide, features, high * wide), dataset.outputs)
    if dataset.task == "regression":
        with torch.no_grad():
            model.head.bias.copy_(torch.from_numpy(dataset.train.targets.mean(0)))
    return model


def weights_hash(model: nn.Module) -> str:
    """A hash over all parameters and buffers of `model`."""
    return files.digest(*(tensor.numpy().tobytes() for tensor in model.state_dict().values()))
