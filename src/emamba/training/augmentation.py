"""Random changes of training images that leave what is asked of them as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emamba.config import AugmentationConfig
from emamba.data import Images, Task
from emamba.errors import ConfigError

_KINDS: dict[Task, str] = {"classification": "images", "regression": "radar frames", "language": "texts"}
_FOREIGN: dict[Task, tuple[str, ...]] = {
    "classification": ("drop_points",),
    "regression": ("shift", "flip", "erase"),
    "language": ("drop_points", "shift", "flip", "erase"),
}
_POINT_PLACE = 2.0**20  # beyond any coordinate: where points that are not there are sorted to


def check_augmentation(choice: AugmentationConfig, task: Task) -> None:
    """ConfigError if a change that `choice` asks for alters what is asked of an image."""
    for name in _FOREIGN[task]:
        if getattr(choice, name):
            kind = _KINDS[task]
            fact = f"training.augmentation.{name} is {getattr(choice, name)!r}, which makes no sense for {kind}"
            raise ConfigError(fact, f"remove training.augmentation.{name}")


def augmented(images: Images, choice: AugmentationConfig, rng: np.random.Generator) -> Images:
    """`images` [n, height, width, channels] changed at random, each by itself."""
    if choice.drop_points:
        images = thinned(images, choice.drop_points, rng)
    if choice.flip:
        images = np.where(rng.random((len(images), 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
    if choice.shift:
        images = shifted(images, choice.shift, rng)
    return erased(images, choice.erase, rng) if choice.erase else images


def shifted(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Each image moved at random by up to `pixels` in both directions, fractions included; 0 enters.

    A pixel becomes the mean of its neighbours, weighted by how much of each lies under it.
    """
    n, height, width, _ = images.shape
    down, right = rng.uniform(-pixels, pixels, (2, n, 1, 1))
    return np.einsum("nij,njkc,nlk->nilc", _moves(height, down), images, _moves(width, right), optimize=True)


def erased(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Each image with a rectangle set to 0; its sides are up to `share` of the image's, its centre is anywhere.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.
    """
    inside = []
    for size in images.shape[1:3]:
        centre, half = rng.uniform(0, size, (len(images), 1)), rng.uniform(0, share * size / 2, (len(images), 1))
        inside.append(np.abs(np.arange(size) + 0.5 - centre) < half)
    return np.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], np.float32(0), images)


def thinned(images: Images, most: float, rng: np.random.Generator) -> Images:
    """Radar frames that miss a random share, up to `most`, of their points.

    A frame lists up to height * width points row by row in ascending order of their first channel, and
    ends with zeros; so it does again after points are gone.
    """
    n, height, width, channels = images.shape
    points = images.reshape(n, height * width, channels)
    kept = rng.random(points.shape[:2]) >= rng.uniform(0, most, (n, 1))
    points = np.where(kept[..., None], points, np.float32(0))
    place = np.where(points.any(-1), points[..., 0], _POINT_PLACE)
    order = np.argsort(place, axis=1, kind="stable")
    return np.take_along_axis(points, order[..., None], 1).reshape(images.shape)


def _moves(size: int, offset: NDArray[np.float64]) -> Images:
    """Interpolation matrices [n, size, size] for `offset` [n, 1, 1]."""
    place = np.arange(size)
    return np.maximum(0, 1 - np.abs(place[:, None] + offset - place)).astype(np.float32)
