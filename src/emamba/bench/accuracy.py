"""The accuracy of the zoo's integer graphs on the test splits, beside what was published.

Published: eMamba (Kim et al., ACM TECS 2025, arXiv 2508.10370); for MARS also the best other INT8 design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from emamba.data import load_dataset
from emamba.flow import zoo
from emamba.quantization import evaluate

Progress = Callable[[int, int, str], None]
Unit = Literal["%", "cm"]


@dataclass(frozen=True)
class Claim:
    """A model of the zoo, what was published for its task, and what it has to reach with how many parameters."""

    model: str
    task: str
    published: str
    bar: float
    unit: Unit
    parameters: int


@dataclass(frozen=True)
class Finding:
    """What a claim's integer graph reaches on the test split; `seeds` are the card's scores, `float` its float's.

    All scores in the unit of the claim.
    """

    claim: Claim
    parameters: int
    score: float
    float: float
    seeds: tuple[float, ...]

    @property
    def loss(self) -> float:
        """What the integers lose against float: points, or cm."""
        return self.score - self.float if self.claim.unit == "cm" else self.float - self.score

    @property
    def met(self) -> bool:
        """Whether the graph reaches the bar within the parameters allowed."""
        good = self.score <= self.claim.bar if self.claim.unit == "cm" else self.score >= self.claim.bar
        return good and self.parameters <= self.claim.parameters


@dataclass(frozen=True)
class Ratio:
    """A model of the zoo beside a ViT of the same data, code and teacher: scores, and times the parameters."""

    model: str
    baseline: str
    bar: float
    ratio: float
    score: float
    baseline_score: float
    unit: Unit

    @property
    def met(self) -> bool:
        """Whether the baseline has so many more parameters and is no better all the same."""
        better = self.baseline_score < self.score if self.unit == "cm" else self.baseline_score > self.score
        return self.ratio >= self.bar and not better


CLAIMS = (
    Claim("mars", "MARS, one frame", "7.85 cm FP32, 8.83 INT8; best other INT8 8.36", 7.7, "cm", 17_217),
    Claim("mars_paper", "MARS, preset paper", "7.85 cm FP32, 8.83 INT8", 8.83, "cm", 17_217),
    Claim("fashion", "Fashion-MNIST, 20 k", "90.2 %", 91.5, "%", 20_000),
    Claim("fashion_large", "Fashion-MNIST, 100 k", "-", 93.0, "%", 100_000),
    Claim("cifar", "CIFAR-10 (JPEG copy)", "-", 75.0, "%", 100_000),
    Claim("digits", "digits", "-", 98.5, "%", 15_000),
)
RATIOS = (("mars", "mars_vit", 1.63), ("fashion", "fashion_vit", 19.9))
_SCALE = 100  # shares to per cent, metres to centimetres


def accuracy(tasks: Sequence[str], folder: Path | None, progress: Progress) -> list[Finding]:
    """What the models named in `tasks` (none: all that the zoo has) reach on their test splits."""
    wanted = [claim for claim in CLAIMS if claim.model in (tasks or zoo.names())]
    found = []
    for done, claim in enumerate(wanted):
        progress(done, len(wanted), claim.task)
        found.append(_measured(claim, folder))
    return found


def ratios(findings: Sequence[Finding]) -> list[Ratio]:
    """The comparisons with ViTs that `findings` allow; a ViT's score is the mean over its seeds."""
    known = {finding.claim.model: finding for finding in findings}
    return [_ratio(known[model], baseline, bar) for model, baseline, bar in RATIOS if model in known]


def _measured(claim: Claim, folder: Path | None) -> Finding:
    card, graph = zoo.card(claim.model), zoo.graph(claim.model)
    config = zoo.config(claim.model)
    dataset = load_dataset(config.data.name, folder)
    seeds = card["seeds"]
    return Finding(
        claim=claim,
        parameters=card["parameters"],
        score=_SCALE * evaluate(graph, dataset.test, dataset.task, config.data),
        float=_SCALE * seeds[0]["scores"]["float"],
        seeds=tuple(_SCALE * seed["scores"]["integer"] for seed in seeds),
    )


def _ratio(finding: Finding, baseline: str, bar: float) -> Ratio:
    card = zoo.card(baseline)
    score = _SCALE * mean(seed["scores"]["float"] for seed in card["seeds"])
    ratio = card["parameters"] / finding.parameters
    return Ratio(finding.claim.model, baseline, bar, ratio, finding.score, score, finding.claim.unit)


def table(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Task, parameters, published, bar, test score of the integers, mean over seeds, integers against float."""
    head = ("task", "parameters", "published", "bar", "INT8 test", "seeds", "INT8 to float")
    return [head, *(_row(finding) for finding in findings)]


def ratio_table(found: Sequence[Ratio]) -> list[tuple[str, ...]]:
    """Model, baseline, their scores, and the ratio of parameters beside its bar."""
    head = ("model", "score", "baseline", "score", "parameters", "bar")
    return [head, *(_ratio_row(it) for it in found)]


def _ratio_row(it: Ratio) -> tuple[str, ...]:
    scores = _with(it.score, it.unit), _with(it.baseline_score, it.unit)
    return it.model, scores[0], it.baseline, scores[1], f"{it.ratio:.2f}x fewer", _required(it)


def _required(it: Ratio) -> str:
    return f">= {it.bar}x, no less accurate" + ("" if it.met else " (missed)")


def _row(it: Finding) -> tuple[str, ...]:
    unit, relation = it.claim.unit, "<=" if it.claim.unit == "cm" else ">="
    return (
        it.claim.task,
        f"{it.parameters:,}",
        it.claim.published,
        f"{relation} {it.claim.bar:g} {unit}",
        _with(it.score, unit) + ("" if it.met else " (missed)"),
        _spread(it.seeds, unit),
        f"{-it.loss if unit == '%' else it.loss:+.2f} {'points' if unit == '%' else unit}",
    )


def _spread(scores: Sequence[float], unit: Unit) -> str:
    """Mean and standard deviation over the seeds."""
    if len(scores) < 2:
        return "one seed"
    return f"{mean(scores):.2f} ± {stdev(scores):.2f} {unit} ({len(scores)})"


def _with(score: float, unit: Unit) -> str:
    return f"{score:.2f} {unit}"


def to_json(findings: Sequence[Finding], found: Sequence[Ratio]) -> dict[str, Any]:
    """Both tables for machines."""
    models = [
        {**vars(it), "claim": vars(it.claim), "seeds": list(it.seeds), "loss": it.loss, "met": it.met}
        for it in findings
    ]
    return {"models": models, "ratios": [{**vars(it), "met": it.met} for it in found]}
