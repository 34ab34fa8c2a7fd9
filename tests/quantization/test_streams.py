import pytest
import torch

from baselines import BASELINES
from emamba.config import MambaConfig
from emamba.errors import ConfigError
from emamba.model import Mamba, Shape
from emamba.quantization import streams
from variants import MODELS, built, tokens


@pytest.mark.parametrize("variant", MODELS)
def test_the_streams_compute_what_the_model_computes(variant):
    model, frames = built(variant), torch.from_numpy(tokens(variant))
    operations = streams.unfold(model)
    found = streams.run(operations, frames)
    logits = model(frames)
    torch.testing.assert_close(found[operations[-1].name].view(logits.shape), logits, rtol=1e-4, atol=1e-4)
    for operation in operations:
        assert found[operation.name].shape[2] == operation.channels


@pytest.mark.parametrize("variant", MODELS)
def test_gradients_reach_every_parameter(variant):
    model = built(variant)
    operations = streams.unfold(model)
    streams.run(operations, torch.from_numpy(tokens(variant, 20)))[operations[-1].name].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_are_refused(kind):
    with pytest.raises(ConfigError, match=f"model.kind '{kind}' has no integer form") as caught:
        streams.lowerable(BASELINES[kind])
    assert "baselines are trained and measured in float only" in caught.value.hint


def test_streams_are_named_by_block_and_part():
    block = ["norm", "x", "z", "conv", "dt", "b", "c", "delta", "scan", "silu", "gate", "out", "add"]
    names = [operation.name for operation in streams.unfold(built("digits"))]
    blocks = [f"b{i}_{part}" for i in range(2) for part in block]
    assert names == ["input", "embed", *blocks, "norm", "flatten", "head"]


def test_heads_and_optional_parts_have_their_streams():
    assert [op.name for op in streams.unfold(built("paper"))][-3:] == ["norm", "head", "pool"]
    assert [op.name for op in streams.unfold(built("tables"))][-3:] == ["norm", "pool", "head"]
    assert [op.name for op in streams.unfold(built("grid"))][:5] == ["input", "stem", "stem_silu", "group", "embed"]
    assert "b1_conv_silu" in [op.name for op in streams.unfold(built("tables"))]
    assert [op.name for op in streams.unfold(built("bytes"))][:3] == ["input", "embed", "b0_norm"]
    assert [op.name for op in streams.unfold(built("bytes"))][-2:] == ["norm", "head"]
    pointwise = next(op for op in streams.unfold(built("paper")) if op.name == "b0_conv")
    assert isinstance(pointwise, streams.Linear)


@pytest.mark.parametrize(("key", "value"), [("norm", "layer"), ("norm", "rms"), ("delta", "softplus")])
def test_forms_without_integer_meaning_are_refused(key, value):
    config = MambaConfig(**{key: value})
    with pytest.raises(ConfigError, match=f"model.{key} '{value}' has no integer form") as caught:
        streams.unfold(Mamba(config, Shape(4, 4, 4), 10))
    assert f"model.{key} = " in caught.value.hint


def test_what_is_computed_saturates_at_the_limit_of_the_model():
    found = streams.run(streams.unfold(built("tables")), torch.from_numpy(tokens()))
    for name in ("embed", "b0_x", "b0_z", "b0_conv", "b0_scan", "b0_gate", "b0_add"):
        assert found[name].abs().max() <= 1, name
    assert found["embed"].abs().max() == 1
    assert found["b0_add"].abs().max() == 1
