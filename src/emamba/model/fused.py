"""The kernels that are no scan, as functions of autograd; for operands that `fits` lets through."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from emamba.model import kernels
from emamba.model.kernels import Floats
from emamba.model.vectors import LANES


def fits(*tensors: Tensor) -> bool:
    """Whether the kernels take `tensors`: float32 on the CPU."""
    return all(tensor.dtype == torch.float32 and tensor.is_cpu for tensor in tensors)


def whole(channels: int) -> int:
    """`channels` rounded up to whole vectors."""
    return ceil(channels / LANES) * LANES


def array(tensor: Tensor, channels: int | None = None) -> Floats:
    """A contiguous array; its last axis filled up with zeros to `channels`."""
    lacking = 0 if channels is None else channels - tensor.shape[-1]
    tensor = tensor.detach()
    return (nn.functional.pad(tensor, (0, lacking)) if lacking else tensor).contiguous().numpy()


def straight(x: Tensor, knots: Tensor, slopes: Tensor, intercepts: Tensor) -> Tensor:
    """Segments at each element of `x`, as `model.layers.Segmented`. Knots get no gradient: segments have to meet."""
    return _Straight.apply(x, knots, slopes, intercepts)  # pyright: ignore[reportReturnType]


def ranged(x: Tensor) -> Tensor:
    """`(x - mean) / (max - min)` over the last axis; 0 where all elements are equal."""
    return _Ranged.apply(x)  # pyright: ignore[reportReturnType]


def saturated_silu(x: Tensor, limit: float) -> Tensor:
    """SiLU of `x`, saturated at plus and minus `limit` before (0: not at all)."""
    return _SaturatedSilu.apply(x, limit)  # pyright: ignore[reportReturnType]


def gated(y: Tensor, z: Tensor, limit: float) -> Tensor:
    """`y` times SiLU of `z`; `y` and the result saturate at plus and minus `limit` (0: not at all)."""
    return _Gated.apply(y, z, limit)  # pyright: ignore[reportReturnType]


def convolved(padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`model.layers.convolved`."""
    return _Convolved.apply(padded, weight, bias)  # pyright: ignore[reportReturnType]


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *segments: Tensor) -> Tensor:
        given = array(x)
        y, steepness = np.empty_like(given), np.empty_like(given)
        kernels.straight(given.reshape(-1), *map(array, segments), y.reshape(-1), steepness.reshape(-1))
        learned = (x, segments[0]) if ctx.needs_input_grad[2] else ()
        ctx.save_for_backward(torch.from_numpy(steepness), *learned)
        return torch.from_numpy(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        steepness, *learned = ctx.saved_tensors
        to_x = gradients[0] * steepness
        if not learned:
            return to_x, None, None, None
        x, knots = map(array, learned)
        sums = np.zeros((2, len(knots) + 1))
        kernels.straight_gradients(x.reshape(-1), array(gradients[0]).reshape(-1), knots, sums)
        return to_x, None, *torch.from_numpy(sums.astype(np.float32))


class _Ranged(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        given = array(x)
        y = np.empty_like(given)
        kernels.ranged(_rows(given), _rows(y))
        ctx.save_for_backward(x)
        return torch.from_numpy(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, above = array(ctx.saved_tensors[0]), array(gradients[0])
        to_x = np.empty_like(x)
        kernels.ranged_gradient(_rows(x), _rows(above), _rows(to_x))
        return torch.from_numpy(to_x)


class _SaturatedSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        given = _vectors(x)
        y, ctx.limit = np.empty_like(given), np.float32(limit or np.inf)
        kernels.saturated_silu(given, ctx.limit, y)
        ctx.save_for_backward(x)
        return _shaped(y, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        given = _vectors(x)
        to_x = np.empty_like(given)
        kernels.saturated_silu_gradient(given, ctx.limit, _vectors(gradients[0]), to_x)
        return _shaped(to_x, x), None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, z: Tensor, limit: float) -> Tensor:
        operands = _vectors(y), _vectors(z)
        result, ctx.limit = np.empty_like(operands[0]), np.float32(limit or np.inf)
        kernels.gate(*operands, ctx.limit, result)
        ctx.save_for_backward(y, z)
        return _shaped(result, y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        operands = [_vectors(tensor) for tensor in ctx.saved_tensors]
        found = [np.empty_like(operand) for operand in operands]
        kernels.gate_gradients(*operands, ctx.limit, _vectors(gradients[0]), *found)
        to_y, to_z = (_shaped(it, tensor) for it, tensor in zip(found, ctx.saved_tensors, strict=True))
        return to_y, to_z, None


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        padded, weight, bias = _prepared(tensors)
        (batch, height, width, channels), (high, wide, _) = padded.shape, weight.shape
        y = np.empty((batch, height - high + 1, width - wide + 1, channels), np.float32)
        kernels.convolve(padded, weight, bias, y)
        ctx.save_for_backward(*tensors)
        return torch.from_numpy(y[..., : len(tensors[2])])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        padded, weight, bias = _prepared(ctx.saved_tensors)
        found = [np.zeros_like(operand) for operand in (padded, weight, bias)]
        kernels.convolve_gradients(padded, weight, array(gradients[0], len(bias)), *found)
        to_padded, to_weight, to_bias = (torch.from_numpy(it[..., : gradients[0].shape[-1]]) for it in found)
        return to_padded, to_weight.movedim(2, 0), to_bias


def _prepared(tensors: tuple[Tensor, ...]) -> list[Floats]:
    """Channels last, in whole vectors."""
    padded, weight, bias = tensors
    return [array(tensor, whole(len(bias))) for tensor in (padded, weight.movedim(0, 2), bias)]


def _vectors(x: Tensor) -> Floats:
    """All elements in a row, filled up with zeros to whole vectors."""
    return array(x.reshape(-1), whole(x.numel()))


def _shaped(elements: Floats, x: Tensor) -> Tensor:
    """What `_vectors` made a row of, in the shape of `x` again."""
    return torch.from_numpy(elements[: x.numel()]).view(x.shape)


def _rows(x: Floats) -> Floats:
    return x.reshape(-1, x.shape[-1])
