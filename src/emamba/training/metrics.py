"""How good outputs are: one number for each task."""

from __future__ import annotations

from typing import assert_never

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from emamba.config import DataConfig
from emamba.data import Images, Split, Targets, Task, frames

_BATCH = 512


def score(task: Task, outputs: ArrayLike, targets: Targets) -> float:
    """Of `outputs` [n, outputs]: accuracy in 0..1, or the error in the unit of `targets`.

    Classification: the share whose largest output is that of their label; ties go to the first. Regression:
    the mean over the coordinates of each coordinate's root mean square error (RMSE).
    """
    found = np.asarray(outputs)
    match task:
        case "classification":
            return float(np.mean(found.argmax(1) == targets))
        case "regression":
            return float(np.sqrt(np.mean(np.square(found.astype(np.float64) - targets), axis=0)).mean())
        case _:
            assert_never(task)


def evaluate(model: nn.Module, split: Split, task: Task, choice: DataConfig) -> float:
    """The score of `model` on `split`, whose images become tokens as `choice` says."""
    return score(task, outputs(model, split.images, choice), split.targets)


@torch.no_grad()
def outputs(model: nn.Module, images: Images, choice: DataConfig) -> np.ndarray:
    """What `model` gives for `images`: [n, outputs] float32."""
    training = model.training
    model.eval()  # no dropout, and batch norms as training left them
    parts = range(0, len(images), _BATCH)
    found = [model(torch.from_numpy(frames(images[part : part + _BATCH], choice))).numpy() for part in parts]
    model.train(training)
    return np.concatenate(found)
