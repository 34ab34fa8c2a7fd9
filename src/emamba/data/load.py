"""A data set by its name."""

from __future__ import annotations

from pathlib import Path

from emamba.data.dataset import Dataset
from emamba.errors import ConfigError


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set of that name; ConfigError if there is none."""
    match name:
        case "digits":
            from emamba.data.digits import digits

            return digits()
        case _:
            raise ConfigError(f"there is no data set {name!r}", "data.name can be: digits")
