"""A recipe and a data set become a trained network."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from emamba import files
from emamba.config import Config, MambaConfig, TrainingConfig
from emamba.data import Dataset, frames, grid
from emamba.errors import ConfigError
from emamba.model import Network, Shape, Weights, build, inherit
from emamba.training.augmentation import check_augmentation
from emamba.training.loop import Epoch, Fit, Progress, fit, reproducible, silent
from emamba.training.metrics import evaluate
from emamba.training.objective import Teacher, taught, with_unlabelled


def train(
    config: Config,
    dataset: Dataset,
    progress: Progress = silent,
    memory: Path | None = None,
    teacher: Teacher | None = None,
    donor: Weights | None = None,
) -> tuple[Network, tuple[Epoch, ...]]:
    """A network trained on `dataset.train` as `config` says, and how it went.

    It learns from the targets and, if there is a `teacher`, from what that makes of the same images. It starts from
    the tensors of `donor`, if there is one, where names and shapes are its own, and at random elsewhere. The network
    of `teacher` stays on the device that `config` says, the result comes back to the CPU.
    The same seed gives the same bytes on the same machine, even if the run was killed in between and
    `memory` is where the earlier one remembered. TrainingError if the loss diverges,
    ConfigError if the recipe does not fit the data.
    """
    check_augmentation(config.training.augmentation, dataset.task)
    device = device_of(config.training)
    with reproducible(config.training.seed, config.training.threads):
        if teacher is not None:
            teacher.network.to(device)
        if config.training.teacher.unlabelled:
            dataset = with_unlabelled(dataset, teacher)
        model = untrained(config, dataset)
        inherit(model, donor or {})
        model.to(device)

        def measure(found: nn.Module) -> float:
            return evaluate(found, dataset.validation, dataset.task, config.data)

        measured = measure if len(dataset.validation) else None
        taught_by = () if teacher is None else (weights_hash(teacher.network.state_dict()),)
        key = training_key(config, dataset, device.type, *taught_by, *(() if donor is None else (weights_hash(donor),)))
        how = Fit("train", progress, measured, memory, key)
        objective = taught(model, config, dataset, teacher)
        history = fit(model, objective, dataset.train, config.training, how)
        return model.cpu(), history


def device_of(training: TrainingConfig) -> torch.device:
    """Where a network is trained as `training` says; ConfigError where there is no such device."""
    found = torch.cuda.is_available()
    if training.device == "cuda" and not found:
        fact = 'training.device is "cuda", but PyTorch finds no GPU'
        raise ConfigError(fact, 'set it to "auto", or install a PyTorch for the GPU')
    return torch.device("cuda" if found and training.device != "cpu" else "cpu")


def training_key(config: Config, dataset: Dataset, *more: str) -> str:
    """A hash over all that a training run depends on; `more` is what its caller knows."""
    whole = config.model_dump(mode="json")
    sections = {name: whole[name] for name in ("data", "model", "training")}
    return files.digest(json.dumps(sections, sort_keys=True), dataset.identity, *more)


def untrained(config: Config, dataset: Dataset) -> Network:
    """The network of `config` before training; one that gives coordinates begins at their mean.

    ConfigError if it cannot take the frames of `dataset`.
    """
    _check_task(config, dataset)
    rows, columns = grid(dataset.train.images, config.data)
    features = frames(dataset.train.images[:1], config.data).shape[2]
    high, wide = config.data.group
    model = build(config.model, Shape(rows // high, columns // wide, features, high * wide), dataset.outputs)
    if dataset.task == "regression":
        with torch.no_grad():
            model.head.bias.copy_(torch.from_numpy(dataset.train.targets.mean(0)))
    return model


def _check_task(config: Config, dataset: Dataset) -> None:
    """ConfigError unless a text goes as bytes into a Mamba with outputs for every token, and nothing else does."""
    mamba = config.model if isinstance(config.model, MambaConfig) else None
    choices = (mamba is not None and mamba.embedding == "bytes", mamba is not None and mamba.head == "token")
    if dataset.task != "language" and any(choices):
        fact = f"{dataset.name} is no text: its tokens are no bytes, and outputs are asked for whole frames"
        raise ConfigError(fact, 'choose model.embedding = "linear", and another model.head than "token"')
    if dataset.task == "language" and (not all(choices) or config.data.mean):
        fact = f"{dataset.name} is a text: its tokens are bytes, unchanged, and outputs are asked for each"
        hint = 'choose a Mamba with model.embedding = "bytes" and model.head = "token", without data.mean'
        raise ConfigError(fact, hint)


def weights_hash(weights: Weights) -> str:
    """A hash over `weights`, the parameters and buffers of a network."""
    return files.digest(*(tensor.cpu().numpy().tobytes() for tensor in weights.values()))
