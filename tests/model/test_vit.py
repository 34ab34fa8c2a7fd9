import numpy as np
import pytest
import torch

from baselines import learned
from emamba.config import VitConfig
from emamba.model import Shape, VisionTransformer, parameter_count

SMALL = VitConfig(kind="vit", d_model=12, blocks=2, heads=3, mlp_ratio=3)


def built(spread: float = 0.3) -> VisionTransformer:
    """A network whose every parameter is random, so that none hides behind a 0 or 1."""
    torch.manual_seed(3)
    model = VisionTransformer(SMALL, Shape(2, 4, 5), 6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return model.double()


def frames(batch: int = 3) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(5).normal(size=(batch, 8, 5)))


def hand_count(d: int, blocks: int, ratio: int, tokens: int, features: int, outputs: int) -> int:
    """Embedding, positions, blocks of two norms, query, key, value, projection and MLP, final norm, head."""
    block = 2 * 2 * d + 4 * (d * d + d) + (d * ratio * d + ratio * d) + (ratio * d * d + d)
    return (features * d + d) + tokens * d + blocks * block + 2 * d + (d * outputs + outputs)


@pytest.mark.parametrize(
    ("sizes", "shape", "outputs", "count"),
    [
        ((32, 2, 4, 2), Shape(4, 4, 20), 57, 20_217),
        ((32, 3, 4, 2), Shape(4, 4, 20), 57, 28_761),
        ((120, 3, 8, 2), Shape(4, 4, 49), 10, 358_930),
        ((120, 3, 8, 2), Shape(7, 7, 16), 10, 358_930),
        ((88, 5, 8, 3), Shape(7, 7, 16), 10, 399_354),
    ],
)
def test_parameters_are_those_counted_by_hand(sizes, shape, outputs, count):
    d_model, blocks, heads, ratio = sizes
    config = VitConfig(kind="vit", d_model=d_model, blocks=blocks, heads=heads, mlp_ratio=ratio)
    assert hand_count(d_model, blocks, ratio, shape.tokens, shape.features, outputs) == count
    assert parameter_count(VisionTransformer(config, shape, outputs)) == count


def test_forward_is_the_reference():
    model = built()
    expected = [reference(model, frame) for frame in frames().numpy()]
    np.testing.assert_allclose(model(frames()).detach().numpy(), expected, rtol=1e-6, atol=1e-9)


def test_positions_tell_the_tokens_apart_and_nothing_else_does():
    model, tokens = built(), frames()
    shuffled = tokens[:, torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])]
    assert not torch.allclose(model(tokens), model(shuffled), atol=1e-3)
    with torch.no_grad():
        model.positions.zero_()
    torch.testing.assert_close(model(tokens), model(shuffled))


def test_weights_and_positions_start_small_and_biases_at_zero():
    torch.manual_seed(0)
    model = VisionTransformer(VitConfig(kind="vit", d_model=64), Shape(7, 7, 16), 10)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            assert float(parameter.detach().std()) == pytest.approx(0.02, rel=0.15), name
        elif name.endswith("bias"):
            assert not parameter.detach().any(), name


def test_it_learns_digits():
    assert learned("vit") > 0.9


# The reference: one frame, one token, one head at a time, in float64 NumPy.


def reference(model: VisionTransformer, frame: np.ndarray) -> np.ndarray:
    p = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    x = np.stack([p["embedding.weight"] @ token + p["embedding.bias"] for token in frame]) + p["positions"]
    for i in range(SMALL.blocks):
        x = block({name.removeprefix(f"blocks.{i}."): value for name, value in p.items()}, x)
    mean = np.mean([normalised(p, "norm", token) for token in x], axis=0)
    return p["head.weight"] @ mean + p["head.bias"]


def block(p, x):
    projected = [p["in_proj.weight"] @ normalised(p, "attention_norm", token) + p["in_proj.bias"] for token in x]
    query, key, value = (np.stack([token.reshape(3, 3, 4)[part] for token in projected]) for part in range(3))
    after = []
    for t, token in enumerate(x):
        read = np.zeros((3, 4))
        for head in range(3):
            score = np.exp([query[t, head] @ other / 2 for other in key[:, head]])
            read[head] = score @ value[:, head] / score.sum()
        token = token + p["out_proj.weight"] @ read.ravel() + p["out_proj.bias"]
        hidden = gelu(p["mlp.0.weight"] @ normalised(p, "mlp_norm", token) + p["mlp.0.bias"])
        after.append(token + p["mlp.2.weight"] @ hidden + p["mlp.2.bias"])
    return np.stack(after)


def normalised(p, name, x):
    return p[f"{name}.weight"] * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + p[f"{name}.bias"]


def gelu(x):
    return x * (1 + torch.erf(torch.tensor(x) / 2**0.5).numpy()) / 2
