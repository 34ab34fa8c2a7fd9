"""The selective scan in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def selective_scan(
    x: Tensor,
    delta: Tensor,
    b: Tensor,
    c: Tensor,
    rate: Tensor,
    skip: Tensor,
    exp: Callable[[Tensor], Tensor],
    state: Tensor,
) -> tuple[Tensor, Tensor]:
    """Output [batch, time, channels], and the states [batch, time, states, channels] without gradient.

    `x`, `delta` [batch, time, channels]; `b`, `c` [batch, time, states]; `rate` = -A [channels, states];
    `skip` [channels]; `state` [batch, states, channels] is the one before the first token. For each token:

        h = exp(-delta * rate) * h + delta * x * b;    y = sum_n c[n] * h[n] + skip * x

    States lie before channels because broadcasting along the longer axis is twice as fast.
    """
    decay = exp(delta[:, :, None] * -rate.T)
    readout, states = _Recurrence.apply(decay, delta * x, b, c, state)  # pyright: ignore[reportGeneralTypeIssues]
    return readout + skip * x, states


class _Recurrence(torch.autograd.Function):
    """`h[t] = decay[t] * h[t-1] + b[t] * driven[t]`: all `sum_n c[n] * h[n]`, and all h.

    One autograd node for the whole loop, with one operation a token in each direction.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, driven: Tensor, b: Tensor, c: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        states, last = b[..., None] * driven[:, :, None], state
        for now, kept in zip(states.unbind(1), decay.unbind(1), strict=True):
            last = now.addcmul_(kept, last)
        ctx.save_for_backward(decay, driven, b, c, state, states)
        ctx.mark_non_differentiable(states)
        return (c[..., None] * states).sum(2), states

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        decay, driven, b, c, state, states = ctx.saved_tensors
        above = gradients[0]
        total, last = c[..., None] * above[:, :, None], torch.zeros_like(state)
        for now, kept in zip(reversed(total.unbind(1)), reversed(decay.unbind(1)), strict=True):
            last = now.add_(last) * kept
        before = torch.cat([state[:, None], states[:, :-1]], dim=1)
        to_b, to_c = (total @ driven[..., None])[..., 0], (states @ above[..., None])[..., 0]
        return total * before, (b[..., None] * total).sum(2), to_b, to_c, last
