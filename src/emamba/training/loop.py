"""Training: AdamW under a one-cycle schedule, the same bytes for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from emamba.config import Config, TrainingConfig
from emamba.data import Dataset, Images, Split, patches
from emamba.errors import TrainingError
from emamba.model import Network, Shape, build

Loss = Callable[[Tensor, Tensor], Tensor]  # of tokens [batch, tokens, features] and labels [batch]
Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is being done

_MEASURED = 1024  # frames measured at once: what lies between the layers of a CNN is many times its input


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images, counted from 1, and its mean loss."""

    epoch: int
    loss: float


def silent(done: int, total: int, label: str) -> None:
    """A `Progress` that shows nothing."""


def train(config: Config, dataset: Dataset, progress: Progress = silent) -> tuple[Network, tuple[Epoch, ...]]:
    """A model trained on `dataset.train` as `config` says, and how its loss went.

    The same seed gives the same bytes on the same machine. TrainingError if the loss diverges.
    """
    with reproducible(config.training.seed):
        model = build(config.model, _shape(dataset, config.data.patch), dataset.classes)

        def loss(tokens: Tensor, labels: Tensor) -> Tensor:
            return nn.functional.cross_entropy(model(tokens), labels)

        return model, fit(model, loss, dataset.train, config.data.patch, config.training, progress, "train")


def _shape(dataset: Dataset, patch: int) -> Shape:
    """Of the frames that images become."""
    _, height, width, _ = dataset.train.images.shape
    features = patches(dataset.train.images[:1], patch).shape[2]
    return Shape(height // patch, width // patch, features)


def fit(
    model: nn.Module,
    objective: Loss,
    split: Split,
    patch: int,
    training: TrainingConfig,
    progress: Progress,
    label: str,
) -> tuple[Epoch, ...]:
    """Trains the parameters of `model` in place so that `objective` gets small on `split`."""
    rng = np.random.default_rng(training.seed)
    batches = math.ceil(len(split.labels) / training.batch_size)
    optimizer = _optimizer(model, training)
    schedule = OneCycleLR(optimizer, training.learning_rate, total_steps=training.epochs * batches)
    history = []
    for epoch in range(1, training.epochs + 1):
        total = 0.0
        for number, (tokens, labels) in enumerate(_batches(split, patch, training, rng)):
            loss = objective(tokens, labels)
            optimizer.zero_grad()
            loss.backward()
            steepness = nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clip)
            total += _finite(loss, steepness, epoch, label)
            optimizer.step()
            schedule.step()
            progress((epoch - 1) * batches + number + 1, training.epochs * batches, label)
        history.append(Epoch(epoch, total / batches))
    return tuple(history)


@torch.no_grad()
def accuracy(model: Network, split: Split, patch: int) -> float:
    """Share of the images of `split`, 0..1, whose largest logit is that of their label."""
    training = model.training
    model.eval()  # no dropout, and batch norms as training left them
    parts = torch.from_numpy(patches(split.images, patch)).split(_MEASURED)
    found = torch.cat([model(tokens).argmax(1) for tokens in parts]).numpy()
    model.train(training)
    return float(np.mean(found == split.labels))


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seeded, deterministic, on one thread; PyTorch is left as it was found.

    One thread because sums over threads depend on their number, and these tensors are too small to gain.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def shifted(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Each image moved at random by up to `pixels` in both directions, fractions included; 0 enters.

    A pixel becomes the mean of its neighbours, weighted by how much of each lies under it.
    """
    n, height, width, _ = images.shape
    down, right = rng.uniform(-pixels, pixels, (2, n, 1, 1))
    return np.einsum("nij,njkc,nlk->nilc", _moves(height, down), images, _moves(width, right), optimize=True)


def _moves(size: int, offset: NDArray[np.float64]) -> Images:
    """Interpolation matrices [n, size, size] for `offset` [n, 1, 1]."""
    place = np.arange(size)
    return np.maximum(0, 1 - np.abs(place[:, None] + offset - place)).astype(np.float32)


def _batches(
    split: Split, patch: int, training: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and labels of one epoch, in random order."""
    order = rng.permutation(len(split.labels))
    tokens = torch.from_numpy(patches(shifted(split.images[order], training.shift, rng), patch))
    labels = torch.from_numpy(split.labels[order])
    size = training.batch_size
    yield from zip(tokens.split(size), labels.split(size), strict=True)


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
