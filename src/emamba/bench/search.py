"""Whether a search pays: its fronts beside those of chance at equal cost, and beside the network of the paper.

Each method searches the same space with the same objectives, rungs and number of trials. Each search is one process, so
that a seed gives the same trials again; several run at once. A method whose trials climb higher trains longer with as
many of them, so fronts are also compared when both have trained for as many epochs. Only validation frames are seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

from emamba import flow
from emamba.config import load_config, seeded
from emamba.data import Task, dataset_of, evenly
from emamba.errors import ConfigError
from emamba.flow import SILENT, Listener
from emamba.graph import load
from emamba.report.scores import MEASURES
from emamba.search import SAMPLERS, Found, Means, Sampler, Space, Trial, at_once, hypervolume, pareto, search
from emamba.search.evaluation import loss, score
from emamba.search.found import recipe_name
from emamba.search.measures import costs

COST = "multiplier_cycles"
CHANCE: Sampler = "random"
SHARE = 0.5  # of the paper's cost: what a point may have at most that dominates it


@dataclass(frozen=True)
class Target:
    """The paper's preset for a space; hypervolumes are measured from its cost and this loss."""

    recipe: str
    loss: float


TARGETS = {  # 90 %, 10 cm
    "digits": Target("digits_paper", 0.1),
    "mars": Target("mars_paper", 0.1),
    "mars_fast": Target("mars_paper", 0.1),
}


@dataclass(frozen=True)
class Outcome:
    """A search, and the cheapest point of its front that is as accurate as the paper's preset (None: there is none).

    `epochs` are those that its trials were trained for. `hypervolume` is the share of the area up to the reference that
    the front rules, `early` that of the trials that ended before any method of the seed had used up its epochs. `ratio`
    is the cost of the point over that of the preset.
    """

    seed: int
    sampler: Sampler
    trials: int
    whole: int
    epochs: int
    hypervolume: float
    early: float
    recipe: str | None
    validation: float | None
    ratio: float | None

    @property
    def dominates(self) -> bool:
        """Whether the point costs so little that it counts."""
        return self.ratio is not None and self.ratio <= SHARE


@dataclass(frozen=True)
class Proof:
    """The outcomes of a space, and what they are compared with: the preset's scores, one a seed, and its cost."""

    space: str
    task: Task
    target: Target
    paper: tuple[float, ...]
    cost: float
    outcomes: tuple[Outcome, ...]


def prove(
    space: Space,
    folder: Path,
    trials: int,
    seeds: int = 3,
    samplers: Sequence[Sampler] = ("tpe",),
    workers: int = 0,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> Proof:
    """Searches `space` by each of `samplers` and by chance, and trains the paper's preset, once a seed.

    `workers` of these run at once (0: one a core). All of it lies in run folders below `folder`; what is there is not
    done again. The preset is as good as its best seed. ConfigError if the space has none.
    """
    target = TARGETS.get(space.name)
    if target is None:
        raise ConfigError(f"there is no preset of the paper for {space.name}", f"there is for: {', '.join(TARGETS)}")
    folder, data_dir = folder.absolute(), data_dir and data_dir.absolute()  # processes begin elsewhere
    methods = list(dict.fromkeys((*samplers, CHANCE)))
    flow.teacher(folder, space.recipe, listener.progress, data_dir)  # once, for all searches
    asked: list[Any] = [(_preset, target, seed) for seed in range(seeds)]
    asked += [(_searched, trials, seed, sampler) for seed in range(seeds) for sampler in methods]
    calls = [(it, space, folder, data_dir, *more) for it, *more in asked]
    done = at_once(
        calls, workers, lambda ended: listener.progress(ended, len(calls), "trainings of the preset, searches")
    )
    presets: list[tuple[float, float]] = done[:seeds]
    searches: list[Found] = done[seeds:]
    best, cost = min(loss for loss, _ in presets), presets[0][1]
    task, outcomes = searches[0].task, []
    for seed in range(seeds):
        found = dict(zip(methods, searches[seed * len(methods) :], strict=False))
        outcomes += compared(found, seed, best, (target.loss, cost))
    paper = tuple(score(task, loss) for loss, _ in presets)
    return Proof(space.name, task, target, paper, cost, tuple(outcomes))


def compared(
    found: Mapping[Sampler, Found], seed: int, paper: float, reference: tuple[float, float]
) -> Iterator[Outcome]:
    """What each method found with `seed`; the paper's preset has the loss `paper` and the cost of `reference`."""
    budget = min(sum(_epochs(it)) for it in found.values())
    for sampler, it in found.items():
        yield _outcome(it, sampler, seed, paper, reference, budget)


def _outcome(
    found: Found, sampler: Sampler, seed: int, paper: float, reference: tuple[float, float], budget: int
) -> Outcome:
    epochs = _epochs(found)
    early = [trial for trial, used in zip(found.trials, accumulate(epochs), strict=True) if used <= budget]
    point = next((trial for trial in found.front if trial.losses[-1] <= paper), None)  # the front is cheapest first
    return Outcome(
        seed,
        sampler,
        trials=len(found.trials),
        whole=sum(trial.whole for trial in found.trials),
        epochs=sum(epochs),
        hypervolume=_ruled(found.front, reference),
        early=_ruled(pareto(early, (COST,)), reference),
        recipe=point and recipe_name(found, point),
        validation=point and score(found.task, point.losses[-1]),
        ratio=point and point.costs[COST] / reference[1],
    )


def table(found: Proof) -> list[tuple[str, ...]]:
    """A row for each search."""
    measure = MEASURES[found.task]
    head = ("seed", "method", "trials", "whole", "epochs", "hypervolume", "at equal epochs")
    point = ("cheapest as good", measure.name, "cost")
    return [(*head, *point), *(_row(it, found.task) for it in found.outcomes)]


def summary(found: Proof) -> list[str]:
    """What the numbers mean, and how often each method is ahead of chance and dominates the paper's preset."""
    written, target = MEASURES[found.task].written, found.target
    scores = ", ".join(map(written, found.paper))
    corner = written(score(found.task, target.loss))
    return [
        f"{target.recipe}: {scores} (validation, integers, one a seed; the best counts), "
        f"{found.cost:,.0f} multipliers x cycles",
        f"hypervolume: share of the area between {corner} at {found.cost:,.0f}, and no loss at no cost",
        f"cost: multipliers x cycles over those of {target.recipe}; a point dominates it at {SHARE:g} or less",
        *(_line(found, sampler) for sampler in SAMPLERS if any(it.sampler == sampler for it in found.outcomes)),
    ]


def to_json(found: Proof) -> dict[str, Any]:
    """The table for machines."""
    rows = [{**asdict(it), "dominates": it.dominates} for it in found.outcomes]
    return {**asdict(found), "outcomes": rows}


def _searched(space: Space, folder: Path, data_dir: Path | None, trials: int, seed: int, sampler: Sampler) -> Found:
    """A search that has the teacher of all."""
    run = folder / f"{sampler}_{seed}"
    if (folder / "teacher").is_dir():
        shutil.copytree(folder / "teacher", run / "teacher", dirs_exist_ok=True)
    return search(space, run, (COST,), (), Means(inf, trials, workers=1, sampler=sampler, seed=seed), SILENT, data_dir)


def _preset(space: Space, folder: Path, data_dir: Path | None, target: Target, seed: int) -> tuple[float, float]:
    """Loss and cost of the integers of the paper's preset, trained without the frames it is measured on."""
    from emamba.quantization import evaluate

    recipe = seeded(load_config(target.recipe), seed)
    config = recipe.model_copy(update={"training": recipe.training.model_copy(update={"validation": "measures"})})
    run = folder / f"paper_{seed}"
    flow.train(config, run, data_dir=data_dir)
    flow.quantize(run, data_dir=data_dir)
    graph, dataset = load(run / "graph.json"), dataset_of(config, data_dir)
    measured = evaluate(graph, evenly(dataset.validation, space.content.frames), dataset.task, config.data)
    return loss(dataset.task, measured), costs(graph, config)[COST]


def _epochs(found: Found) -> list[int]:
    """For how many epochs each trial was trained, over all its rungs."""
    return [sum(found.plan.space.content.epochs[: len(trial.losses)]) for trial in found.trials]


def _ruled(front: Sequence[Trial], reference: tuple[float, float]) -> float:
    points = [(trial.losses[-1], trial.costs[COST]) for trial in front]
    return hypervolume(points, reference) / (reference[0] * reference[1])


def _row(it: Outcome, task: Task) -> tuple[str, ...]:
    point = ("none", "-", "-")
    if it.recipe is not None and it.validation is not None and it.ratio is not None:
        point = (it.recipe, MEASURES[task].written(it.validation), f"{it.ratio:.2f}")
    counts = (str(it.trials), str(it.whole), f"{it.epochs:,}")
    return str(it.seed), it.sampler, *counts, f"{it.hypervolume:.3f}", f"{it.early:.3f}", *point


def _line(found: Proof, sampler: Sampler) -> str:
    """The means of a method, how often it is ahead, and how often it dominates."""
    mine = [it for it in found.outcomes if it.sampler == sampler]
    chance = {it.seed: it for it in found.outcomes if it.sampler == CHANCE}
    ahead = sum(it.hypervolume > chance[it.seed].hypervolume for it in mine)
    early = sum(it.early > chance[it.seed].early for it in mine)
    means = f"{mean(it.hypervolume for it in mine):.3f}, {mean(it.early for it in mine):.3f} at equal epochs"
    versus = "" if sampler == CHANCE else f", ahead of chance with {ahead} and {early} of {len(mine)} seeds"
    dominant = f"{sum(it.dominates for it in mine)} of {len(mine)} fronts dominate {found.target.recipe}"
    return f"{sampler}: mean hypervolume {means}{versus}; {dominant}"
