"""Data sets on disk become arrays, and images become tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from emamba.errors import ConfigError, DataError
from emamba.files import digest

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Images [n, height, width, channels] in 0..1, and their labels [n]."""

    images: Images
    labels: Labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in two parts; `identity` says in words and by hash which data they are."""

    name: str
    identity: str
    train: Split
    test: Split
    classes: int


def load_dataset(name: str) -> Dataset:
    """The data set of that name; ConfigError if there is none."""
    match name:
        case "digits":
            return _digits()
        case _:
            raise ConfigError(f"there is no data set {name!r}", "data.name can be: digits")


def patches(images: Images, patch: int) -> NDArray[np.float32]:
    """Tokens [n, (h/patch) * (w/patch), patch * patch * c]: squares of `images`, row by row.

    Inside a token the order is row, column, channel. ConfigError if `patch` does not divide.
    """
    n, height, width, channels = images.shape
    if patch < 1 or height % patch or width % patch:
        fact = f"a patch of {patch} does not divide images of {height}x{width}"
        raise ConfigError(fact, "change data.patch to a divisor of both sides")
    squares = images.reshape(n, height // patch, patch, width // patch, patch, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * channels)


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
    if not np.all((images >= 0) & (images <= 1)):
        raise DataError(f"{origin}: images hold values from {images.min()} to {images.max()}, not 0..1", hint)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{origin}: labels run from {labels.min()} to {labels.max()}, not 0..{classes - 1}", hint)
    return Split(images.astype(np.float32), labels.astype(np.int64))


def _digits() -> Dataset:
    """The 1,797 handwritten digits that come with scikit-learn; 1,437 train, 360 test, stratified."""
    pixels, labels = load_digits(return_X_y=True)
    whole = checked("digits of scikit-learn", pixels.reshape(-1, 8, 8, 1) / 16, labels, (8, 8, 1), 10)
    train, test = train_test_split(np.arange(len(labels)), test_size=360, random_state=0, stratify=labels)
    parts = [Split(whole.images[part], whole.labels[part]) for part in (train, test)]
    content = digest(*(array.tobytes() for part in parts for array in (part.images, part.labels)))
    identity = f"digits of scikit-learn, 8x8x1, {len(train)} train and {len(test)} test images, sha256 {content}"
    return Dataset("digits", identity, parts[0], parts[1], 10)
