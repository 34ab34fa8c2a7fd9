"""What widths, curves and scales cost: one setting at a time, post-training, the trained model as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emamba.config import Config, CurveConfig
from emamba.data import Dataset, Split, Task, dataset_of, evenly
from emamba.errors import ConfigError
from emamba.flow import recipe
from emamba.model import Mamba, exact_twin, twin
from emamba.quantization import calibrated, lower, lowerable, outputs
from emamba.report.scores import MEASURES
from emamba.training import load_checkpoint, score
from emamba.training import outputs as outputs_in_float

Progress = Callable[[int, int, str], None]

FRAMES = 2000  # of the validation split, at most
STATE_BITS = (8, 10, 12, 14, 16, 17, 18, 20)
GUARD_BITS = 7  # that a state is computed wider than it is stored
SEGMENTS = (3, 5, 9, 17, 33)
ACTIVATION_BITS = (6, 7, 8, 9, 10)
WEIGHT_BITS = (4, 5, 6, 7, 8)


@dataclass(frozen=True)
class Point:
    """A setting, all else as in the recipe, and the score of its integer graph.

    `noise` tells settings apart that a score cannot: the mean squared distance of the outputs from those of
    the model in float with exact curves (learned ones stay), as a share of those outputs' variance over the frames.
    """

    setting: str
    score: float
    noise: float


@dataclass(frozen=True)
class Sweep:
    """The tables of a run by title: scores on `frames` of the `split_frames` validation frames.

    `float` is the score of the model with exact curves on the same frames, `recipe` what the setting of the
    recipe gives.
    """

    name: str
    data: str
    task: Task
    frames: int
    split_frames: int
    float: float
    recipe: Point
    tables: Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Setting:
    """What is different from the recipe: curves, and values of its section quantization."""

    name: str
    silu: CurveConfig | None = None
    exp: CurveConfig | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def settings() -> dict[str, tuple[Setting, ...]]:
    """Every table's settings, by its title."""
    return {
        "state, bits stored (computed 7 wider)": tuple(
            Setting(f"{bits}", changes={"state_bits": bits, "compute_bits": bits + GUARD_BITS}) for bits in STATE_BITS
        ),
        "SiLU": tuple(Setting(name, silu=curve) for name, curve in curves().items()),
        "exp": tuple(Setting(name, exp=curve) for name, curve in curves().items()),
        "SiLU and exp": tuple(Setting(name, curve, curve) for name, curve in curves().items()),
        "activations, bits": _widths("activation_bits", ACTIVATION_BITS),
        "weights, bits": _widths("weight_bits", WEIGHT_BITS),
        "scales of weights": tuple(
            Setting(f"one for each {choice}", changes={"weight_scales": choice}) for choice in ("tensor", "channel")
        ),
    }


def curves() -> dict[str, CurveConfig]:
    """The forms that are compared: segments between the paper's even knots, optimal knots, and the table."""
    found = {
        f"{count} segments, {knots} knots": CurveConfig(form="segments", segments=count, knots=knots)
        for knots in ("paper", "optimal")
        for count in SEGMENTS
    }
    return {**found, "table": CurveConfig(form="exact")}


def sweep(run: Path, progress: Progress, data_dir: Path | None = None) -> Sweep:
    """The scores of every setting for the trained model in the run folder `run`; nothing is trained.

    ConfigError if the model has no integer form, or if its validation images trained it; ArtifactError if
    there is no trained model of the folder's recipe.
    """
    config = recipe(run)
    lowerable(config.model)
    if config.training.validation == "trains":
        fact = f"the validation images trained the model in {run}: only test scores exist, and they choose nothing"
        raise ConfigError(fact, 'train a copy of the recipe with training.validation = "measures"')
    model = load_checkpoint(run / "model.safetensors", config)
    assert isinstance(model, Mamba), "lowerable() lets no other network through"
    dataset = dataset_of(config, data_dir)
    split = evenly(dataset.validation, FRAMES)
    real = outputs_in_float(exact_twin(model), split.images, config.data)
    subject = _Subject(model, config, dataset, split, real)
    about = config.name, dataset.identity, dataset.task, len(split), len(dataset.validation)
    known = score(dataset.task, real, split.targets), subject.point(Setting("as the recipe says"))
    return Sweep(*about, *known, _measured(subject, progress))


def table(found: Sweep) -> list[tuple[str, ...]]:
    """Setting, score, difference to the recipe's setting, noise; the table's title above its settings."""
    measure = MEASURES[found.task]

    def row(setting: str, score: float, noise: float) -> tuple[str, ...]:
        return setting, measure.written(score), measure.difference(score, found.recipe.score), f"{100 * noise:.3f} %"

    rows = [
        ("setting", measure.name, "to recipe", "noise"),
        row("float, exact curves", found.float, 0.0),
        row(f"integers, {found.recipe.setting}", found.recipe.score, found.recipe.noise),
    ]
    for title, points in found.tables.items():
        rows += [("",) * 4, (title, "", "", "")]
        rows += [row(f"  {it.setting}", it.score, it.noise) for it in points]
    return rows


def summary(found: Sweep) -> list[str]:
    """Which frames of which data were measured, in words."""
    part = "all" if found.frames == found.split_frames else f"{found.frames:,}, evenly spread, of the"
    measured = f"{found.name}, post-training integers, {part} {found.split_frames:,} validation frames"
    noise = "noise: mean squared distance from the float outputs, as a share of their variance"
    return [measured, noise, f"data: {found.data}"]


@dataclass(frozen=True, eq=False)
class _Subject:
    """The model that is swept, the frames that measure it, and its outputs for them in float."""

    model: Mamba
    config: Config
    dataset: Dataset
    split: Split
    real: NDArray[np.floating]

    def point(self, setting: Setting) -> Point:
        model = twin(self.model, setting.silu, setting.exp)
        chosen = self.config.quantization.model_copy(update=dict(setting.changes))
        config = self.config.model_copy(update={"quantization": chosen})
        graph = lower(config.name, model, calibrated(model, config, self.dataset), chosen)
        found = outputs(graph, self.split.images, config.data)
        noise = np.square(found - self.real).mean() / self.real.var(axis=0).mean()
        return Point(setting.name, score(self.dataset.task, found, self.split.targets), float(noise))


def _measured(subject: _Subject, progress: Progress) -> dict[str, tuple[Point, ...]]:
    wanted = settings()
    done, total = 0, sum(map(len, wanted.values()))
    found: dict[str, list[Point]] = {title: [] for title in wanted}
    for title, group in wanted.items():
        for setting in group:
            progress(done, total, f"sweep: {title}")
            found[title].append(subject.point(setting))
            done += 1
    return {title: tuple(points) for title, points in found.items()}


def _widths(key: str, widths: tuple[int, ...]) -> tuple[Setting, ...]:
    return tuple(Setting(f"{bits}", changes={key: bits}) for bits in widths)
