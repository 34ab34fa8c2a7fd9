"""Lowering: a model and the scales of its tensors become the integer graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import numpy as np
from torch import Tensor

from emamba import graph
from emamba.config import QuantizationConfig
from emamba.curve import IntegerCurve, exp, integer_segments, mirrored, silu, tabulate
from emamba.fixed import Integer, Integers, quantize
from emamba.graph import Graph
from emamba.model import Mamba
from emamba.model.layers import Segmented
from emamba.quantization import streams
from emamba.quantization.calibration import (
    SEGMENTS_ARGUMENT,
    TABLE_ARGUMENT,
    Scales,
    by_channel,
    decay_type,
    rate_type,
    stream_type,
)

BIAS_BITS = 32  # a bias has the scale of its accumulator
RECIPROCAL_BITS = 17  # unsigned: with the centred element one 27x18 multiplication of a DSP48


def lower(name: str, model: Mamba, scales: Scales, config: QuantizationConfig) -> Graph:
    """The checked integer graph of `model`.

    ConfigError if a choice of the model has no meaning in integers, GraphError if the widths asked for
    do not fit the rules of a graph.
    """
    operations = lowered(streams.unfold(model), scales, config)
    return graph.check(Graph(name, model.shape.tokens, operations))


def lowered(
    operations: Iterable[streams.Operation], scales: Scales, config: QuantizationConfig
) -> tuple[graph.Operation, ...]:
    """Each of `operations` in integers."""
    result: dict[str, graph.Operation] = {}
    for operation in operations:
        result[operation.name] = _lowered(operation, [result[name] for name in operation.sources], scales, config)
    return tuple(result.values())


def _lowered(
    op: streams.Operation, sources: list[graph.Operation], scales: Scales, config: QuantizationConfig
) -> graph.Operation:
    bits = [source.fraction_bits for source in sources]
    dtype, out = stream_type(op, config), bits[0] if isinstance(op, streams.Flatten) else scales[op.name]
    match op:
        case streams.Input():
            return graph.Input(name=op.name, channels=op.channels, dtype=dtype, fraction_bits=out)
        case streams.Lookup():
            return graph.Lookup(
                name=op.name, source=op.sources[0], channels=op.channels, dtype=dtype, fraction_bits=out,
                table=_rounded(op.table, out, dtype),
            )  # fmt: skip
        case streams.Linear():
            return graph.Linear(**_weighted(op, dtype, bits[0], scales, config))
        case streams.Convolution():
            common = _weighted(op, dtype, bits[0], scales, config)
            return graph.Convolution(**common, columns=op.columns, above=op.above, left=op.left)
        case streams.Normalise():
            return _norm(op, sources[0].dtype, dtype, out)
        case streams.Activation():
            curve = _silu(op.silu, sources[0], dtype, out)
            return graph.Activation(
                name=op.name, source=op.sources[0], channels=op.channels, dtype=dtype, fraction_bits=out, curve=curve
            )
        case streams.Scan():
            return _scan(op, dtype, bits, scales, config)
        case streams.Multiply():
            left, right = op.sources
            return graph.Multiply(
                name=op.name, left=left, right=right, channels=op.channels, dtype=dtype, fraction_bits=out,
                shift=sum(bits) - out,
            )  # fmt: skip
        case streams.Add():
            left, right = op.sources
            return graph.Add(
                name=op.name, left=left, right=right, channels=op.channels, dtype=dtype, fraction_bits=out,
                left_shift=max(bits) - bits[0], right_shift=max(bits) - bits[1], shift=max(bits) - out,
            )  # fmt: skip
        case streams.Pool():
            return graph.Pool(
                name=op.name, source=op.sources[0], channels=op.channels, dtype=dtype, fraction_bits=out,
                shift=bits[0] - out,
            )  # fmt: skip
        case streams.Flatten():
            return graph.Flatten(
                name=op.name, source=op.sources[0], channels=op.channels, dtype=sources[0].dtype, fraction_bits=out
            )
        case _:
            assert_never(op)


def _weighted(
    op: streams.Linear | streams.Convolution,
    dtype: Integer,
    source_bits: int,
    scales: Scales,
    config: QuantizationConfig,
) -> dict[str, Any]:
    """What linear maps and convolutions have in common, by the names of their fields."""
    weight_bits, out = scales.weights[op.name], scales[op.name]
    return {
        "name": op.name, "source": op.sources[0], "channels": op.channels, "dtype": dtype, "fraction_bits": out,
        "weight": _rounded(op.weight, by_channel(weight_bits, op.weight), Integer(config.weight_bits)),
        "bias": _rounded(op.bias, source_bits + weight_bits, Integer(BIAS_BITS)),
        "shift": source_bits + weight_bits - out,
    }  # fmt: skip


def _norm(op: streams.Normalise, source: Integer, dtype: Integer, out: int) -> graph.RangeNorm:
    """`2**(shift + out) / (channels * range)` for every range, with the largest shift that fits.

    A token without range has centred elements of 0, so its entry does not matter.
    """
    largest = (1 << RECIPROCAL_BITS) - 1
    precision = (largest * op.channels).bit_length() - 1
    spans = np.maximum(np.arange(1 << source.bits), 1)
    reciprocal = np.floor(2.0**precision / (op.channels * spans) + 0.5).astype(np.int64)
    return graph.RangeNorm(
        name=op.name, source=op.sources[0], channels=op.channels, dtype=dtype, fraction_bits=out,
        reciprocal=np.minimum(reciprocal, largest), shift=precision - out,
    )  # fmt: skip


def _silu(curve: streams.Curve, source: graph.Operation, dtype: Integer, out: int) -> IntegerCurve:
    if isinstance(curve, Segmented):
        return integer_segments(curve.segments, source.dtype, source.fraction_bits, dtype, out)
    return tabulate(silu, source.dtype, source.fraction_bits, dtype, out)


def _scan(op: streams.Scan, dtype: Integer, bits: list[int], scales: Scales, config: QuantizationConfig) -> graph.Scan:
    """Shifts bring each product to the scale of what it is added to."""
    x_bits, delta_bits, b_bits, c_bits = bits
    rate_bits, skip_bits, state_bits, argument_bits = (
        scales[f"{op.name}.{part}"] for part in ("rate", "skip", "state", "argument")
    )
    (x, delta, b, c), (_, decay_bits) = op.sources, decay_type(config)
    readout_bits = c_bits + state_bits
    return graph.Scan(
        name=op.name, x=x, delta=delta, b=b, c=c, channels=op.channels, dtype=dtype, fraction_bits=scales[op.name],
        rate=_rounded(op.rate, rate_bits, rate_type(config)),
        skip=_rounded(op.skip, skip_bits, Integer(config.weight_bits)),
        decay=_decay(op.exp, argument_bits, config),
        argument_shift=delta_bits + rate_bits - argument_bits,
        drive_shift=delta_bits + x_bits + b_bits - state_bits - decay_bits,
        decay_fraction=decay_bits,
        skip_shift=skip_bits + x_bits - readout_bits,
        shift=readout_bits - scales[op.name],
        compute=Integer(config.compute_bits),
        state=Integer(config.state_bits),
    )  # fmt: skip


def _decay(curve: streams.Curve, argument_bits: int, config: QuantizationConfig) -> IntegerCurve:
    """`exp(-u)` of an argument u >= 0."""
    dtype, fraction = decay_type(config)
    if isinstance(curve, Segmented):
        segments = mirrored(curve.segments)
        return integer_segments(segments, SEGMENTS_ARGUMENT, argument_bits, (0, 1 << fraction), fraction)
    return tabulate(lambda u: exp(-u), TABLE_ARGUMENT, argument_bits, dtype, fraction)


def _rounded(tensor: Tensor, fraction_bits: int | Integers, dtype: Integer) -> Integers:
    return quantize(tensor.detach().double().numpy(), fraction_bits, dtype)
