"""What a Mamba block is made of besides linear maps: norms, curves, convolutions over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emamba.config import CurveConfig, MambaConfig
from emamba.curve import Segments, exp_segments, silu_segments
from emamba.model import fused
from emamba.model.shape import Shape


class RangeNorm(nn.Module):
    """`gamma * constant * (x - mean) / (max - min) + beta` over the last axis; 0 / 0 counts as 0.

    Paper: range norm with constant 25/8 (authors' RTL).
    """

    def __init__(self, channels: int, constant: float) -> None:
        super().__init__()
        self.constant = constant
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The shape of `x`."""
        return self.gamma * self.constant * ranged(x) + self.beta


def ranged(x: Tensor) -> Tensor:
    """`(x - mean) / (max - min)` over the last axis; 0 where all elements are equal."""
    if fused.fits(x):
        return fused.ranged(x)
    spread = x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / torch.where(spread > 0, spread, 1.0)


def limited(x: Tensor, limit: float) -> Tensor:
    """`x` saturated at plus and minus `limit`; without limit if that is 0.

    A norm divides the size of a token away, so nothing else keeps a block's output small: on MARS a few
    tokens were a hundred times as large as most, and eight bits cannot hold both.
    """
    return nn.functional.hardtanh(x, -limit, limit) if limit else x


def norm(config: MambaConfig) -> nn.Module:
    """The norm over `d_model` channels that `config` asks for."""
    match config.norm:
        case "range":
            return RangeNorm(config.d_model, config.norm_constant)
        case "layer":
            return nn.LayerNorm(config.d_model)
        case "rms":
            return nn.RMSNorm(config.d_model, eps=1e-5)


class Straight(nn.Module):
    """`segments` in PyTorch; the gradient is the slope of the piece."""

    knots: Tensor
    slopes: Tensor
    intercepts: Tensor

    def __init__(self, segments: Segments) -> None:
        super().__init__()
        for name in ("knots", "slopes", "intercepts"):
            values = torch.tensor(getattr(segments, name), dtype=torch.get_default_dtype())
            self.register_buffer(name, values, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """f(x), element by element."""
        if fused.fits(x, self.knots):
            return fused.straight(x, self.knots, self.slopes, self.intercepts)
        piece = torch.bucketize(x.detach().contiguous(), self.knots, right=True)
        return self.slopes[piece] * x + self.intercepts[piece]


class Exp(nn.Module):
    """`e**x`, as a module beside `Straight`."""

    def forward(self, x: Tensor) -> Tensor:
        """Element by element."""
        return torch.exp(x)


def silu(config: CurveConfig) -> nn.Module:
    """SiLU in the form that `config` asks for."""
    exact = config.form == "exact"
    return nn.SiLU() if exact else Straight(silu_segments(config.segments, config.knots))


def exp(config: CurveConfig) -> nn.Module:
    """The exponential of the decay in the form that `config` asks for."""
    exact = config.form == "exact"
    return Exp() if exact else Straight(exp_segments(config.segments, config.knots))


def convolution(config: MambaConfig, shape: Shape) -> nn.Module:
    """The convolution over `d_inner` channels that `config` asks for; `shape` has the grid of tokens."""
    match config.convolution:
        case "pointwise":
            return Pointwise(config.d_inner)
        case "depthwise":
            return Depthwise(config.d_inner, config.d_conv)
        case "square":
            return Square(config.d_inner, config.d_conv, shape)


class Depthwise(nn.Module):
    """Causal convolution over time, each channel by itself.

    `bias[c] + sum_k weight[c, k] * x[t - kernel + 1 + k, c]`.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        bound = kernel**-0.5
        self.weight = nn.Parameter(torch.empty(channels, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound))

    def forward(self, x: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [batch, time, channels], `window` the kernel - 1 tokens before; result, next window."""
        joined = torch.cat([window, x], dim=1)
        return convolved(joined[:, None], self.weight[:, None], self.bias)[:, 0], joined[:, x.shape[1] :]


class Square(nn.Module):
    """Convolution over rows and columns of tokens, each channel by itself; zeros beyond the grid.

    `bias[d] + sum_ij weight[d, i, j] * x[row + i - kernel // 2, column + j - kernel // 2, d]`.
    """

    def __init__(self, channels: int, kernel: int, shape: Shape) -> None:
        super().__init__()
        self.shape, bound = shape, 1 / kernel
        self.weight = nn.Parameter(torch.empty(channels, kernel, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound))

    def forward(self, x: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [batch, rows * columns, channels]; result, and the empty window."""
        around = self.weight.shape[1] // 2
        grid = x.unflatten(1, (self.shape.rows, self.shape.columns))
        padded = nn.functional.pad(grid, (0, 0, around, around, around, around))
        return convolved(padded, self.weight, self.bias).flatten(1, 2), window


class Pointwise(nn.Module):
    """A dense linear map of each token (paper: convolution of kernel 1); it has no window."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [batch, time, channels]; result, and the empty window."""
        return self.linear(x), window


def convolved(padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Depthwise convolution without padding.

    [batch, rows + high - 1, columns + wide - 1, channels] with a weight [channels, high, wide] becomes
    [batch, rows, columns, channels]. Without a kernel, a sum over the taps: twice as fast as PyTorch's grouped
    convolution and its gradient.
    """
    if fused.fits(padded, weight, bias):
        return fused.convolved(padded, weight, bias)
    _, high, wide = weight.shape
    rows, columns, total = padded.shape[1] - high + 1, padded.shape[2] - wide + 1, bias
    for i in range(high):
        for j in range(wide):
            total = total + weight[:, i, j] * padded[:, i : i + rows, j : j + columns]
    return total
