"""A data set by its name, or as a recipe wants it."""

from __future__ import annotations

from pathlib import Path

from emamba.config import Config
from emamba.data.dataset import Dataset
from emamba.errors import ConfigError


def dataset_of(config: Config, folder: Path | None = None) -> Dataset:
    """The data set of a recipe; where its validation images train too, they are in `train`."""
    found = load_dataset(config.data.name, folder)
    return found.with_validation_in_train() if config.training.validation == "trains" else found


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set of that name; ConfigError if there is none."""
    match name:
        case "digits":
            from emamba.data.digits import digits

            return digits()
        case _:
            raise ConfigError(f"there is no data set {name!r}", "data.name can be: digits")
