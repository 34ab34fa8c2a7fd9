"""Where data sets lie: each in a subfolder of its name, in one of a few places."""

from __future__ import annotations

import os
from pathlib import Path

from emamba.errors import DataError

NEARBY = Path("..") / "shared" / "data"


def places(folder: Path | None = None) -> tuple[Path, ...]:
    """Folders that may hold data sets: `folder`, else EMAMBA_DATA, else `../shared/data` and the user's cache."""
    chosen = folder or os.environ.get("EMAMBA_DATA")
    return (Path(chosen).expanduser(),) if chosen else (NEARBY, cache() / "data")


def find(name: str, folder: Path | None = None) -> Path:
    """The folder of one data set; DataError that says where it was looked for."""
    for place in places(folder):
        if (place / name).is_dir():
            return place / name
    looked = " nor ".join(str((place / name).absolute()) for place in places(folder))
    raise DataError(f"{name} is not there: no folder {looked}", hint(name))


def destination(name: str, folder: Path | None = None) -> Path:
    """Where a fetched data set goes: below `folder`, else EMAMBA_DATA, else the user's cache."""
    return places(folder)[-1] / name


def cache() -> Path:
    """The user's cache of this package: below XDG_CACHE_HOME, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emamba"


def hint(name: str) -> str:
    """What to do about a data set that is missing or damaged."""
    return f"run: emamba data fetch {name}; or name the folder above it with --data-dir or EMAMBA_DATA"
