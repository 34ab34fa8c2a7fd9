"""Which data sets there are, where they lie, and what was found in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emamba.data.folders import find
from emamba.data.load import load_dataset
from emamba.data.sources import SOURCES, source
from emamba.errors import DataError


@dataclass(frozen=True)
class Entry:
    """A data set: what for, how large its official release is, and its folder (None: missing or not needed)."""

    name: str
    task: str
    sizes: str
    bundled: bool
    folder: Path | None


@dataclass(frozen=True)
class Findings:
    """A data set that was read whole: what it is, and images or frames in each part."""

    name: str
    identity: str
    folder: Path | None
    train: int
    validation: int
    test: int
    unlabelled: int


def catalogue(folder: Path | None = None) -> list[Entry]:
    """Every data set, looked for as `load_dataset` does."""
    return [
        Entry(name, known.task, known.sizes, not known.downloads, _folder(name, folder))
        for name, known in SOURCES.items()
    ]


def check(name: str, folder: Path | None = None) -> Findings:
    """Reads a data set and compares its checksums; `identity` says whether anybody knows it.

    Errors as of `load_dataset`.
    """
    place = find(name, folder) if source(name).downloads else None
    found = load_dataset(name, folder)
    return Findings(
        name,
        found.identity,
        place,
        train=len(found.train),
        validation=len(found.validation),
        test=len(found.test),
        unlabelled=0 if found.unlabelled is None else len(found.unlabelled),
    )


def _folder(name: str, folder: Path | None) -> Path | None:
    try:
        return find(name, folder) if source(name).downloads else None
    except DataError:
        return None
