from dataclasses import replace

import numpy as np
import pytest
import torch

from emamba.config import QuantizationConfig
from emamba.errors import ConfigError
from emamba.fixed import Integer, dequantize, quantize
from emamba.graph import Graph, Scan
from emamba.quantization import calibrate, lower, scales_of, streams
from emamba.quantization.calibration import closest, fitting, weight_scales
from variants import INTEGERS, MODELS, built, tokens

INT8, UINT8 = Integer(8), Integer(8, signed=False)


@pytest.mark.parametrize(
    ("values", "dtype", "bits"),
    [
        ([0.0, 1.0], INT8, 6),
        ([-1.0, 0.5], INT8, 7),  # -128 is there, 128 is not
        ([-1.0, 1.0], INT8, 6),
        ([0.0, 1.0], UINT8, 7),
        ([0.0, 255 / 256], UINT8, 8),
        ([0.0, 127.4], INT8, 0),
        ([0.0, 127.5], INT8, -1),
        ([0.0, 1000.0], INT8, -3),
        ([0.0, 0.0], INT8, 7),
    ],
)
def test_fitting_is_the_finest_scale_without_saturation(values, dtype, bits):
    assert fitting(np.array(values), dtype) == bits


def test_closest_saturates_a_few_to_resolve_the_many():
    many = np.linspace(-0.4, 0.4, 10_000)
    assert closest(np.append(many, 0.55), INT8) == 8
    assert fitting(np.append(many, 0.55), INT8) == 7
    assert closest(np.append(many, [1.9, -1.9] * 50), INT8) == 6


CHANNELS = QuantizationConfig(weight_scales="channel")


def test_one_scale_for_all_weights_or_one_for_each_channel():
    weight = np.array([[0.9, -0.9], [0.4, 0.1], [0.12, 0.1]])
    assert weight_scales(weight, QuantizationConfig()).tolist() == [7, 7, 7]
    assert weight_scales(weight, CHANNELS).tolist() == [7, 8, 10]


def test_scales_of_channels_are_at_most_three_apart_and_those_without_weights_do_not_count():
    weight = np.array([[0.01, 0.004], [0.0, 0.0], [1e-9, 0.0], [0.001, 0.0005]])
    assert weight_scales(weight, CHANNELS).tolist() == [13, 13, 16, 16]
    assert weight_scales(np.zeros((2, 3)), CHANNELS).tolist() == [7, 7]


def test_scales_of_channels_bring_weights_nearer():
    for op in streams.unfold(built("digits")):
        if isinstance(op, streams.Linear | streams.Convolution):
            weight, noise = op.weight.detach().double().flatten(1).numpy(), {}
            for config in (QuantizationConfig(), CHANNELS):
                bits = weight_scales(weight, config)[:, None]
                errors = dequantize(quantize(weight, bits, INT8), bits) - weight
                noise[config.weight_scales] = np.mean(np.square(errors).sum(1) / np.square(weight).sum(1))
            assert noise["channel"] <= noise["tensor"], op.name


@pytest.mark.parametrize("variant", MODELS)
def test_every_stream_and_weight_has_a_scale_that_its_values_fit(variant):
    model, config = built(variant), INTEGERS[variant]
    scales = calibrate(model, tokens(variant), config)
    unfolded = streams.unfold(model)
    found = streams.run(unfolded, torch.from_numpy(tokens(variant)))
    operations = [op for op in unfolded if not isinstance(op, streams.Flatten)]  # it has the scale of its source
    inside = {streams.Scan: ["rate", "skip", "argument", "state"]}
    names = [name for op in operations for name in [op.name, *(f"{op.name}.{x}" for x in inside.get(type(op), []))]]
    assert sorted(scales.fraction_bits) == sorted(names)
    weighted = {op.name: op.channels for op in operations if isinstance(op, streams.Linear | streams.Convolution)}
    assert {name: len(bits) for name, bits in scales.weights.items()} == weighted
    for op in operations:
        values = found[op.name].detach().double().numpy()
        dtype = Integer(16) if op.kind == "logit" else Integer(config.activation_bits, op.kind == "activation")
        rounded = dequantize(quantize(values, scales[op.name], dtype), scales[op.name])
        noise = np.square(rounded - values).mean() / np.square(values).mean()
        assert noise < 0.005, op.name


@pytest.mark.parametrize("variant", ["tables", "grid", "bytes"])
def test_no_stream_reaches_beyond_the_limit_of_its_model(variant):
    model, config = built(variant), INTEGERS[variant]
    with torch.no_grad():
        for block in model.body:
            block.out_proj.weight.mul_(1000)  # all values are at the limit, which is just beyond the type
    scales = calibrate(model, tokens(variant), config)
    limited = [op for op in streams.unfold(model) if op.limit]
    assert len(limited) > 10
    for op in limited:
        assert dequantize(Integer(config.activation_bits).lo, scales[op.name]) >= -op.limit, op.name


def test_rates_have_bits_of_their_own():
    model, config = built("tables"), INTEGERS["tables"]
    rates = {
        bits: calibrate(model, tokens(), config.model_copy(update={"rate_bits": bits}))["b0_scan.rate"]
        for bits in (8, 14)
    }
    assert rates[14] == rates[8] + 6


def test_the_argument_of_a_table_keeps_decays_close():
    model = built("tables")
    scales = calibrate(model, tokens(), INTEGERS["tables"])
    operations = {op.name: op for op in streams.unfold(model)}
    found = streams.run(tuple(operations.values()), torch.from_numpy(tokens()))
    argument = (found["b0_delta"][..., None] * operations["b0_scan"].rate).detach().double().numpy()
    bits = scales["b0_scan.argument"]
    rounded = dequantize(quantize(argument, bits, UINT8), bits)
    assert np.sqrt(np.mean((np.exp(-rounded) - np.exp(-argument)) ** 2)) < 0.01


@pytest.mark.parametrize("variant", MODELS)
def test_a_graph_tells_the_scales_that_it_was_lowered_with(variant):
    model, config = built(variant), INTEGERS[variant]
    scales = calibrate(model, tokens(variant), config)
    found = scales_of(lower("model", model, scales, config))
    assert {name: found[name] for name in scales.fraction_bits} == scales.fraction_bits
    assert {name: bits.tolist() for name, bits in found.weights.items()} == {
        name: bits.tolist() for name, bits in scales.weights.items()
    }
    again = replace(scales, fraction_bits=dict(reversed(scales.fraction_bits.items())))
    assert again.text == scales.text != replace(scales, weights={}).text


def test_a_table_that_no_scale_gives_has_none():
    model, config = built("tables"), INTEGERS["tables"]
    graph = lower("model", model, calibrate(model, tokens(), config), config)
    half = {
        op.name: replace(op, decay=replace(op.decay, values=op.decay.values // 2)) if isinstance(op, Scan) else op
        for op in graph.operations
    }
    with pytest.raises(ConfigError, match="b0_scan: no scale of its argument gives the decays of its table"):
        scales_of(Graph(graph.name, graph.tokens, tuple(half.values())))
