"""Fashion-MNIST: 28x28 grey images of ten kinds of clothes (Xiao, Rasul, Vollgraf 2017)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emamba.data.dataset import Dataset, checked, held_out
from emamba.data.reading import damaged, first, idx, known_as
from emamba.files import digest

KNOWN = {"c908a46a75850c15f35b8f2f31d8b72c900061e426bba1bc05f4e56db037d10c": "official release"}


def fashion_mnist(folder: Path) -> Dataset:
    """55,000 images to train, 5,000 to validate, 10,000 to test; value/255.

    From the four idx files, packed as .gz or not. Validation: see `held_out`, one in 12.
    """
    contents, images, labels = [], [], []
    for part in ("train", "t10k"):
        for kind, sides, arrays in (("images-idx3", 3, images), ("labels-idx1", 1, labels)):
            path = first(folder, f"{part}-{kind}-ubyte.gz", f"{part}-{kind}-ubyte")
            data, array = idx(path, sides)
            contents.append(data)
            arrays.append(array)
    if len(images[0]) != len(labels[0]):
        raise damaged(folder / "train-labels", f"{len(labels[0])} labels for {len(images[0])} images")
    train, validation = held_out(len(labels[0]), 12)
    parts = [
        checked(str(folder), images[place][part, ..., None] / np.float32(255), labels[place][part], (28, 28, 1), 10)
        for place, part in ((0, train), (0, validation), (1, slice(None)))
    ]
    identity = f"Fashion-MNIST, {known_as(digest(*contents), KNOWN)}"
    return Dataset("fashion-mnist", identity, *parts, outputs=10, task="classification")
