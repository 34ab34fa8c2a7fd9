"""A data set by its name, or as a recipe wants it."""

from __future__ import annotations

from pathlib import Path

from emamba.config import Config
from emamba.data.dataset import Dataset
from emamba.data.folders import find
from emamba.errors import ConfigError

NAMES = ("digits", "fashion-mnist", "cifar-10", "mars", "wikitext-2")


def dataset_of(config: Config, folder: Path | None = None) -> Dataset:
    """The data set of a recipe; where its validation images train too, they are in `train`."""
    found = load_dataset(config.data.name, folder)
    return found.with_validation_in_train() if config.training.validation == "trains" else found


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set of that name.

    They lie in a subfolder of that name below `folder`, else below the folder that EMAMBA_DATA names, else
    below `../shared/data` or `~/.cache/emamba/data`. ConfigError if there is no such data set, DataError if
    it is not there, damaged, or of a wrong shape.
    """
    match name:  # libraries to read a format are imported when it is read
        case "digits":
            from emamba.data.digits import digits

            return digits()
        case "fashion-mnist":
            from emamba.data.fashion_mnist import fashion_mnist

            return fashion_mnist(find(name, folder))
        case "cifar-10":
            from emamba.data.cifar_10 import cifar_10

            return cifar_10(find(name, folder))
        case "mars":
            from emamba.data.mars import mars

            return mars(find(name, folder))
        case "wikitext-2":
            from emamba.data.wikitext_2 import wikitext_2

            return wikitext_2(find(name, folder))
        case _:
            raise ConfigError(f"there is no data set {name!r}", f"data.name can be: {', '.join(NAMES)}")
