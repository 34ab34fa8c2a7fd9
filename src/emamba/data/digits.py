"""The 1,797 handwritten digits that come with scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from emamba.data.dataset import Dataset, checked
from emamba.files import digest

TEST, VALIDATION = 360, 287


def digits() -> Dataset:
    """1,150 images to train, 287 to validate, 360 to test; all stratified, random_state 0; value/16.

    The test images are drawn first, the validation images from the 1,437 that are left.
    """
    pixels, labels = load_digits(return_X_y=True)
    whole = checked("digits of scikit-learn", pixels.reshape(-1, 8, 8, 1) / 16, labels, (8, 8, 1), 10)
    rest, test = train_test_split(np.arange(len(labels)), test_size=TEST, random_state=0, stratify=labels)
    train, validation = train_test_split(rest, test_size=VALIDATION, random_state=0, stratify=labels[rest])
    parts = [whole[np.asarray(part)] for part in (train, validation, test)]
    content = digest(*(array.tobytes() for part in parts for array in (part.images, part.targets)))
    identity = f"digits of scikit-learn, {len(train)} + {len(validation)} + {len(test)} images, sha256 {content}"
    return Dataset("digits", identity, *parts, outputs=10, task="classification")
