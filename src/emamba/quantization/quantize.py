"""The whole stage: calibration, lowering, fine-tuning, and the scores on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emamba.config import Config, DataConfig
from emamba.curve import CurveError, Function, IntegerCurve, IntegerTable, exp, silu
from emamba.data import Dataset, Images, Split, Task, by_subject, frames
from emamba.fixed import Integers, dequantize
from emamba.fixed import quantize as rounded
from emamba.graph import Activation, Graph, Scan, predict
from emamba.model import Mamba, Network, exact_twin
from emamba.quantization.calibration import Scales, calibrate
from emamba.quantization.finetuning import finetune
from emamba.quantization.lowering import lower
from emamba.quantization.streams import lowerable
from emamba.training import Epoch, Progress, on_threads, scored, silent
from emamba.training import evaluate as evaluate_real


@dataclass(frozen=True)
class Scores:
    """`training.score` of a split, in the order in which a model becomes integers."""

    float: float
    approximated: float
    post_training: float
    integer: float


@dataclass(frozen=True)
class CurveReport:
    """One curve of a graph: its operation, its form, and its error in real numbers over its domain."""

    name: str
    form: str
    error: CurveError


@dataclass(frozen=True, eq=False)
class Quantization:
    """The final graph, and how it came about.

    `scores` are of the test split, `validation` of the validation split if there is one, `subjects` the
    integers' score of each subject in the test split.
    """

    graph: Graph
    scores: Scores
    validation: Scores | None
    subjects: dict[int, float]
    curves: tuple[CurveReport, ...]
    history: tuple[Epoch, ...]


def quantize(
    model: Network,
    config: Config,
    dataset: Dataset,
    progress: Progress = silent,
    memory: Path | None = None,
    scales: Scales | None = None,
) -> Quantization:
    """`model` in integers: calibrated on training images, lowered, fine-tuned, lowered again.

    With `scales` these are taken instead of calibrated ones.

    `memory` is where fine-tuning remembers how far it is, as in `training.train`. Validation and test
    images are for the scores alone. ConfigError if the model has no integer form.
    """
    lowerable(model.config)
    assert isinstance(model, Mamba), "lowerable() lets no other network through"
    scales = scales or calibrated(model, config, dataset)
    before = lower(config.name, model, scales, config.quantization)
    tuned, history = finetune(model, scales, config, dataset, progress, memory)
    after = lower(config.name, tuned, scales, config.quantization) if history else before
    exact = exact_twin(model)

    def scores(split: Split) -> Scores:
        where = split, dataset.task, config.data
        real, untuned = evaluate_real(exact, *where), evaluate(before, *where)
        approximated = real if exact is model else evaluate_real(model, *where)
        return Scores(real, approximated, untuned, untuned if after is before else evaluate(after, *where))

    return Quantization(
        graph=after,
        scores=scores(dataset.test),
        validation=scores(dataset.validation) if len(dataset.validation) else None,
        subjects={
            number: evaluate(after, part, dataset.task, config.data) for number, part in by_subject(dataset.test)
        },
        curves=curve_reports(after, scales),
        history=history,
    )


def calibrated(model: Mamba, config: Config, dataset: Dataset) -> Scales:
    """Scales for `model` from the `quantization.calibration_frames` training images that the seed draws."""
    chosen = np.random.default_rng(config.training.seed).permutation(len(dataset.train.targets))
    images = dataset.train.images[chosen[: config.quantization.calibration_frames]]
    with on_threads(config.training.threads):
        return calibrate(model, frames(images, config.data), config.quantization)


def evaluate(graph: Graph, split: Split, task: Task, choice: DataConfig) -> float:
    """The score of `graph` on `split`, as `training.score` counts it."""
    return scored(task, split, lambda images: outputs(graph, images, choice))


def outputs(graph: Graph, images: Images, choice: DataConfig) -> NDArray[np.float64]:
    """What `graph` gives for `images`, in real numbers: [n, outputs], or [n, tokens, outputs] if those are several."""
    found = predict(graph, integer_frames(graph, images, choice))
    return dequantize(found[:, 0] if found.shape[1] == 1 else found, graph.output.fraction_bits)


def integer_frames(graph: Graph, images: Images, choice: DataConfig) -> Integers:
    """`images` as what enters `graph`: [n, tokens, features]."""
    return rounded(frames(images, choice), graph.input.fraction_bits, graph.input.dtype)


def curve_reports(graph: Graph, scales: Scales) -> tuple[CurveReport, ...]:
    """Every curve of `graph` against its function, judged on every integer of its domain."""
    found = []
    for op in graph.operations:
        if isinstance(op, Activation):
            error = _error(op.curve, silu, graph[op.source].fraction_bits, op.fraction_bits)
            found.append(CurveReport(op.name, _form(op.curve), error))
        elif isinstance(op, Scan):
            error = _error(op.decay, lambda u: exp(-u), scales[f"{op.name}.argument"], op.decay_fraction)
            found.append(CurveReport(op.name, _form(op.decay), error))
    return tuple(found)


def _form(curve: IntegerCurve) -> str:
    return f"{curve.values.size}-entry table" if isinstance(curve, IntegerTable) else f"{curve.slopes.size} segments"


def _error(curve: IntegerCurve, function: Function, source_bits: int, target_bits: int) -> CurveError:
    """Against `function` limited to the values that `curve` can give."""
    x = np.arange(curve.domain.lo, curve.domain.hi + 1)
    real = dequantize(x, source_bits)
    wanted = np.clip(function(real), *dequantize(curve.limits, target_bits))
    distance = np.abs(dequantize(curve(x), target_bits) - wanted)
    return CurveError(float(real[0]), float(real[-1]), float(distance.max()), float(distance.mean()))
