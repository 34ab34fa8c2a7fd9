"""The space that a search draws from: a recipe, and what may be different in it.

A space is one TOML file:

    recipe = "digits"           # what no dimension names stays as it is there
    epochs = [5, 15, 40]        # of the rungs that a trial climbs; the last is a whole training
    frames = 1000               # validation frames that a trial is measured on, at most

    [set]                       # what is otherwise than in the recipe everywhere; may be left out
    "hardware.clock_mhz" = 50.0

    [[dimension]]
    key = "model.d_model"
    choices = [8, 12, 16, 20]
    reason = "products of a linear map grow with its square"

A choice is a value of `key`, or a table of several keys, in quotes, that belong together; `key` then is a name only.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from emamba import files
from emamba.config import Config, Count, MambaConfig, Section, load_config, parsed, validated
from emamba.errors import ConfigError

Choice = int | float | str | bool | list[Any] | dict[str, Any]
Place = Mapping[str, int]  # which choice of each dimension, by its key
_OURS = {"training.epochs", "training.validation"}
_TRIES = 50  # random places, among which a choice has to be legal once


class Dimension(Section):
    """One thing to choose: the key of a recipe it sets, its values in order, and why these."""

    key: Annotated[str, Field(min_length=1)]
    choices: Annotated[tuple[Choice, ...], Field(strict=False, min_length=2)]
    reason: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _choices_differ(self) -> Self:
        written = [json.dumps(choice, sort_keys=True) for choice in self.choices]
        if len(set(written)) < len(written):
            raise ValueError(f"{self.key} has a choice twice")
        return self

    def settings(self, choice: Choice) -> dict[str, Any]:
        """The keys of a recipe that `choice` sets, and their values."""
        return choice if isinstance(choice, dict) else {self.key: choice}

    @property
    def ordered(self) -> bool:
        """Whether neighbouring choices are alike: they are numbers."""
        return all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in self.choices)


class SpaceConfig(Section):
    """The content of a space's file; the module's docstring shows one."""

    recipe: str
    epochs: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    frames: Count = 1000
    set: dict[str, Any] = Field(default_factory=dict)
    dimension: Annotated[tuple[Dimension, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError(f"epochs {list(self.epochs)} have to grow from rung to rung")
        keys = [dimension.key for dimension in self.dimension]
        if len(set(keys)) < len(keys):
            raise ValueError("a key has two dimensions")
        chosen = {key for it in self.dimension for choice in it.choices for key in it.settings(choice)}
        for key in self.set:
            if key in chosen:
                raise ValueError(f"{key} is set, and a dimension chooses it")
        for key in chosen.union(self.set) & _OURS:
            raise ValueError(f"{key} is not for a space to choose: rungs have epochs, and validation frames measure")
        return self


@dataclass(frozen=True)
class Space:
    """A checked space: its name, its content, and the recipe it starts from, which keeps validation for measuring."""

    name: str
    content: SpaceConfig
    recipe: Config

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What may be chosen."""
        return self.content.dimension

    @property
    def hash(self) -> str:
        """Over all that decides what a place in the space means and how it is measured."""
        return files.digest(self.content.model_dump_json(), self.recipe.model_dump_json())

    def config(self, place: Place, epochs: int | None = None) -> Config:
        """The recipe at `place`, trained for `epochs` (the last rung's); ConfigError if there is no such network."""
        training = self.recipe.training.model_copy(update={"epochs": epochs or self.content.epochs[-1]})
        return _changed(self.recipe.model_copy(update={"training": training}), self.chosen(place), self.name)

    def chosen(self, place: Place) -> dict[str, Any]:
        """Every key that is set at `place`, which may name some dimensions only, and its value."""
        found: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.key in place:
                found |= dimension.settings(dimension.choices[place[dimension.key]])
        return found

    def home(self) -> Place:
        """The place of the recipe itself, without the dimensions that do not have what it says."""
        last, found = self.config({}), {}
        for it in self.dimensions:
            for number in range(len(it.choices)):
                if self._is(last, {it.key: number}):
                    found[it.key] = number
        return found

    def _is(self, config: Config, place: Place) -> bool:
        """Whether `place` says what `config` says."""
        try:
            return self.config(place) == config
        except ConfigError:  # no choice for this recipe alone
            return False


def load_space(space: Path | str) -> Space:
    """The space in a TOML file, or the one of that name that comes with the package.

    ConfigError if it is none, or if one of its choices never makes a legal recipe.
    """
    name, text = _text(space)
    content = parsed(SpaceConfig, text, name)
    recipe = _changed(load_config(content.recipe), content.set, name)
    if not isinstance(recipe.model, MambaConfig):
        raise ConfigError(f"{name}: {recipe.name} is a {recipe.model.kind}", "search a recipe with a mamba network")
    training = recipe.training.model_copy(update={"validation": "measures"})  # or nothing is left to choose by
    found = Space(name, content, recipe.model_copy(update={"training": training}))
    _check_choices(found)
    return found


def spaces() -> list[str]:
    """Names of the spaces that come with the package."""
    folder = resources.files("emamba") / "spaces"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def _text(space: Path | str) -> tuple[str, str]:
    path = Path(space)
    known = f"give a TOML file, or one of: {', '.join(spaces())}"
    if not path.suffix and not path.is_file():
        if str(space) not in spaces():
            raise ConfigError(f"there is no search space {str(space)!r}", known)
        return str(space), (resources.files("emamba") / "spaces" / f"{space}.toml").read_text()
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read search space {path}: {error}", known) from error


def _check_choices(space: Space) -> None:
    """ConfigError with the last reason for a choice that no random place makes a legal recipe with."""
    draw = random.Random(0)
    for dimension in space.dimensions:
        for number in range(len(dimension.choices)):
            places = (
                {**{it.key: draw.randrange(len(it.choices)) for it in space.dimensions}, dimension.key: number}
                for _ in range(_TRIES)
            )
            error = _refused(space, places)
            if error:
                fact = f"{space.name}: {dimension.key}: no recipe with choice {number + 1} is legal: {error.message}"
                raise ConfigError(fact, error.hint)


def _refused(space: Space, places: Iterable[Place]) -> ConfigError | None:
    """Why the last of `places` is no recipe, or None if one of them is."""
    error = None
    for place in places:
        try:
            space.config(place)
        except ConfigError as refused:
            error = refused
        else:
            return None
    return error


def _changed(recipe: Config, chosen: Mapping[str, Any], origin: str) -> Config:
    """`recipe` with the value of each key in `chosen`; ConfigError if it is none then."""
    values = recipe.model_dump()
    for key, value in chosen.items():
        _set(values, key, value)
    written = ", ".join(f"{key} = {json.dumps(value, default=str)}" for key, value in chosen.items())
    return validated(Config, values, f"{origin}: {written}")


def _set(values: dict[str, Any], key: str, value: object) -> None:
    """Puts `value` at the dotted `key`; ConfigError if the recipe has no such key."""
    section, parts = values, key.split(".")
    if isinstance(values.get(key), dict):
        raise ConfigError(f"{key} is a whole section of a recipe", 'name one key, in quotes: "model.d_model"')
    for part in parts[:-1]:
        section = section.get(part)
        if not isinstance(section, dict):
            break
    if not isinstance(section, dict) or parts[-1] not in section:
        raise ConfigError(f"a recipe has no key {key!r}", "name keys as in a recipe: model.d_model")
    section[parts[-1]] = value
