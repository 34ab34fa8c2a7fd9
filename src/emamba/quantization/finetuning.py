"""Fine-tuning with the integers in the loop: what is computed forward is what hardware computes.

Each operation takes its result from its golden function and its gradient from its real twin on the
same inputs, as if rounding were not there (straight-through); saturated elements pass no gradient.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emamba import graph
from emamba.config import Config, QuantizationConfig, TrainingConfig
from emamba.data import Dataset, Images
from emamba.fixed import Integers, dequantize, quantize
from emamba.graph import golden
from emamba.model import Mamba, exact_twin
from emamba.quantization import streams
from emamba.quantization.calibration import Scales, by_channel
from emamba.quantization.lowering import lowered
from emamba.training import Epoch, Fit, Places, Progress, fit, reproducible, seen, silent, training_key, weights_hash


def finetune(
    model: Mamba,
    scales: Scales,
    config: Config,
    dataset: Dataset,
    progress: Progress = silent,
    memory: Path | None = None,
) -> tuple[Mamba, tuple[Epoch, ...]]:
    """A copy of `model` trained on as integers for `quantization.finetune_epochs`, and its history.

    It learns to give the logits of `model` with exact curves rather than the labels: on those, a model
    that knows its training images by heart drifts from what was measured, and gains nothing. The scales
    stay as they are; images and batches are as in training. TrainingError if the loss diverges.
    """
    tuned, teacher, choice = deepcopy(model), exact_twin(model), config.quantization
    if not choice.finetune_epochs:
        return tuned, ()

    def distance(images: Images, _: Places) -> Tensor:
        tokens = seen(images, config.data, tuned)
        with torch.no_grad():
            wanted = teacher(tokens)
        return nn.functional.mse_loss(integer_logits(tuned, scales, choice, tokens), wanted)

    training = _schedule(config)
    key = training_key(config, dataset, choice.model_dump_json(), scales.text, weights_hash(model.state_dict()))
    how = Fit("fine-tune", progress, None, memory, key)
    with reproducible(training.seed, training.threads):
        return tuned, fit(tuned, distance, dataset.train, training, how)


def _schedule(config: Config) -> TrainingConfig:
    """Training as fine-tuning does it."""
    choice = config.quantization
    changes = {"epochs": choice.finetune_epochs, "learning_rate": choice.finetune_learning_rate}
    return config.training.model_copy(update=changes)


def integer_logits(model: Mamba, scales: Scales, config: QuantizationConfig, tokens: Tensor) -> Tensor:
    """Logits of the graph that `lower` makes of `model`, shaped as the model's own, with gradients."""
    operations = streams.unfold(model)
    integers = lowered(operations, scales, config)
    found = straight_through(operations, integers, scales, tokens)[operations[-1].name]
    return found if model.config.head == "token" else found[:, 0]


def straight_through(
    operations: tuple[streams.Operation, ...],
    integers: tuple[graph.Operation, ...],
    scales: Scales,
    tokens: Tensor,
) -> dict[str, Tensor]:
    """Every stream for `tokens`, by name: values of the `integers`, gradients of their real twins."""
    source = integers[0]
    exact = {source.name: quantize(tokens.numpy(), source.fraction_bits, source.dtype)}
    values = {source.name: _real(exact[source.name], source.fraction_bits)}
    for operation, integer in zip(operations[1:], integers[1:], strict=True):
        exact[integer.name] = golden.execute(integer, exact)
        smooth = streams.execute(_rounded(operation, integer, scales), values)
        lo, hi = dequantize([integer.dtype.lo, integer.dtype.hi], integer.fraction_bits)
        values[integer.name] = _replaced(smooth.clamp(lo, hi), exact[integer.name], integer.fraction_bits)
    return values


def _rounded(operation: streams.Operation, integer: graph.Operation, scales: Scales) -> streams.Operation:
    """`operation` with the weights of `integer`; their gradients go to the real ones, saturated or not."""
    match operation, integer:
        case (streams.Linear() | streams.Convolution(), graph.Linear() | graph.Convolution()):
            fraction_bits = by_channel(scales.weights[operation.name], operation.weight)
            weight = _replaced(operation.weight, integer.weight, fraction_bits)
            bias = _replaced(operation.bias, integer.bias, integer.shift + integer.fraction_bits)
            return replace(operation, weight=weight, bias=bias)
        case (streams.Lookup(), graph.Lookup()):
            return replace(operation, table=_replaced(operation.table, integer.table, integer.fraction_bits))
        case (streams.Scan(), graph.Scan()):
            rate = _replaced(operation.rate, integer.rate, scales[f"{operation.name}.rate"])
            skip = _replaced(operation.skip, integer.skip, scales[f"{operation.name}.skip"])
            return replace(operation, rate=rate, skip=skip)
        case _:
            return operation


def _replaced(smooth: Tensor, exact: Integers, fraction_bits: int | Integers) -> Tensor:
    """The value of `exact` with the gradient of `smooth`."""
    result = _Replaced.apply(smooth, _real(exact, fraction_bits))
    assert isinstance(result, Tensor)
    return result


class _Replaced(torch.autograd.Function):
    """Another value with the same gradient; unlike `a + (b - a)` it is exactly `b`."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return gradients[0], None


def _real(exact: Integers, fraction_bits: int | Integers) -> Tensor:
    """As float32, which holds integers of up to 24 bits exactly."""
    return torch.from_numpy(dequantize(exact, fraction_bits).astype(np.float32))
