"""Calibration: the power-of-two scale of every tensor, from what a model computes on real frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emamba.config import QuantizationConfig
from emamba.curve import IntegerTable, exp, tabulate
from emamba.errors import ConfigError
from emamba.fixed import Integer, Integers, dequantize, quantize
from emamba.graph import Convolution, Graph, Linear, Scan
from emamba.graph.checks import WIDEST_SPREAD
from emamba.model import Mamba
from emamba.quantization import streams
from emamba.quantization.streams import Operation

LOGIT_BITS = 16  # wide enough that two classes never tie by rounding
BYTE = Integer(8, signed=False)
SEGMENTS_ARGUMENT = Integer(16, signed=False)  # the decay's argument when exp is straight segments
SEGMENTS_BITS = SEGMENTS_ARGUMENT.bits - 3  # its fraction: 0..8, because exp(-8) is less than half a step of any decay
TABLE_ARGUMENT = Integer(8, signed=False)  # the decay's argument when exp is a table
ARGUMENT_BITS = range(2, 10)  # its fractions to choose from

Real = NDArray[np.float64]

_FINEST, _COARSEST = 24, -8  # fraction bits that are tried
_FLOOR = 0.01  # of the mean energy, is added to every row's: rows that are almost zero hardly matter
_STATE_HEADROOM = 2.0  # the state of other frames, and of rounded ones, may exceed what calibration saw


@dataclass(frozen=True)
class Scales:
    """Fraction bits of streams by their name, and of what is inside a scan as `b0_scan.rate`.

    Inside are `rate`, `skip`, `argument` and `state`. `weights` are the fraction bits [channels] of linear
    maps and convolutions, by the name of their stream.
    """

    fraction_bits: Mapping[str, int]
    weights: Mapping[str, Integers]

    def __getitem__(self, name: str) -> int:
        return self.fraction_bits[name]

    @property
    def text(self) -> str:
        """All of them: the same text for the same scales."""
        weights = {name: bits.tolist() for name, bits in self.weights.items()}
        return json.dumps([dict(self.fraction_bits), weights], sort_keys=True)


@torch.no_grad()
def calibrate(model: Mamba, tokens: NDArray[np.float32], config: QuantizationConfig) -> Scales:
    """Scales for `model`, chosen on `tokens` [frames, time, features] of the training data."""
    operations = streams.unfold(model)
    found = streams.run(operations, torch.from_numpy(tokens))
    chosen = dict(item for operation in operations for item in _chosen(operation, found, config))
    weighted = [op for op in operations if isinstance(op, streams.Linear | streams.Convolution)]
    return Scales(chosen, {op.name: weight_scales(_real(op.weight), config) for op in weighted})


def scales_of(graph: Graph) -> Scales:
    """The scales that `graph` was lowered with: another model that is lowered with them has its shifts and tables.

    Fraction bits of weights follow from the shifts behind them; those of a decay's argument are found by its table.
    """
    bits = {op.name: op.fraction_bits for op in graph.operations}
    weighted = [op for op in graph.operations if isinstance(op, Linear | Convolution)]
    weights = {op.name: op.shift - bits[op.source] + op.fraction_bits for op in weighted}
    scans = [op for op in graph.operations if isinstance(op, Scan)]
    inside = {f"{op.name}.{part}": value for op in scans for part, value in _inside(op, bits).items()}
    return Scales({**bits, **inside}, weights)


def _inside(op: Scan, bits: Mapping[str, int]) -> dict[str, int]:
    """The fraction bits inside a scan, when its streams have `bits`."""
    state = bits[op.delta] + bits[op.x] + bits[op.b] - op.drive_shift - op.decay_fraction
    argument = SEGMENTS_BITS
    if isinstance(op.decay, IntegerTable):
        found = [it for it in ARGUMENT_BITS if np.array_equal(_decays(it, op.decay_fraction).values, op.decay.values)]
        if not found:
            hint = "give a run that this version has quantized"
            raise ConfigError(f"{op.name}: no scale of its argument gives the decays of its table", hint)
        argument = found[0]
    skip = op.skip_shift - bits[op.x] + bits[op.c] + state
    return {"rate": op.argument_shift - bits[op.delta] + argument, "skip": skip, "state": state, "argument": argument}


def _decays(bits: int, fraction: int) -> IntegerTable:
    """The table of `exp(-u)` for arguments of `bits` fraction bits; decays have `fraction` of them."""
    return tabulate(lambda u: exp(-u), TABLE_ARGUMENT, bits, Integer(fraction + 1, signed=False), fraction)


def by_channel(fraction_bits: Integers, weight: Tensor) -> Integers:
    """`fraction_bits` [channels] of `weight` [channels, ...], with as many axes as that has."""
    return fraction_bits.reshape(-1, *(1,) * (weight.ndim - 1))


def stream_type(operation: Operation, config: QuantizationConfig) -> Integer:
    """Element type of the stream that `operation` writes."""
    match operation.kind:
        case "activation":
            return Integer(config.activation_bits)
        case "step":
            return Integer(config.activation_bits, signed=False)
        case "logit":
            return Integer(LOGIT_BITS)
        case "byte":
            return BYTE


def rate_type(config: QuantizationConfig) -> Integer:
    """Element type of a scan's rates, which are never negative."""
    return Integer(config.rate_bits, signed=False)


def decay_type(config: QuantizationConfig) -> tuple[Integer, int]:
    """Type and fraction bits of a decay; 1 is `1 << fraction_bits`, so a state can be kept exactly."""
    fraction = config.compute_bits - config.state_bits
    return Integer(fraction + 1, signed=False), fraction


def fitting(values: Real, dtype: Integer) -> int:
    """The most fraction bits with which no value saturates."""
    lo, hi = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if lo == hi:
        return dtype.bits - 1
    ends = np.array([lo, hi])
    for fraction in range(_FINEST, _COARSEST, -1):
        scaled = np.floor(ends * 2.0**fraction + 0.5)
        if dtype.holds(int(scaled[0]), int(scaled[1])):
            return fraction
    return _COARSEST


def closest(values: Real, dtype: Integer) -> int:
    """The fraction bits with the smallest error, saturation of a few values included.

    The error of a row (a token, or the weights of a channel) counts relative to the row's own energy:
    a norm follows sooner or later, so a large token may have large errors. On held-out digits (three
    models) the logits' noise was 0.10 % of their power this way, 0.28 % with the plain squared error,
    0.50 % when nothing may saturate.
    """
    widest = fitting(values, dtype)
    return min(range(widest, widest + 3), key=lambda fraction: _relative_error(values, fraction, dtype))


def weight_scales(weight: Real, config: QuantizationConfig) -> Integers:
    """Fraction bits [channels] of `weight` [channels, ...], as `quantization.weight_scales` asks.

    Scales of channels differ by as much as hardware can choose from, counted from the coarsest: channels
    with the smallest weights have coarser scales than their own would be. Channels without weights have
    nothing to say.
    """
    dtype, weight = Integer(config.weight_bits), weight.reshape(len(weight), -1)
    used = weight.any(axis=1)
    if config.weight_scales == "tensor" or not used.any():
        return np.full(len(weight), closest(weight, dtype))
    own = np.array([closest(row[None], dtype) for row in weight])
    coarsest = own[used].min()
    return np.where(used, np.minimum(own, coarsest + WIDEST_SPREAD), coarsest)


def _relative_error(values: Real, fraction: int, dtype: Integer) -> float:
    errors = np.square(dequantize(quantize(values, fraction, dtype), fraction) - values).sum(axis=-1)
    energy = np.square(values).sum(axis=-1)
    return float(np.mean(errors / (energy + _FLOOR * energy.mean() + np.finfo(np.float64).tiny)))


def _chosen(op: Operation, found: Mapping[str, Tensor], config: QuantizationConfig) -> Iterator[tuple[str, int]]:
    """Name and fraction bits of the stream of `op` and of what is inside it."""
    if isinstance(op, streams.Normalise):
        yield op.name, config.activation_bits - 1  # its values fill -1..1 by construction
    elif op.kind == "byte":
        yield op.name, 0
    elif not isinstance(op, streams.Flatten):  # whose elements keep the scale of its source
        dtype = stream_type(op, config)
        yield op.name, max(closest(_real(found[op.name]), dtype), _coarsest(op.limit, dtype))
    match op:
        case streams.Scan():
            yield f"{op.name}.rate", fitting(_real(op.rate), rate_type(config))
            yield f"{op.name}.skip", closest(_real(op.skip), Integer(config.weight_bits))
            states = _real(streams.states(op, found))
            yield f"{op.name}.state", fitting(_STATE_HEADROOM * states, Integer(config.state_bits))
            yield f"{op.name}.argument", _argument(op, _real(found[op.sources[1]]), config)
        case _:
            return


def _coarsest(limit: float, dtype: Integer) -> int:
    """The fewest fraction bits with which `dtype` saturates where the model does: at `limit`, or the next power of two.

    One bit less has half the error where most values are at the limit, which is just beyond the type, but what is
    computed with less exact sources then leaves the limit: a text model lost half a bit a byte.
    """
    return dtype.bits - 1 - ceil(log2(limit)) if limit else _COARSEST


def _argument(op: streams.Scan, delta: Real, config: QuantizationConfig) -> int:
    """Fraction bits of `delta * rate`: those that leave the decays closest to the real ones."""
    if op.config.form == "segments":
        return SEGMENTS_BITS
    _, fraction = decay_type(config)
    argument = delta[..., None] * _real(op.rate)
    exact = exp(-argument)

    def error(bits: int) -> float:
        rounded = dequantize(_decays(bits, fraction)(quantize(argument, bits, TABLE_ARGUMENT)), fraction)
        return float(np.mean((rounded - exact) ** 2))

    return min(ARGUMENT_BITS, key=error)


def _real(tensor: Tensor) -> Real:
    return tensor.detach().double().numpy()
