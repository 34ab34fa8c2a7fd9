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


SHAPES = [(silu_segments, "silu"), (exp_segments, "exp")]


def learned(name: str, segments: int) -> layers.Learned:
    """As a model has it."""
    found = getattr(layers, name)(CurveConfig(form="segments", segments=segments, knots="learned"))
    assert isinstance(found, layers.Learned)
    return found


@pytest.mark.parametrize(("make", "name"), SHAPES)
@pytest.mark.parametrize("count", [2, 3, 5, 17])
def test_learned_segments_begin_at_the_optimal_knots_and_join_the_lines_around_them(make, name, count):
    optimal, found = make(count, "optimal"), learned(name, count).segments
    np.testing.assert_allclose(found.knots, optimal.knots, atol=2e-6)
    inner = np.linspace(optimal.knots[0], optimal.knots[-1], 999)[1:-1]
    gaps = np.abs(np.diff(optimal.slopes) * optimal.knots + np.diff(optimal.intercepts))
    assert np.abs(found(inner) - optimal(inner)).max() <= gaps.max() + 1e-5
    assert (found.slopes[0], found.intercepts[0]) == (optimal.slopes[0], optimal.intercepts[0])
    assert (found.slopes[-1], found.intercepts[-1]) == (optimal.slopes[-1], optimal.intercepts[-1])


@pytest.mark.parametrize(("make", "name"), SHAPES)
def test_learned_knots_stay_in_order_and_the_curve_in_one_piece_wherever_training_steps(make, name):
    curve, start = learned(name, 7), make(7, "optimal")
    for step in (0.1, 3.0, 1e3, 1e30):
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in curve.parameters():
                parameter.add_(step * torch.randn_like(parameter))
        knots = curve.segments.knots
        assert (knots[0], knots[-1]) == (start.knots[0], start.knots[-1])
        assert np.diff(knots).min() > 0.99 / 8 * np.ptp(knots) / 7, "an eighth of even segments"
        found = curve.segments
        left = found.slopes[:-1] * knots + found.intercepts[:-1]
        right = found.slopes[1:] * knots + found.intercepts[1:]
        np.testing.assert_allclose(left, right, atol=1e-5 * max(1, step))
        x = torch.linspace(-9, 9, 500)
        assert torch.isfinite(curve(x)).all()
        if name == "exp":
            assert -1e-5 < float(curve(x).detach().min()) <= float(curve(x).detach().max()) < 1 + 1e-5


@pytest.mark.parametrize("name", ["silu", "exp"])
def test_learned_gradients_are_those_of_the_interpolation(name):
    """Plain: the function between two knots is what joins the values there."""
    curve = learned(name, 4).double()
    x = torch.tensor(np.random.default_rng(0).uniform(-9, 9, 200), requires_grad=True)
    lo, hi, low, high = (float(end) for end in curve.ends[:2].flatten())

    def plain(x, widths, values):
        span, values = (hi - lo) * (1 / 32 + 7 / 8 * widths.softmax(0)), values.sigmoid() if name == "exp" else values
        knots = [torch.tensor(lo), lo + span[0], lo + span[0] + span[1], lo + span[:3].sum(), torch.tensor(hi)]
        heights = [torch.tensor(low), *values, torch.tensor(high)]
        y = torch.where(x < lo, torch.zeros_like(x), x if name == "silu" else torch.ones_like(x))
        for a, b, f, g in zip(knots, knots[1:], heights, heights[1:], strict=False):
            y = torch.where((a <= x) & (x < b), f + (x - a) / (b - a) * (g - f), y)
        return y

    operands, weights = (x, curve.widths, curve.values), torch.randn(200, dtype=torch.float64)
    torch.testing.assert_close(curve(x), plain(*operands), rtol=1e-6, atol=1e-6)
    found = torch.autograd.grad((curve(x) * weights).sum(), operands)
    wanted = torch.autograd.grad((plain(*operands) * weights).sum(), operands)
    for ours, theirs in zip(found, wanted, strict=True):
        assert theirs.any()
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


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


@pytest.mark.parametrize("segments", [2, 3, 38, 39, 40, 129])
def test_learned_segments_begin_with_finite_parameters_however_narrow_an_optimal_one_is(segments):
    learned = layers.Learned(silu_segments(segments, "optimal"))
    assert all(torch.isfinite(it).all() for it in learned.parameters())
    assert (learned.lines[0].diff() > 0).all()
