"""MARS: poses of people who do rehabilitation movements before a mmWave radar (An and Ogras 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emamba.data.dataset import Dataset, Images, Split
from emamba.data.reading import checksum, damaged, first, known_as, reading
from emamba.data.sources import SOURCES
from emamba.files import digest

PARTS = ("train", "validate", "test")
FRAME, COORDINATES = (8, 8, 5), 57
# Frames of subjects 1 to 4, who follow each other in each official array.
FRAMES = {
    "train": (7112, 7008, 5338, 4608),
    "validate": (2374, 2338, 1783, 1538),
    "test": (2362, 2327, 1769, 1526),
}
REBUILT = "16,954 of 24,066 training frames (labels of subject 1 missing)"
KNOWN = {
    digest(*(download.checksum for download in SOURCES["mars"].downloads)): "official release",
    "9c6c827822146659b39081d4b916f8273b8d9353f0692f1744aad735d7956a3d": REBUILT,
}


def mars(folder: Path) -> Dataset:
    """Radar frames [n, 8, 8, 5], and 57 coordinates of 19 joints in metres: X in 0:19, Y in 19:38, Z in 38:57.

    A frame is 64 points sorted by place, each x, y, z in metres, Doppler velocity, and intensity z-scored by
    subject and split. From the official `featuremap_*.npy` and `labels_*.npy` (rounded to float32), or else
    from `mars_*.npz`, which lacks the training labels of subject 1: its frames are `unlabelled`.
    """
    if (folder / "featuremap_train.npy").is_file() or not (folder / "mars_train.npz").is_file():
        return _official(folder)
    return _rebuilt(folder)


def _official(folder: Path) -> Dataset:
    parts = [_from_npy(folder, part) for part in PARTS]
    content = digest(*(checksum(folder / download.file) for download in SOURCES["mars"].downloads))
    return _dataset(parts, content, None)


def _rebuilt(folder: Path) -> Dataset:
    parts = [_from_npz(folder, part) for part in PARTS]
    path = folder / "mars_train_unlabelled.npz"
    unlabelled = _finite(path, _arrays(path), "x", FRAME) if path.is_file() else None
    arrays = [array for part in parts for array in (part.images, part.targets, part.subjects)]
    content = digest(*(array.tobytes() for array in (*arrays, unlabelled) if array is not None))
    return _dataset(parts, content, unlabelled)


def _dataset(parts: list[Split], content: str, unlabelled: Images | None) -> Dataset:
    identity = f"MARS, {known_as(content, KNOWN)}"
    return Dataset("mars", identity, *parts, outputs=COORDINATES, task="regression", unlabelled=unlabelled)


def _from_npy(folder: Path, part: str) -> Split:
    """One part of the official release; subjects are told by place, if there are as many frames as published."""
    arrays = {}
    paths = [first(folder, f"{kind}_{part}.npy") for kind in ("featuremap", "labels")]
    for path, key in zip(paths, "xy", strict=True):
        with reading(path):
            arrays[key] = np.asarray(np.load(path))
    images, coordinates = _pair(paths[0], paths[1], arrays)
    subjects = np.repeat(np.arange(1, 5, dtype=np.uint8), FRAMES[part])
    return Split(images, coordinates, subjects if len(subjects) == len(images) else None)


def _from_npz(folder: Path, part: str) -> Split:
    path = first(folder, f"mars_{part}.npz")
    arrays = _arrays(path)
    images, coordinates = _pair(path, path, arrays)
    subjects = arrays.get("subject")
    if subjects is None or subjects.shape != (len(images),) or subjects.dtype != np.uint8:
        raise damaged(path, f"has no array `subject` of {len(images)} bytes")
    return Split(images, coordinates, subjects)


def _arrays(path: Path) -> dict[str, NDArray]:
    with reading(path), np.load(path) as archive:
        return dict(archive)


def _pair(frames: Path, labels: Path, arrays: Mapping[str, NDArray]) -> tuple[Images, Images]:
    """Frames and as many rows of coordinates."""
    images = _finite(frames, arrays, "x", FRAME)
    coordinates = _finite(labels, arrays, "y", (COORDINATES,))
    if len(coordinates) != len(images):
        raise damaged(labels, f"holds coordinates of {len(coordinates)} frames for {len(images)} frames")
    return images, coordinates


def _finite(path: Path, arrays: Mapping[str, NDArray], key: str, shape: tuple[int, ...]) -> Images:
    """The array of that name as float32 in row-major order, if it is [n, *shape] and finite."""
    array = arrays.get(key)
    if array is None or array.shape[1:] != shape or not array.size or array.dtype.kind != "f":
        found = "is missing" if array is None else f"is {array.dtype} of shape {array.shape}"
        raise damaged(path, f"`{key}` {found}; wanted are floats of shape (n, {str(shape).strip('(,)')})")
    found = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(found).all():
        raise damaged(path, f"`{key}` holds values that are not finite")
    return found
