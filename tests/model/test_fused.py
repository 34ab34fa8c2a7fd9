"""The kernels against what PyTorch makes of the same formulas in float64."""

import copy

import pytest
import torch
from torch import nn

from emamba.config import CurveConfig
from emamba.curve import silu_segments
from emamba.model import fused, layers


def compared(function, precise, *operands):
    """`function` of float32, which `fits`, and `precise` of float64: values and gradients."""
    ours = [operand.detach().requires_grad_() for operand in operands]
    theirs = [operand.detach().double().requires_grad_() for operand in operands]
    assert fused.fits(*ours)
    assert not fused.fits(*theirs)
    result, expected = function(*ours), precise(*theirs)
    weights = torch.randn(result.mT.shape).mT
    found = torch.autograd.grad((result * weights).sum(), ours)
    wanted = torch.autograd.grad((expected * weights).sum(), theirs)
    for one, other in zip([result, *found], [expected, *wanted], strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 4, 8), (0, 3)], ids=str)
def test_straight(shape):
    segments = silu_segments(17, "optimal")
    precise = layers.Straight(segments).double()
    compared(layers.Straight(segments), precise, 6 * torch.randn(shape[::-1]).permute(*range(len(shape))[::-1]))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 4, 20), (0, 3)], ids=str)
def test_ranged(shape):
    compared(layers.ranged, layers.ranged, torch.randn(shape[::-1]).permute(*range(len(shape))[::-1]))


def test_equal_ends_share_their_gradient():
    x = torch.tensor([[1.0, 2.0, 2.0, -1.0, -1.0, -1.0], [3.0] * 6, [0.0, -0.0, 1.0, 1.0, 1.0, 0.5]])
    compared(layers.ranged, layers.ranged, x)


def test_what_is_not_a_number_stays_so():
    x = torch.tensor([[1.0, torch.nan, 2.0], [1.0, 2.0, 3.0]])
    assert layers.ranged(x).isnan().any(1).tolist() == [True, False]
    for limit in (0.0, 1.5):
        assert fused.saturated_silu(x, limit).isnan().any(1).tolist() == [True, False]
        assert fused.gated(x, torch.ones_like(x), limit).isnan().any(1).tolist() == [True, False]


@pytest.mark.parametrize("limit", [0.0, 1.5])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 4, 8), (0, 3)], ids=str)
def test_saturated_silu(shape, limit):
    x = 3 * torch.randn(shape[::-1]).permute(*range(len(shape))[::-1])
    compared(lambda x: fused.saturated_silu(x, limit), lambda x: layers.saturated(nn.SiLU(), x, limit), x)


@pytest.mark.parametrize("limit", [0.0, 1.5])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 4, 8), (0, 3)], ids=str)
def test_gated(shape, limit):
    y, z = 3 * torch.randn(2, *shape[::-1]).permute(0, *range(len(shape), 0, -1))
    compared(lambda y, z: fused.gated(y, z, limit), lambda y, z: layers.gated(y, z, nn.SiLU(), limit), y, z)


def test_at_and_beyond_the_limit_nothing_is_learned():
    x = torch.tensor([[-9.0, -1.5, -1.0, 0.0, 1.0, 1.5, 9.0]])
    compared(lambda x: fused.saturated_silu(x, 1.5), lambda x: layers.saturated(nn.SiLU(), x, 1.5), x)
    compared(lambda x: fused.gated(x, x, 1.5), lambda x: layers.gated(x, x, nn.SiLU(), 1.5), x)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 4), (3, 2)])
@pytest.mark.parametrize("channels", [3, 8, 17])
def test_convolved(channels, kernel):
    high, wide = kernel
    x = torch.randn(2, 3 + high - 1, channels, 5 + wide - 1).mT
    compared(layers.convolved, layers.convolved, x, torch.randn(channels, high, wide), torch.randn(channels))


def test_channels_fill_whole_vectors():
    filled = fused.array(torch.ones(2, 3), fused.whole(3))
    assert filled.shape[1] % 8 == 0
    assert filled.sum() == 6
    assert fused.whole(16) == 16


def test_learned_segments():
    curve = layers.silu(CurveConfig(form="segments", segments=5, knots="learned"))
    x = 6 * torch.randn(4, 31, 9)
    precise = torch.randn(4, 31, 9, dtype=torch.float64)
    ours = torch.autograd.grad((curve(x) * precise.float()).sum(), list(curve.parameters()))
    theirs = copy.deepcopy(curve).double()
    wanted = torch.autograd.grad((theirs(x.double()) * precise).sum(), list(theirs.parameters()))
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4)
    compared(curve, theirs, x)
