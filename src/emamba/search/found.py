"""What a search found: trials, their front, a recipe for each point of it, and how to say so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emamba import files
from emamba.config import dump_config
from emamba.data import Task
from emamba.report.scores import MEASURES
from emamba.rtl.standard_cells import PRICES
from emamba.search.evaluation import score
from emamba.search.study import Plan, Trial

_SHOWN = ("multipliers", "lut", "memory_kbit", "cycles", "latency_cycles", "parameters")


@dataclass(frozen=True)
class Found:
    """What a search left: all trials that ended, those on the front, and the task its losses are of.

    `unpriced` says why places have no accelerator, and how many of them.
    """

    plan: Plan
    task: Task
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    unpriced: Mapping[str, int] = field(default_factory=dict)


def write(found: Found, folder: Path) -> Found:
    """Puts `found` into `folder`: all trials, the front with a picture, and a recipe for each point of it."""
    from emamba.report.front import search_picture

    chosen = found.plan.space.chosen
    lines = [json.dumps({**asdict(trial), "chosen": chosen(trial.place)}) for trial in found.trials]
    files.write(folder / "trials.jsonl", "".join(f"{line}\n" for line in lines))
    rows = [row(found, trial) for trial in found.front]
    files.write(folder / "front.json", json.dumps({**found.plan.identity(), "front": rows}, indent=1) + "\n")
    for old in (folder / "recipes").glob(f"{found.plan.space.recipe.name}_[0-9]*.toml"):
        old.unlink()
    for trial in found.front:
        files.write(folder / "recipes" / f"{recipe_name(found, trial)}.toml", recipe_text(found, trial))
    whole = [row(found, trial) for trial in found.trials if trial.whole and trial.feasible]
    if whole:
        files.write(folder / "front.svg", search_picture(whole, rows, found.plan.against, MEASURES[found.task]))
    return found


def row(found: Found, trial: Trial) -> dict[str, Any]:
    """A trial as front.json has it."""
    return {
        "recipe": recipe_name(found, trial),
        "trial": trial.number,
        "validation": score(found.task, trial.losses[-1]),
        "costs": dict(trial.costs),
        "chosen": found.plan.space.chosen(trial.place),
    }


def recipe_name(found: Found, trial: Trial) -> str:
    """The name of the recipe of `trial`."""
    return f"{found.plan.space.recipe.name}_{trial.number}"


def recipe_text(found: Found, trial: Trial) -> str:
    """The recipe that trains the network of `trial` again, to the same weights."""
    space = found.plan.space
    config = space.config(trial.place).model_copy(update={"name": recipe_name(found, trial)})
    measured = f"{score(found.task, trial.losses[-1]):.4f} on {space.content.frames} validation frames, as integers"
    return f"# Trial {trial.number} of the search space {space.name}: {measured}.\n{dump_config(config)}"


def table(found: Found) -> list[tuple[str, ...]]:
    """The points of the front in columns, cheapest first: recipe, validation score, costs."""
    measure = MEASURES[found.task]
    names = list(dict.fromkeys((*found.plan.against, *_SHOWN)))
    rows = [(row(found, trial), trial) for trial in found.front]
    head = ("recipe", f"{measure.name}, validation", *(name.replace("_", " ") for name in names))
    return [
        head,
        *(
            (it["recipe"], measure.written(it["validation"]), *(number(trial.costs[name]) for name in names))
            for it, trial in rows
        ),
    ]


def summary(found: Found, folder: Path) -> list[str]:
    """How many trials there were, what became of them, and where everything lies."""
    failed = Counter(trial.reason for trial in found.trials if trial.reason)
    ended = [trial for trial in found.trials if not trial.reason]
    refused = sum(not trial.feasible for trial in ended)
    whole = sum(trial.whole for trial in ended)
    stopped = len(ended) - whole - refused
    lines = [
        f"{len(found.trials)} trials: {whole} trained to the end, {stopped} stopped early, "
        f"{refused} outside the constraints",
        *(f"failed, {count} times: {reason}" for reason, count in failed.most_common()),
        *_without_design(found),
    ]
    if not found.front:
        return [*lines, *_nearest(found), f"no point yet; the same command goes on: {folder}"]
    used = {*found.plan.against, *(it.cost for it in found.plan.constraints)}
    lines += [f"{name}: {it}" for name, it in PRICES.items() if used & {f"{name}_mm2", f"{name}_nj"}]
    return [*lines, f"recipes: {folder / 'recipes'}; emamba flow RECIPE builds one"]


def _without_design(found: Found) -> list[str]:
    """How many places have no accelerator, and why most of them have none."""
    if not found.unpriced:
        return []
    reason, count = Counter(found.unpriced).most_common(1)[0]
    return [f"without a design, {sum(found.unpriced.values())} places; {count} times: {reason}"]


def _nearest(found: Found) -> list[str]:
    """The trial that misses the constraints least, if none keeps them."""
    if not found.trials or any(trial.feasible for trial in found.trials):
        return []
    limits = found.plan.constraints
    nearest = min(found.trials, key=lambda trial: max(it.excess(trial.costs) for it in limits))
    missed = [f"{it} ({number(nearest.costs[it.cost])})" for it in limits if it.excess(nearest.costs) > 0]
    return [f"no trial kept the constraints; the nearest missed {', '.join(missed)}"]


def number(value: float) -> str:
    """A cost in words."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
