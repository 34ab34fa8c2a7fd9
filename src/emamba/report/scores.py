"""Scores in words: what a task measures, how a value of it is written, and which values a run has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emamba.data import SOURCES, Task
from emamba.report.results import Results

FORMS = {
    "float": "float",
    "approximated": "approximated",
    "post_training": "post-training integers",
    "integer": "integers",
}


@dataclass(frozen=True)
class Measure:
    """What a score is called and written in; scores are stored as shares, metres or bits, `times` counts their units.

    `apart` is the unit of a difference; `loss` is the training loss that goes with it; `digits`
    stand behind the point.
    """

    name: str
    unit: str
    apart: str
    meaning: str
    loss: str
    times: int = 100
    digits: int = 2

    def value(self, score: float) -> float:
        """A score in `unit`: a share in per cent, metres in centimetres, bits as they are."""
        return self.times * score

    def written(self, score: float) -> str:
        """A score with its unit."""
        return f"{self.value(score):.{self.digits}f} {self.unit}"

    def difference(self, score: float, reference: float) -> str:
        """`score - reference` with its sign and unit."""
        return f"{signed(self.value(score - reference), self.digits)} {self.apart}"


MEASURES: dict[Task, Measure] = {
    "classification": Measure(
        name="Accuracy",
        unit="%",
        apart="points",
        meaning="share of the images whose class is found; higher is better",
        loss="cross-entropy, in nats",
    ),
    "regression": Measure(
        name="RMSE",
        unit="cm",
        apart="cm",
        meaning="root mean square error of each coordinate, averaged over the coordinates; lower is better",
        loss="squared error, as a share of the coordinates' variance",
    ),
    "language": Measure(
        name="Bits a byte",
        unit="bits a byte",
        apart="bits",
        meaning="mean of -log2 of the probability given to the next byte; lower is better",
        loss="cross-entropy, in nats",
        times=1,
        digits=3,
    ),
}


def task(results: Results) -> Task:
    """What the model of a run does; before it is trained, what its data set is for."""
    if results.training:
        return results.training.task
    return SOURCES[results.config.data.name].task


def measure(results: Results) -> Measure:
    """How the scores of a run are written."""
    return MEASURES[task(results)]


def scores(results: Results) -> dict[str, float]:
    """The score on the test split of each form that was measured, in the order of the road."""
    return _joined(*(stage.scores if stage else {} for stage in (results.training, results.quantization)))


def validation(results: Results) -> dict[str, float]:
    """The same on the validation split; empty where there is none."""
    return _joined(*(stage.validation if stage else {} for stage in (results.training, results.quantization)))


def subjects_without_labels(results: Results) -> set[str]:
    """Subjects of whom no labelled frame trained, as far as the identity of the data says so.

    Validation frames that train too may bring labels back, so nothing is claimed then.
    """
    if results.training is None or results.config.training.validation == "trains":
        return set()
    return set(re.findall(r"labels of subject (\d+) missing", results.training.data))


def signed(value: float, digits: int = 2) -> str:
    """With its sign, a true minus, and `digits` behind the point; what rounds to nothing is +0.00."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _joined(*parts: dict[str, float]) -> dict[str, float]:
    known = {name: score for part in parts for name, score in part.items()}
    return {name: known[name] for name in FORMS if name in known}
