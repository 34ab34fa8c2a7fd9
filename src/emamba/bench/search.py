"""Whether a search pays: its fronts beside those of chance at equal cost, and beside the network of the paper.

Chance draws places of the same space and trains each of them whole, until it has trained for as many epochs as the
longest search of its seed (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", 2012); a shorter one
is held against the first of these. Rungs, tensors that are inherited, and a place to begin are what a search has more.
Each search is one process, so that a seed gives the same trials again; several run at once. Only validation frames are
seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, inf
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
from emamba.search import Found, Means, Sampler, Space, Trial, at_once, hypervolume, pareto, search
from emamba.search.evaluation import loss, score
from emamba.search.found import recipe_name
from emamba.search.measures import costs

COST = "multiplier_cycles"
CHANCE = "chance"
SHARE = 0.5  # of the paper's cost: what a point may have at most that dominates it


@dataclass(frozen=True)
class Target:
    """The paper's preset for a space; hypervolumes are measured from its cost and this loss.

    `published` is the loss that the authors name for their own, on the test split, if they do.
    """

    recipe: str
    loss: float
    published: float | None = None


TARGETS = {
    "digits": Target("digits_paper", 0.1),
    "mars": Target("mars_paper", 0.1, published=0.0883),
    "mars_small": Target("mars_paper", 0.1, published=0.0883),
    "fashion_fast": Target("fashion_paper", 0.2, published=0.098),
}


@dataclass(frozen=True)
class Outcome:
    """A search, and the cheapest point of its front that is as accurate as the paper's preset (None: there is none).

    `epochs` are those that its trials were trained and fine-tuned for. `hypervolume` is the share of the area up to the
    reference that the front rules, `chance` that of chance with as many epochs. `ratio` is the cost of the point over
    that of the preset.
    """

    seed: int
    method: str
    trials: int
    whole: int
    epochs: int
    hypervolume: float
    chance: float
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
    done again. The preset is as good as its best seed, or as its authors say. ConfigError if the space has none.
    """
    target = TARGETS.get(space.name)
    if target is None:
        raise ConfigError(f"there is no preset of the paper for {space.name}", f"there is for: {', '.join(TARGETS)}")
    samplers = list(dict.fromkeys(samplers))
    folder, data_dir = folder.absolute(), data_dir and data_dir.absolute()  # processes begin elsewhere
    flow.teacher(folder, space.recipe, listener.progress, data_dir)  # once, for all searches

    def run(calls: Sequence[tuple[Any, ...]], what: str) -> list[Any]:
        asked = [(function, space, folder, data_dir, *given) for function, *given in calls]
        return at_once(asked, workers, lambda ended: listener.progress(ended, len(calls), what))

    asked: list[Any] = [(_preset, target, seed) for seed in range(seeds)]
    asked += [(_searched, sampler, trials, seed) for sampler in samplers for seed in range(seeds)]
    done = run(asked, "trainings of the preset, searches")
    presets: list[tuple[float, float]] = done[:seeds]
    found = [dict[str, Found](zip(samplers, done[seeds + seed :: seeds], strict=True)) for seed in range(seeds)]
    drawn = run([(_drawn, _fair(it.values()), seed) for seed, it in enumerate(found)], "chance")
    for it, chance in zip(found, drawn, strict=True):
        it[CHANCE] = chance
    return proof(space.name, target, presets, found)


def proof(
    space: str, target: Target, presets: Sequence[tuple[float, float]], found: Sequence[Mapping[str, Found]]
) -> Proof:
    """What each method found with each seed, beside the losses of the paper's preset and its cost."""
    task, cost = found[0][CHANCE].task, presets[0][1]
    authors = [] if target.published is None else [target.published]
    best = min([*authors, *(loss for loss, _ in presets)])
    outcomes = [
        outcome(it, method, seed, best, (target.loss, cost), _first(methods[CHANCE], _fair([it])))
        for seed, methods in enumerate(found)
        for method, it in methods.items()
    ]
    return Proof(space, task, target, tuple(score(task, loss) for loss, _ in presets), cost, tuple(outcomes))


def outcome(
    found: Found, method: str, seed: int, paper: float, reference: tuple[float, float], chance: Found
) -> Outcome:
    """What `method` found with `seed`, beside `chance`; the preset has the loss `paper` and the cost of `reference`."""
    point = next((trial for trial in found.front if trial.losses[-1] <= paper), None)  # the front is cheapest first
    return Outcome(
        seed,
        method,
        trials=len(found.trials),
        whole=sum(trial.whole for trial in found.trials),
        epochs=_epochs(found),
        hypervolume=_ruled(found.front, reference),
        chance=_ruled(chance.front, reference),
        recipe=point and recipe_name(found, point),
        validation=point and score(found.task, point.losses[-1]),
        ratio=point and point.costs[COST] / reference[1],
    )


def table(found: Proof) -> list[tuple[str, ...]]:
    """A row for each search."""
    measure = MEASURES[found.task]
    head = ("seed", "method", "trials", "whole", "epochs", "hypervolume", "chance")
    point = ("cheapest as good", measure.name, "cost")
    return [(*head, *point), *(_row(it, found.task) for it in found.outcomes)]


def summary(found: Proof) -> list[str]:
    """What the numbers mean, and how often each method is ahead of chance and dominates the paper's preset."""
    written, target = MEASURES[found.task].written, found.target
    scores = ", ".join(map(written, found.paper))
    corner = written(score(found.task, target.loss))
    authors = "" if target.published is None else f"; the authors say {written(score(found.task, target.published))}"
    return [
        f"{target.recipe}: {scores} (validation, integers, one a seed{authors}; the best counts), "
        f"{found.cost:,.0f} multipliers x cycles",
        f"hypervolume: share of the area between {corner} at {found.cost:,.0f}, and no loss at no cost",
        "chance: that of whole trainings of places drawn at random, with as many epochs",
        f"cost: multipliers x cycles over those of {target.recipe}; a point dominates it at {SHARE:g} or less",
        *(_line(found, method) for method in dict.fromkeys(it.method for it in found.outcomes)),
    ]


def to_json(found: Proof) -> dict[str, Any]:
    """The table for machines."""
    rows = [{**asdict(it), "dominates": it.dominates} for it in found.outcomes]
    return {**asdict(found), "outcomes": rows}


def _searched(space: Space, folder: Path, data_dir: Path | None, sampler: Sampler, trials: int, seed: int) -> Found:
    """A search that has the teacher of all."""
    return _with_teacher(
        space, folder, data_dir, f"{sampler}_{seed}", Means(inf, trials, 1, sampler=sampler, seed=seed)
    )


def _drawn(space: Space, folder: Path, data_dir: Path | None, trials: int, seed: int) -> Found:
    """Places drawn at random, each trained whole."""
    whole = space.content.model_copy(update={"epochs": space.content.epochs[-1:]})
    means = Means(inf, trials, 1, sampler="random", seed=seed)
    found = _with_teacher(replace(space, content=whole), folder, data_dir, f"{CHANCE}_{seed}", means)
    return _first(found, trials)  # an earlier call may have had more, beside longer searches


def _with_teacher(space: Space, folder: Path, data_dir: Path | None, name: str, means: Means) -> Found:
    if (folder / "teacher").is_dir():
        shutil.copytree(folder / "teacher", folder / name / "teacher", dirs_exist_ok=True)
    return search(space, folder / name, (COST,), (), means, SILENT, data_dir)


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


def _first(found: Found, trials: int) -> Found:
    """As if the search had ended after so many trials."""
    kept = found.trials[:trials]
    return replace(found, trials=kept, front=tuple(pareto(kept, (COST,))))


def _fair(found: Iterable[Found]) -> int:
    """How many whole trainings take as many epochs as the longest of these searches, or a little more."""
    searches = list(found)
    space = searches[0].plan.space
    once = space.content.epochs[-1] + space.recipe.quantization.finetune_epochs
    return max(1, ceil(max(map(_epochs, searches)) / once))


def _epochs(found: Found) -> int:
    """For how many epochs all trials were trained, over all their rungs, and fine-tuned."""
    space = found.plan.space
    trained = sum(sum(space.content.epochs[: len(trial.losses)]) for trial in found.trials)
    whole = (space.config(trial.place) for trial in found.trials if trial.whole)
    return trained + sum(config.quantization.finetune_epochs for config in whole)


def _ruled(front: Sequence[Trial], reference: tuple[float, float]) -> float:
    points = [(trial.losses[-1], trial.costs[COST]) for trial in front]
    return hypervolume(points, reference) / (reference[0] * reference[1])


def _row(it: Outcome, task: Task) -> tuple[str, ...]:
    point = ("none", "-", "-")
    if it.recipe is not None and it.validation is not None and it.ratio is not None:
        point = (it.recipe, MEASURES[task].written(it.validation), f"{it.ratio:.2f}")
    counts = (str(it.trials), str(it.whole), f"{it.epochs:,}")
    return str(it.seed), it.method, *counts, f"{it.hypervolume:.3f}", f"{it.chance:.3f}", *point


def _line(found: Proof, method: str) -> str:
    """The mean of a method, how often it is ahead, and how often it dominates."""
    mine = [it for it in found.outcomes if it.method == method]
    ahead = sum(it.hypervolume > it.chance for it in mine)
    chance = f"{mean(it.chance for it in mine):.3f} of chance with as many epochs"
    versus = "" if method == CHANCE else f", {chance}, ahead with {ahead} of {len(mine)} seeds"
    dominant = f"{sum(it.dominates for it in mine)} of {len(mine)} fronts dominate {found.target.recipe}"
    return f"{method}: mean hypervolume {mean(it.hypervolume for it in mine):.3f}{versus}; {dominant}"
