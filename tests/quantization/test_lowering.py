import numpy as np
import pytest
import torch

from emamba import graph
from emamba.config import QuantizationConfig
from emamba.curve import IntegerSegments, IntegerTable
from emamba.errors import GraphError
from emamba.fixed import Integer, dequantize, quantize
from emamba.quantization import Scales, calibrate, lower, streams
from variants import INTEGERS, MODELS, built, tokens


def lowered(variant: str, config: QuantizationConfig | None = None) -> graph.Graph:
    model, config = built(variant), config or INTEGERS[variant]
    return lower(variant, model, calibrate(model, tokens(variant), config), config)


def tensors(found: graph.Graph) -> dict[str, np.ndarray]:
    """Of a variant, whose name its graph has."""
    source = found.input
    exact = graph.run(found, quantize(tokens(found.name), source.fraction_bits, source.dtype))
    return {name: dequantize(tensor, found[name].fraction_bits) for name, tensor in exact.items()}


@pytest.mark.parametrize("variant", MODELS)
def test_every_tensor_is_near_its_real_twin(variant):
    found = lowered(variant)
    real = streams.run(streams.unfold(built(variant)), torch.from_numpy(tokens(variant)))
    integer = tensors(found)
    assert list(integer) == list(real)
    for name, values in real.items():
        wanted = values.detach().numpy()
        noise = np.square(integer[name] - wanted).mean() / np.square(wanted).mean()
        assert noise < (0.01 if variant != "bare" else 0.1), name


@pytest.mark.parametrize("variant", ["digits", "bytes"])
def test_the_input_is_exact(variant):
    np.testing.assert_array_equal(tensors(lowered(variant))["input"], tokens(variant))


@pytest.mark.parametrize("variant", MODELS)
def test_types_follow_the_configuration(variant):
    found, config = lowered(variant), INTEGERS[variant]
    for op in found.operations:
        wide, unsigned = (
            op.name in ("head", "pool") and op is not found["norm"],
            op.name.endswith("delta") or (variant, op.name) == ("bytes", "input"),
        )
        if op.name == "pool" and found.output.name == "head":
            wide = False
        assert op.dtype == (Integer(16) if wide else Integer(config.activation_bits, signed=not unsigned)), op.name
        if isinstance(op, graph.Linear | graph.Convolution):
            assert Integer(config.weight_bits).holds(int(op.weight.min()), int(op.weight.max()))
        if isinstance(op, graph.Scan):
            assert (op.state, op.compute) == (Integer(config.state_bits), Integer(config.compute_bits))
            assert op.decay_fraction == config.compute_bits - config.state_bits


@pytest.mark.parametrize("variant", MODELS)
def test_a_state_without_step_is_kept(variant):
    scan = lowered(variant)["b0_scan"]
    assert isinstance(scan, graph.Scan)
    assert scan.decay(np.array([0]))[0] == 1 << scan.decay_fraction


def test_reciprocals_fit_a_multiplier_and_the_norm_is_right_within_a_step():
    norm = lowered("digits")["b0_norm"]
    assert isinstance(norm, graph.RangeNorm)
    assert (1 << 16) <= norm.reciprocal.max() < (1 << 17)
    x = np.random.default_rng(0).integers(-128, 128, (50, 3, 20))
    x[0, 0], x[1, 0], x[1, 0, 0] = 7, 0, 1
    spread = np.maximum(np.ptp(x, axis=2, keepdims=True), 1)
    wanted = (x - x.mean(axis=2, keepdims=True)) / spread * 128
    assert np.abs(graph.golden.range_norm(norm, x) - wanted).max() <= 0.75


def test_forms_become_their_operations():
    paper, tables = lowered("paper"), lowered("tables")
    kinds = {op.name: type(op) for op in paper.operations} | {f"t_{op.name}": type(op) for op in tables.operations}
    assert kinds["b0_conv"] is graph.Linear
    assert kinds["t_b0_conv"] is graph.Convolution
    assert kinds["t_b0_conv_silu"] is graph.Activation
    assert (kinds["head"], kinds["pool"]) == (graph.Linear, graph.Pool)
    curves = [
        getattr(found[f"b0_{name}"], field)
        for found in (paper, tables)
        for name, field in (("silu", "curve"), ("scan", "decay"))
    ]
    assert [type(curve) for curve in curves] == [IntegerSegments, IntegerSegments, IntegerTable, IntegerTable]
    assert curves[1].domain == Integer(16, signed=False)


def test_each_layer_has_the_curve_that_it_learned():
    model, config = built("learned"), INTEGERS["learned"]
    scales = calibrate(model, tokens(), config)
    found = lower("learned", model, scales, config)
    layers = {"stem_silu": model.silu}
    for i, block in enumerate(model.body):
        layers |= {f"b{i}_silu": block.silu, f"b{i}_conv_silu": block.convolution_silu, f"b{i}_scan": block.exp}
    curves = {op.name: op for op in found.operations if isinstance(op, graph.Activation | graph.Scan)}
    assert list(curves) == ["stem_silu", *(f"b{i}_{name}" for i in range(2) for name in ("conv_silu", "scan", "silu"))]
    for name, op in curves.items():
        scan = isinstance(op, graph.Scan)
        curve = op.decay if scan else op.curve
        source, out = (
            (scales[f"{name}.argument"], op.decay_fraction)
            if scan
            else (found[op.source].fraction_bits, op.fraction_bits)
        )
        x = np.arange(curve.domain.lo, curve.domain.hi + 1)
        real = torch.from_numpy(dequantize(-x if scan else x, source)).float()
        wanted = np.clip(layers[name](real).detach().double().numpy(), *dequantize(curve.limits, out))
        assert np.abs(dequantize(curve(x), out) - wanted).max() < 0.5 * 2.0**-out + 0.01, name
    knots = [op.curve.knots.tolist() for op in curves.values() if isinstance(op, graph.Activation)]
    assert len(set(map(str, knots))) == len(knots)


def test_biases_of_norms_are_folded_into_maps_without_bias():
    found = lowered("bare")["b0_x"]
    assert isinstance(found, graph.Linear)
    assert found.bias.any()


def test_scales_that_break_a_rule_of_graphs_are_refused():
    model, config = built("bare"), INTEGERS["bare"]
    scales = calibrate(model, tokens(), config)
    absurd = Scales(scales.fraction_bits, {**scales.weights, "b0_x": np.full(12, 50)})
    with pytest.raises(GraphError, match="b0_x: shift is"):
        lower("bare", model, absurd, config)
