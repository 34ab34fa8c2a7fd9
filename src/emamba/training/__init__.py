"""Optimisers, loops, checkpoints, metrics."""

from emamba.training.checkpoint import load_checkpoint, save_checkpoint
from emamba.training.loop import Epoch, Progress, accuracy, fit, reproducible, silent, train

__all__ = [
    "Epoch",
    "Progress",
    "accuracy",
    "fit",
    "load_checkpoint",
    "reproducible",
    "save_checkpoint",
    "silent",
    "train",
]
