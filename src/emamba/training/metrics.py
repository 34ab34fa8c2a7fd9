"""How good outputs are: one number for each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from emamba.config import DataConfig
from emamba.data import Images, Split, Targets, Task, frames
from emamba.training.loop import on_threads

Judged = NDArray[np.float64]

_BATCH = 64


def score(task: Task, outputs: ArrayLike, targets: Targets) -> float:
    """Of `outputs` [n, outputs]: accuracy in 0..1, the error in the unit of `targets`, or bits a byte.

    Classification: the share whose largest output is that of their label; ties go to the first. Regression:
    the mean over the coordinates of each coordinate's root mean square error (RMSE). Language: the mean of
    -log2 of the probability (softmax of `outputs` [n, bytes, 256]) of the byte that follows.
    """
    return combined(task, judged(task, outputs, targets))


def judged(task: Task, outputs: ArrayLike, targets: Targets) -> Judged:
    """What each frame has to say about the score: right or wrong, squared errors, or bits: [n, one or more]."""
    found = np.asarray(outputs)
    match task:
        case "classification":
            return (found.argmax(1) == targets)[:, None].astype(np.float64)
        case "regression":
            return np.square(found.astype(np.float64) - targets)
        case "language":
            return _bits(found.astype(np.float64), targets)
        case _:
            assert_never(task)


def combined(task: Task, judged: Judged) -> float:
    """The score of all frames, from what `judged` gave for each."""
    each = judged.mean(axis=0)
    return float((np.sqrt(each) if task == "regression" else each).mean())


def scored(task: Task, split: Split, outputs: Callable[[Images], ArrayLike]) -> float:
    """The score of `outputs` for the images of `split`, few at a time: those of a text are many."""
    parts = [split[part : part + _BATCH] for part in range(0, len(split), _BATCH)]
    return combined(task, np.concatenate([judged(task, outputs(part.images), part.targets) for part in parts]))


def evaluate(model: nn.Module, split: Split, task: Task, choice: DataConfig) -> float:
    """The score of `model` on `split`, whose images become tokens as `choice` says."""
    return scored(task, split, lambda images: outputs(model, images, choice))


@torch.no_grad()
def outputs(model: nn.Module, images: Images, choice: DataConfig) -> np.ndarray:
    """What `model` gives for `images`: [n, outputs] or [n, tokens, outputs] float32; on one thread.

    More of them gain little on so few images at a time, and where others use the cores they wait for each other.
    """
    training = model.training
    model.eval()  # no dropout, and batch norms as training left them
    parts = [images[part : part + _BATCH] for part in range(0, len(images), _BATCH)]
    with on_threads(1):
        found = [model(seen(part, choice, model)).cpu().numpy() for part in parts]
    model.train(training)
    return np.concatenate(found)


def seen(images: Images, choice: DataConfig, model: nn.Module) -> Tensor:
    """`images` as `model` reads them, where it is: tokens [batch, tokens, features]."""
    place = next((parameter.device for parameter in model.parameters()), None)
    return torch.from_numpy(frames(images, choice)).to(place)


def _bits(logits: Judged, targets: Targets) -> Judged:
    """`-log2(softmax(logits)[target])` of every byte [n, bytes]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    own = np.take_along_axis(shifted, targets[..., None].astype(np.int64), axis=-1)[..., 0]
    return (np.log(np.exp(shifted).sum(axis=-1)) - own) / np.log(2)
