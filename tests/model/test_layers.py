import numpy as np
import pytest
import torch
from torch import nn

from emamba.config import CurveConfig, MambaConfig
from emamba.curve import exp_segments, silu_segments
from emamba.model import Shape, layers


def test_range_norm_is_its_formula_and_a_token_without_range_becomes_beta():
    norm = layers.RangeNorm(3, 3.125)
    with torch.no_grad():
        norm.gamma.copy_(torch.tensor([1.0, 2.0, -1.0]))
        norm.beta.copy_(torch.tensor([0.0, 0.5, 1.0]))
    result = norm(torch.tensor([[1.0, 3.0, 5.0], [2.0, 2.0, 2.0]]))
    expected = [[3.125 * -0.5, 0.5, 3.125 * -0.5 + 1.0], [0.0, 0.5, 1.0]]
    np.testing.assert_allclose(result.detach().numpy(), expected)


def test_range_norm_has_finite_gradients_without_range():
    x = torch.full((1, 4), 0.7, requires_grad=True)
    layers.ranged(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_the_other_norms_normalise(kind):
    x = layers.norm(MambaConfig(d_model=6, norm=kind))(torch.tensor([[1.0, -2.0, 3.0, 4.0, -5.0, 6.0]]))
    assert float(x.detach().square().mean()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("segments", [silu_segments(17, "optimal"), exp_segments(11, "paper")])
def test_straight_is_the_curve_with_the_slope_as_gradient(segments):
    points = np.concatenate([np.linspace(-9, 9, 101), segments.knots])
    x = torch.tensor(points, requires_grad=True)
    y = layers.Straight(segments).double()(x)
    y.sum().backward()
    assert x.grad is not None
    away = np.abs(points[:, None] - segments.knots).min(axis=1) > 1e-6  # its knots are float32
    np.testing.assert_allclose(y.detach().numpy(), segments(points), atol=2e-6)
    piece = np.searchsorted(segments.knots, points, side="right")
    np.testing.assert_allclose(x.grad.numpy()[away], segments.slopes[piece][away], atol=1e-6)


def test_exact_curves_are_the_functions():
    x = torch.linspace(-3, 3, 7)
    torch.testing.assert_close(layers.silu(CurveConfig(form="exact"))(x), x * torch.sigmoid(x))
    torch.testing.assert_close(layers.exp(CurveConfig(form="exact"))(x), x.exp())


def test_curves_are_no_parameters_and_not_stored():
    curve = layers.silu(CurveConfig(form="segments"))
    assert not list(curve.parameters())
    assert not curve.state_dict()


def test_depthwise_is_its_formula_and_continues_from_its_window():
    depthwise = layers.Depthwise(3, 4)
    x = torch.randn(2, 6, 3)
    whole, window = depthwise(x, torch.zeros(2, 3, 3))
    padded = torch.cat([torch.zeros(2, 3, 3), x], dim=1)
    taps = sum(depthwise.weight[:, k] * padded[:, k : k + 6] for k in range(4))
    torch.testing.assert_close(whole, taps + depthwise.bias)
    torch.testing.assert_close(window, x[:, 3:])
    first, window = depthwise(x[:, :2], torch.zeros(2, 3, 3))
    rest, _ = depthwise(x[:, 2:], window)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)


def test_depthwise_of_kernel_one_has_an_empty_window():
    depthwise = layers.Depthwise(3, 1)
    y, window = depthwise(torch.ones(2, 5, 3), torch.zeros(2, 0, 3))
    assert window.shape == (2, 0, 3)
    torch.testing.assert_close(y[0, 0], depthwise.weight[:, 0] + depthwise.bias)


def test_square_sees_the_tokens_around_each_one_and_zeros_beyond_the_grid():
    square = layers.Square(3, 3, Shape(2, 4, 5))
    x = torch.randn(2, 8, 3)
    y, _ = square(x, torch.zeros(2, 0, 3))
    grid = x.mT.unflatten(2, (2, 4))  # [batch, channels, rows, columns]
    expected = nn.functional.conv2d(grid, square.weight[:, None], square.bias, padding=1, groups=3)
    torch.testing.assert_close(y, expected.flatten(2).mT)


def test_a_limit_saturates_and_passes_no_gradient_beyond():
    x = torch.tensor([-3.0, -1.0, 0.5, 2.0], requires_grad=True)
    found = layers.limited(x, 1.5)
    assert found.tolist() == [-1.5, -1.0, 0.5, 1.5]
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 0]
    assert layers.limited(x, 0.0) is x
