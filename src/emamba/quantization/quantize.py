"""The whole stage: calibration, lowering, fine-tuning, and the scores on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emamba.config import Config
from emamba.curve import CurveError, Function, IntegerCurve, IntegerTable, exp, silu
from emamba.data import Dataset, Images, Split, patches
from emamba.fixed import Integers, dequantize
from emamba.fixed import quantize as rounded
from emamba.graph import Activation, Graph, Scan, predict
from emamba.model import Mamba, Network, exact_twin
from emamba.quantization.calibration import Scales, calibrate
from emamba.quantization.finetuning import finetune
from emamba.quantization.lowering import lower
from emamba.quantization.streams import lowerable
from emamba.training import Epoch, Progress, silent
from emamba.training import accuracy as real_accuracy


@dataclass(frozen=True)
class Scores:
    """Accuracy on the test split, 0..1, in the order in which a model becomes integers."""

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
    """The final graph, and how it came about."""

    graph: Graph
    scores: Scores
    curves: tuple[CurveReport, ...]
    history: tuple[Epoch, ...]


def quantize(model: Network, config: Config, dataset: Dataset, progress: Progress = silent) -> Quantization:
    """`model` in integers: calibrated on training images, lowered, fine-tuned, lowered again.

    The test images are for the scores alone. ConfigError if the model has no integer form.
    """
    lowerable(model.config)
    assert isinstance(model, Mamba), "lowerable() lets no other network through"
    chosen = np.random.default_rng(config.training.seed).permutation(len(dataset.train.targets))
    frames = dataset.train.images[chosen[: config.quantization.calibration_frames]]
    scales = calibrate(model, patches(frames, config.data.patch), config.quantization)
    before = lower(config.name, model, scales, config.quantization)
    tuned, history = finetune(model, scales, config, dataset, progress)
    after = lower(config.name, tuned, scales, config.quantization)
    scores = Scores(
        float=real_accuracy(exact_twin(model), dataset.test, config.data.patch),
        approximated=real_accuracy(model, dataset.test, config.data.patch),
        post_training=accuracy(before, dataset.test, config.data.patch),
        integer=accuracy(after, dataset.test, config.data.patch),
    )
    return Quantization(after, scores, curve_reports(after, scales), history)


def accuracy(graph: Graph, split: Split, patch: int) -> float:
    """Share of the images of `split`, 0..1, whose largest logit is that of their label; ties go to the first."""
    found = predict(graph, integer_frames(graph, split.images, patch))[:, 0].argmax(1)
    return float(np.mean(found == split.targets))


def integer_frames(graph: Graph, images: Images, patch: int) -> Integers:
    """`images` as what enters `graph`: [n, tokens, features]."""
    return rounded(patches(images, patch), graph.input.fraction_bits, graph.input.dtype)


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
