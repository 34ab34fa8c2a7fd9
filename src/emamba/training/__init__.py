"""Optimisers, loops, checkpoints, metrics."""

from emamba.training.checkpoint import load_checkpoint, save_checkpoint
from emamba.training.loop import Epoch, Fit, Places, Progress, fit, on_threads, reproducible, silent
from emamba.training.memory import recall, remember
from emamba.training.metrics import evaluate, outputs, score, scored
from emamba.training.objective import Teacher, seen
from emamba.training.train import Weights, train, training_key, untrained, weights_hash

__all__ = [
    "Epoch",
    "Fit",
    "Places",
    "Progress",
    "Teacher",
    "Weights",
    "evaluate",
    "fit",
    "load_checkpoint",
    "on_threads",
    "outputs",
    "recall",
    "remember",
    "reproducible",
    "save_checkpoint",
    "score",
    "scored",
    "seen",
    "silent",
    "train",
    "training_key",
    "untrained",
    "weights_hash",
]
