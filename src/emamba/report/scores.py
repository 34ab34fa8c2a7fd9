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
    """What a score is called and written in; scores are stored as shares or metres, `unit` is a hundredth of that.

    `apart` is the unit of a difference; `loss` is the training loss that goes with it.
    """

    name: str
    unit: str
    apart: str
    meaning: str
    loss: str

    def written(self, score: float) -> str:
        """A score with its unit, two digits behind the point."""
        return f"{hundredths(score):.2f} {self.unit}"

    def difference(self, score: float, reference: float) -> str:
        """`score - reference` with its sign and unit."""
        return f"{signed(hundredths(score - reference))} {self.apart}"


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
}


def task(results: Results) -> Task:
    """What the model of a run does; before it is trained, what its data set is for."""
    if results.training:
        return results.training.task
    return "regression" if SOURCES[results.config.data.name].task == "regression" else "classification"


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


def hundredths(score: float) -> float:
    """A share in per cent, metres in centimetres."""
    return 100 * score


def signed(value: float) -> str:
    """With its sign, a true minus, and two digits behind the point; what rounds to nothing is +0.00."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")


def _joined(*parts: dict[str, float]) -> dict[str, float]:
    known = {name: score for part in parts for name, score in part.items()}
    return {name: known[name] for name in FORMS if name in known}
