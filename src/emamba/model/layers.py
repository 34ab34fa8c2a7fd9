"""What a Mamba block is made of besides linear maps: norms, curves, convolutions over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from emamba.config import CurveConfig, MambaConfig
from emamba.curve import Real, Segments, exp_segments, silu_segments
from emamba.model import fused
from emamba.model.shape import Shape

Lines = tuple[Tensor, Tensor, Tensor]  # knots, slopes and intercepts of `curve.Segments`

_NARROWEST = 1 / 8  # of an even segment's width is what a learned one keeps; few optimal ones are as narrow
_WIDER = 1e-3  # and by so much wider is what learning begins with at least


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


def saturated(curve: nn.Module, x: Tensor, limit: float) -> Tensor:
    """`curve` of what `limited` makes of `x`."""
    if isinstance(curve, nn.SiLU) and fused.fits(x):
        return fused.saturated_silu(x, limit)
    return curve(limited(x, limit))


def gated(y: Tensor, z: Tensor, curve: nn.Module, limit: float) -> Tensor:
    """`y` times `curve` of `z`; both `y` and the result are `limited`."""
    if isinstance(curve, nn.SiLU) and fused.fits(y, z):
        return fused.gated(y, z, limit)
    return limited(limited(y, limit) * curve(z), limit)


def norm(config: MambaConfig) -> nn.Module:
    """The norm over `d_model` channels that `config` asks for."""
    match config.norm:
        case "range":
            return RangeNorm(config.d_model, config.norm_constant)
        case "layer":
            return nn.LayerNorm(config.d_model)
        case "rms":
            return nn.RMSNorm(config.d_model, eps=1e-5)


class Segmented(nn.Module):
    """A function of straight segments; the gradient is the slope of the piece."""

    @property
    def segments(self) -> Segments:
        """The segments as they are now."""
        raise NotImplementedError

    @property
    def lines(self) -> Lines:
        """The segments as tensors, with gradients to the parameters if there are any."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """f(x), element by element."""
        knots, slopes, intercepts = self.lines
        if fused.fits(x, knots):
            return fused.straight(x, knots, slopes, intercepts)
        piece = torch.bucketize(x.detach().contiguous(), knots.detach(), right=True)
        return slopes[piece] * x + intercepts[piece]


class Straight(Segmented):
    """Segments that stay as they are."""

    knots: Tensor
    slopes: Tensor
    intercepts: Tensor

    def __init__(self, segments: Segments) -> None:
        super().__init__()
        self._segments = segments
        for name in ("knots", "slopes", "intercepts"):
            self.register_buffer(name, _tensor(getattr(segments, name)), persistent=False)

    @property
    def segments(self) -> Segments:
        """Those it was made of."""
        return self._segments

    @property
    def lines(self) -> Lines:
        """As tensors, without gradient."""
        return self.knots, self.slopes, self.intercepts


class Learned(Segmented):
    """Continuous straight segments whose inner knots, and values there, are parameters; they begin as those of `start`.

    The first and the last knot and the lines beyond stay as they are in `start`, and the function joins them. With n
    segments from the knot lo to hi, w = `widths` and v = `values`:

        knot[p] = lo + (hi - lo) * sum_{q < p} (1/8 * 1/n + 7/8 * softmax(w)[q]);    f(knot[p]) = v[p - 1]

    So knots stay in order, apart and within lo..hi, wherever training steps. With `unit` a value is sigmoid(v[p - 1]),
    within 0..1. The function is continuous: its gradient to a knot is what slopes and intercepts pass on.
    """

    ends: Tensor

    def __init__(self, start: Segments, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        below = start.slopes[:-1] * start.knots + start.intercepts[:-1]  # the lines on both sides of each knot, on it
        above = start.slopes[1:] * start.knots + start.intercepts[1:]
        ends = start.knots[[0, -1]], (below[0], above[-1]), start.slopes[[0, -1]], start.intercepts[[0, -1]]
        self.register_buffer("ends", _tensor(np.array(ends)), persistent=False)
        widths, values = np.diff(start.knots) / np.ptp(start.knots), (below + above)[1:-1] / 2
        self.widths = nn.Parameter(_tensor(np.log(np.maximum(widths * len(widths) - _NARROWEST, _WIDER))))
        self.values = nn.Parameter(_tensor(np.log(values / (1 - values)) if unit else values))

    @property
    def lines(self) -> Lines:
        """With gradients to the parameters."""
        (lo, hi), outer, slopes, intercepts = (end for end in self.ends)
        shares = _NARROWEST / len(self.widths) + (1 - _NARROWEST) * self.widths.softmax(0)
        knots = _between(self.ends[0], lo + (hi - lo) * shares.cumsum(0)[:-1])
        values = _between(outer, self.values.sigmoid() if self.unit else self.values)
        steepness = values.diff() / knots.diff()
        return knots, _between(slopes, steepness), _between(intercepts, values[:-1] - steepness * knots[:-1])

    @property
    def segments(self) -> Segments:
        """As the parameters are now."""
        return Segments(*(it.detach().double().cpu().numpy() for it in self.lines))


def _between(ends: Tensor, inner: Tensor) -> Tensor:
    return torch.cat([ends[:1], inner, ends[1:]])


def _tensor(values: Real) -> Tensor:
    return torch.tensor(values, dtype=torch.get_default_dtype())


class Exp(nn.Module):
    """`e**x`, as a module beside `Straight`."""

    def forward(self, x: Tensor) -> Tensor:
        """Element by element."""
        return torch.exp(x)


def silu(config: CurveConfig) -> nn.Module:
    """SiLU in the form that `config` asks for."""
    if config.form == "exact":
        return nn.SiLU()
    if config.knots == "learned":
        return Learned(silu_segments(config.segments, "optimal"))
    return Straight(silu_segments(config.segments, config.knots))


def exp(config: CurveConfig) -> nn.Module:
    """The exponential of the decay in the form that `config` asks for; a learned one stays within 0..1."""
    if config.form == "exact":
        return Exp()
    if config.knots == "learned":
        return Learned(exp_segments(config.segments, "optimal"), unit=True)
    return Straight(exp_segments(config.segments, config.knots))


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
