"""The accuracy of the zoo's integer graphs on the test splits, beside what was published.

Published: eMamba (Kim et al., ACM TECS 2025, arXiv 2508.10370); for MARS also the best other INT8 design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from emamba.data import Task, load_dataset
from emamba.flow import zoo
from emamba.quantization import evaluate
from emamba.report.scores import MEASURES

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Claim:
    """A model of the zoo, what was published for its task, and what it has to reach with how many parameters.

    `bar` is in per cent or centimetres; None where nothing says what to reach.
    """

    model: str
    title: str
    published: str
    bar: float | None
    parameters: int


@dataclass(frozen=True)
class Finding:
    """What a claim's integer graph reaches on the test split, beside its float and the integers of all seeds.

    Scores are shares, metres or bits, as `training.score` counts them.
    """

    claim: Claim
    task: Task
    parameters: int
    score: float
    float: float
    seeds: tuple[float, ...]

    @property
    def met(self) -> bool:
        """Whether the graph reaches the bar, if there is one, within the parameters allowed."""
        bar, reached = self.claim.bar, MEASURES[self.task].value(self.score)
        good = bar is None or not _better(self.task, bar, reached)
        return good and self.parameters <= self.claim.parameters


@dataclass(frozen=True)
class Ratio:
    """A model of the zoo beside a ViT of the same data, code and teacher: scores, and times the parameters."""

    model: str
    baseline: str
    task: Task
    bar: float
    ratio: float
    score: float
    baseline_score: float

    @property
    def met(self) -> bool:
        """Whether the baseline has so many more parameters and is no better all the same."""
        return self.ratio >= self.bar and not _better(self.task, self.baseline_score, self.score)


CLAIMS = (
    Claim("mars", "MARS, one frame", "7.85 cm FP32, 8.83 INT8; best other INT8 8.36", 7.7, 17_217),
    Claim("mars_small", "MARS, found by search", "7.85 cm FP32, 8.83 INT8; best other INT8 8.36", 7.7, 17_217),
    Claim("mars_fast", "MARS, short latency", "7.85 cm FP32, 8.83 INT8; best other INT8 8.36", 7.7, 17_217),
    Claim("mars_tiny", "MARS, least energy", "7.85 cm FP32, 8.83 INT8; best other INT8 8.36", 7.7, 17_217),
    Claim("mars_paper", "MARS, preset paper", "7.85 cm FP32, 8.83 INT8", 8.83, 17_217),
    Claim("fashion", "Fashion-MNIST, 20 k", "90.2 %", 91.5, 20_000),
    Claim("fashion_large", "Fashion-MNIST, 100 k", "-", 93.0, 100_000),
    Claim("cifar", "CIFAR-10 (JPEG copy)", "-", 75.0, 100_000),
    Claim("digits", "digits", "-", 98.5, 15_000),
    Claim("wikitext", "WikiText-2, next byte", "-", None, 100_000),
)
RATIOS = (("mars", "mars_vit", 1.63), ("fashion", "fashion_vit", 19.9), ("fashion_large", "fashion_vit", 19.9))


def accuracy(models: Sequence[str], folder: Path | None, progress: Progress) -> list[Finding]:
    """What `models` (none: all that the zoo has) reach on their test splits; ConfigError if one is not there."""
    known = [claim for claim in CLAIMS if claim.model in zoo.names()]
    for name in models:
        zoo.config(name)
    wanted = [claim for claim in known if not models or claim.model in models]
    found = []
    for done, claim in enumerate(wanted):
        progress(done, len(wanted), claim.title)
        found.append(_measured(claim, folder))
    return found


def ratios(findings: Sequence[Finding]) -> list[Ratio]:
    """The comparisons with ViTs that `findings` allow; a ViT's score is the mean over its seeds."""
    known = {finding.claim.model: finding for finding in findings}
    cards = zoo.cards()
    return [
        _ratio(known[model], baseline, cards[baseline], bar)
        for model, baseline, bar in RATIOS
        if model in known and baseline in cards
    ]


def unmeasured(models: Sequence[str]) -> list[str]:
    """The bars of `models` (none: all) that nothing was trained for yet, in words."""
    cards = zoo.cards()
    bars = {it.model: "no bar" if it.bar is None else f"bar {it.bar:g}" for it in CLAIMS}
    lacking = [
        (it.model, f"{it.title}, {bars[it.model]}: no model in the zoo") for it in CLAIMS if it.model not in cards
    ]
    lacking += [
        (model, f"{model} against {baseline}, bar {bar}x: {baseline} was not trained")
        for model, baseline, bar in RATIOS
        if baseline not in cards
    ]
    return [fact for model, fact in lacking if not models or model in models]


def table(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Task, parameters, published, bar, test score of the integers, mean over seeds, integers against float."""
    head = ("task", "parameters", "published", "bar", "INT8 test", "seeds", "INT8 to float")
    return [head, *map(_row, findings)]


def ratio_table(found: Sequence[Ratio]) -> list[tuple[str, ...]]:
    """Model, baseline, their scores, and the ratio of parameters beside its bar."""
    head = ("model", "score", "baseline", "score", "parameters", "bar")
    return [head, *map(_ratio_row, found)]


def to_json(findings: Sequence[Finding], found: Sequence[Ratio]) -> dict[str, Any]:
    """Both tables for machines."""
    return {
        "models": [{**asdict(it), "met": it.met} for it in findings],
        "ratios": [{**asdict(it), "met": it.met} for it in found],
    }


def _measured(claim: Claim, folder: Path | None) -> Finding:
    card, config = zoo.card(claim.model), zoo.config(claim.model)
    dataset, seeds = load_dataset(config.data.name, folder), card["seeds"]
    return Finding(
        claim=claim,
        task=dataset.task,
        parameters=card["parameters"],
        score=evaluate(zoo.graph(claim.model), dataset.test, dataset.task, config.data),
        float=seeds[0]["scores"]["float"],
        seeds=tuple(seed["scores"]["integer"] for seed in seeds),
    )


def _ratio(finding: Finding, baseline: str, card: dict[str, Any], bar: float) -> Ratio:
    score = mean(seed["scores"]["float"] for seed in card["seeds"])
    times = card["parameters"] / finding.parameters
    return Ratio(finding.claim.model, baseline, finding.task, bar, times, finding.score, score)


def _better(task: Task, score: float, other: float) -> bool:
    return score > other if task == "classification" else score < other


def _row(it: Finding) -> tuple[str, ...]:
    measure, relation = MEASURES[it.task], ">=" if it.task == "classification" else "<="
    return (
        it.claim.title,
        f"{it.parameters:,}",
        it.claim.published,
        "-" if it.claim.bar is None else f"{relation} {it.claim.bar:g} {measure.unit}",
        measure.written(it.score) + ("" if it.met else " (missed)"),
        _spread(it),
        measure.difference(it.score, it.float),
    )


def _spread(it: Finding) -> str:
    """Mean and standard deviation over the seeds."""
    if len(it.seeds) < 2:
        return "one seed"
    measure = MEASURES[it.task]
    spread = f"{measure.value(stdev(it.seeds)):.{measure.digits}f}"
    return f"{measure.written(mean(it.seeds))} ± {spread} ({len(it.seeds)} seeds)"


def _ratio_row(it: Ratio) -> tuple[str, ...]:
    scores = [MEASURES[it.task].written(score) for score in (it.score, it.baseline_score)]
    required = f">= {it.bar}x, no less accurate" + ("" if it.met else " (missed)")
    return it.model, scores[0], it.baseline, scores[1], f"{it.ratio:.2f}x fewer", required
