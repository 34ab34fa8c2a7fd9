"""The selective scan, differentiable: fused kernels on the CPU and, in Triton, on a GPU; PyTorch elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise, product
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from emamba.model import kernels
from emamba.model.fused import array, fits, whole
from emamba.model.kernels import CHUNK, Floats, Integers
from emamba.model.layers import Exp, Segmented
from emamba.model.vectors import LANES

Curve = Callable[[Tensor], Tensor]

_SHARES = 16  # into how many parts work is cut; fixed, so that sums do not depend on the number of threads
_WORTH = 1 << 23  # states to compute that make up for waking threads; (128, 49, 64, 8) took 3 ms on one, 9 on two


def selective_scan(
    x: Tensor, delta: Tensor, b: Tensor, c: Tensor, rate: Tensor, skip: Tensor, exp: Curve, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Output [batch, time, channels], and the state [batch, states, channels] after it without gradient.

    `x`, `delta` [batch, time, channels]; `b`, `c` [batch, time, states]; `rate` = -A [channels, states];
    `skip` [channels]; `state` [batch, states, channels] is the one before the first token. For each token:

        h = exp(-delta * rate) * h + delta * x * b;    y = sum_n c[n] * h[n] + skip * x

    float32 with an `exp` of `model.layers` goes through fused kernels: on the CPU on `torch.get_num_threads()`
    threads, where the result is the same bytes for any number, and on a GPU where Triton is installed, as it is with
    a PyTorch for CUDA. All else goes through `scanned_states`.
    """
    segments = exp.lines if isinstance(exp, Segmented) else 3 * (x.new_empty(0),)
    tensors = (x, delta, b, c, rate, skip, state, *segments)
    fused = _fused(tensors) if isinstance(exp, Exp | Segmented) else None
    if fused is not None:
        return fused(*tensors)
    states = scanned_states(x, delta, b, rate, exp, state)
    return (c[..., None] * states).sum(2) + skip * x, states[:, -1].detach()


def scanned_states(x: Tensor, delta: Tensor, b: Tensor, rate: Tensor, exp: Curve, state: Tensor) -> Tensor:
    """All states [batch, time, states, channels] of `selective_scan`, one token after the other."""
    decay, drive = exp(delta[:, :, None] * -rate.T), b[..., None] * (delta * x)[:, :, None]
    states = []
    for kept, driven in zip(decay.unbind(1), drive.unbind(1), strict=True):
        state = kept * state + driven
        states.append(state)
    return torch.stack(states, dim=1)


def _fused(tensors: Sequence[Tensor]) -> Callable[..., tuple[Tensor, Tensor]] | None:
    """The kernels that take `tensors`, if any do."""
    if fits(*tensors):
        return _OnCpu.apply  # pyright: ignore[reportReturnType]
    if all(tensor.is_cuda and tensor.dtype == torch.float32 for tensor in tensors) and find_spec("triton"):
        from emamba.model.gpu import scanned

        return scanned
    return None


class _OnCpu(torch.autograd.Function):
    """The kernels as one node of autograd."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        x, delta, b, c, a, skip, state, *segments = _arrays(tensors)
        (batch, time, wide), states, channels = x.shape, len(a), len(tensors[5])
        kept = np.empty((batch, ceil(time / CHUNK), states, wide), np.float32)
        state, y = state.copy(), np.empty_like(x)
        _spread(x.size * states, _shares(batch, wide), kernels.scan, x, delta, b, c, a, skip, *segments, state, y, kept)
        ctx.save_for_backward(*tensors)
        ctx.kept = kept
        last = torch.from_numpy(state[..., :channels])
        ctx.mark_non_differentiable(last)
        return torch.from_numpy(y[..., :channels]), last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        arrays = _arrays(ctx.saved_tensors)
        x, _, b, _, a, skip, state, *_ = arrays
        above = array(gradients[0], len(skip))
        shares = _shares(len(x), len(skip))
        parts, groups = shares[-1, 4:] + 1
        to_x, to_delta = np.empty_like(x), np.empty_like(x)
        to_b, to_c = np.empty((2, groups, *b.shape), np.float32)
        to_a, to_skip = np.zeros((parts, *a.shape), np.float32), np.zeros((parts, *skip.shape), np.float32)
        to_state, learned = np.zeros_like(state), ctx.needs_input_grad[8]
        edges = np.array([-np.inf, *arrays[7], np.inf] if learned else [], np.float32)
        to_lines = np.zeros((parts, groups, 2, max(0, len(edges) - 1), LANES), np.float32)
        inputs = (*arrays[:6], *arrays[7:], ctx.kept, above, edges)
        outputs = (to_x, to_delta, to_b, to_c, to_a, to_skip, to_state, to_lines)
        _spread(x.size * len(a), shares, kernels.scan_gradients, *inputs, *outputs)
        found = (to_x, to_delta, to_b.sum(0), to_c.sum(0), -to_a.sum(0).T, to_skip.sum(0), to_state)
        sizes = (tensor.shape for tensor in ctx.saved_tensors)
        cut = (torch.from_numpy(it[tuple(map(slice, size))]) for it, size in zip(found, sizes, strict=False))
        lines = torch.from_numpy(to_lines.sum((0, 1, 4), dtype=np.float64).astype(np.float32))
        return *cut, None, *(lines if learned else (None, None))


def _arrays(tensors: Sequence[Tensor]) -> list[Floats]:
    """The operands of `selective_scan` as the kernels want them: a = -rate.T, channels up to whole vectors."""
    x, delta, b, c, rate, skip, state, *segments = tensors
    wide = whole(len(skip))
    x, delta, a, skip, state = (array(tensor, wide) for tensor in (x, delta, -rate.T, skip, state))
    return [x, delta, array(b), array(c), a, skip, state, *map(array, segments)]


def _shares(batch: int, channels: int) -> Integers:
    """The work in up to `_SHARES` shares (see `kernels`): of rows, and of channels when there are too few rows."""
    vectors = channels // LANES
    parts = max(1, min(batch, _SHARES))
    groups = min(vectors, ceil(_SHARES / max(1, batch)))
    rows = [batch * part // parts for part in range(parts + 1)]
    columns = [LANES * (vectors * group // groups) for group in range(groups + 1)]
    cut = product(enumerate(pairwise(rows)), enumerate(pairwise(columns)))
    return np.array([(*ends, *borders, part, group) for (part, ends), (group, borders) in cut])


def _spread(states: int, shares: Integers, kernel: Callable[..., None], *arguments: Floats) -> None:
    """Calls `kernel` on all `shares`: at once, or each by itself on PyTorch's number of threads.

    Numba's own threads are not used: their pools do not survive a fork, and one of them ends the process
    when two threads of Python meet in it.
    """
    threads = min(torch.get_num_threads(), len(shares))
    if threads == 1 or states < _WORTH:
        kernel(shares, *arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda share: kernel(share, *arguments), shares[:, None]))
