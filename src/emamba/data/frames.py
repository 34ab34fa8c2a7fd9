"""Images become frames of tokens: what a network and its accelerator are fed, defined by the recipe alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emamba.config import DataConfig
from emamba.data.dataset import Images
from emamba.errors import ConfigError

Frames = NDArray[np.float32]


def frames(images: Images, choice: DataConfig) -> Frames:
    """Tokens [n, rows * columns, features] of `images` [n, height, width, channels].

    Each channel becomes `(x - mean) / deviation`; then every token is a patch with `margin` pixels of its
    neighbourhood on each side (zeros beyond the border). Groups of patches follow each other row by row, and
    so do the patches inside a group. Inside a token the order is row, column, channel. ConfigError if patch,
    group or normalisation do not fit the images.
    """
    rows, columns = grid(images, choice)
    (high, wide), (down, across), margin = choice.patch, choice.group, choice.margin
    padded = np.pad(normalised(images, choice), [(0, 0), (margin, margin), (margin, margin), (0, 0)])
    window = high + 2 * margin, wide + 2 * margin
    every = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))
    patches = np.array(every[:, ::high, ::wide].transpose(0, 1, 2, 4, 5, 3), order="C")
    groups = patches.reshape(len(images), rows // down, down, columns // across, across, -1)
    return groups.transpose(0, 1, 3, 2, 4, 5).reshape(len(images), rows * columns, -1)


def grid(images: Images, choice: DataConfig) -> tuple[int, int]:
    """Rows and columns of the patches of an image; ConfigError if patches or groups do not divide it."""
    rows, columns = _divided("patch", choice.patch, f"images of {images.shape[1]}x{images.shape[2]}", images.shape[1:3])
    _divided("group", choice.group, f"{rows}x{columns} patches", (rows, columns))
    return rows, columns


def _divided(name: str, parts: tuple[int, int], whole: str, sides: tuple[int, ...]) -> tuple[int, int]:
    """How many `parts` lie below and beside each other in `whole`."""
    (high, wide), (height, width) = parts, sides
    if height % high or width % wide:
        fact = f"a {name} of {high}x{wide} does not divide {whole}"
        raise ConfigError(fact, f"change data.{name} to divisors of both sides")
    return height // high, width // wide


def normalised(images: Images, choice: DataConfig) -> Images:
    """Every channel with the mean and deviation of the recipe taken out; unchanged where it names none."""
    if not choice.mean and not choice.deviation:
        return images
    channels = images.shape[-1]
    if not len(choice.mean) == len(choice.deviation) == channels:
        fact = f"data.mean has {len(choice.mean)} and data.deviation {len(choice.deviation)} values"
        raise ConfigError(f"{fact} for {channels} channels", "give one of each for every channel, or none")
    return (images - np.asarray(choice.mean, np.float32)) / np.asarray(choice.deviation, np.float32)
