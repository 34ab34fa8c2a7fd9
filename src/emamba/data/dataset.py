"""What a data set is: images, or what is read like them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emamba.errors import DataError

Images = NDArray[np.float32]
Targets = NDArray[np.int64 | np.float32]
Subjects = NDArray[np.uint8]
Task = Literal["classification", "regression", "language"]


@dataclass(frozen=True, eq=False)
class Split:
    """Images [n, height, width, channels], what is asked of each, and whom each shows.

    Pixels are in 0..1; radar frames keep the units of their files; a text has one row of bytes 0..255.
    `targets` are labels [n] of classes counted from 0, coordinates [n, outputs], or the byte [n, width] that
    follows each byte. `subjects` [n] is None where nobody is named.
    """

    images: Images
    targets: Targets
    subjects: Subjects | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: slice | NDArray[np.integer]) -> Split:
        """The images that `chosen` picks, with their targets and subjects."""
        subjects = None if self.subjects is None else self.subjects[chosen]
        return Split(self.images[chosen], self.targets[chosen], subjects)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three parts; `identity` says in words and by hash which data they are.

    `outputs` counts classes, coordinates or values of a byte. `validation` may choose settings and checkpoints,
    `test` may not. `unlabelled` are training images whose targets are not known.
    """

    name: str
    identity: str
    train: Split
    validation: Split
    test: Split
    outputs: int
    task: Task
    unlabelled: Images | None = None

    def with_validation_in_train(self) -> Dataset:
        """The same data set for a final training: `train` followed by `validation`, which is then empty."""
        identity = f"{self.identity}; validation images are in train"
        return replace(
            self, identity=identity, train=joined(self.train, self.validation), validation=self.validation[:0]
        )


def by_subject(split: Split) -> list[tuple[int, Split]]:
    """The subjects of `split` in ascending order, each with its part; empty where nobody is named."""
    if split.subjects is None:
        return []
    return [(int(number), split[np.flatnonzero(split.subjects == number)]) for number in np.unique(split.subjects)]


def evenly(split: Split, count: int) -> Split:
    """At most `count` frames of `split`, evenly spread: files hold one subject behind the other."""
    return split if len(split) <= count else split[np.linspace(0, len(split) - 1, count).round().astype(int)]


def joined(first: Split, second: Split) -> Split:
    """The images of `first`, then those of `second`; subjects only if both name theirs."""
    subjects = None
    if first.subjects is not None and second.subjects is not None:
        subjects = np.concatenate([first.subjects, second.subjects])
    images = np.concatenate([first.images, second.images])
    return Split(images, np.concatenate([first.targets, second.targets]), subjects)


def held_out(n: int, share: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of `n` images train and which validate: one in `share`, rounded down.

    Those that validate come first in `np.random.default_rng(0).permutation(n)`; both stay in the order
    of the files.
    """
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[n // share :]), np.sort(order[: n // share])


def checked(origin: str, images: ArrayLike, labels: ArrayLike, shape: tuple[int, int, int], classes: int) -> Split:
    """`images` and `labels` as a Split, if they are images of `shape` in 0..1 and labels below `classes`.

    DataError with what does not fit otherwise; `origin` names the data in it.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    hint = f"restore {origin}: it holds images of shape {shape} in 0..1 and one label below {classes} for each"
    if images.ndim != 4 or images.shape[1:] != shape:
        raise DataError(
            f"{origin}: images have shape {images.shape}, not (n, {shape[0]}, {shape[1]}, {shape[2]})", hint
        )
    if labels.shape != images.shape[:1] or not labels.size:
        raise DataError(f"{origin}: labels have shape {labels.shape} for {len(images)} images", hint)
    if not (images.min() >= 0 and images.max() <= 1):  # of NaN both are false
        raise DataError(f"{origin}: images hold values from {images.min()} to {images.max()}, not 0..1", hint)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{origin}: labels run from {labels.min()} to {labels.max()}, not 0..{classes - 1}", hint)
    return Split(np.ascontiguousarray(images, np.float32), labels.astype(np.int64))
