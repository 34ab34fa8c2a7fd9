"""The selective scan on a GPU in Triton, forward and backward, on float32.

A program has one row of the batch and `_LANES` channels with all their states. It goes through the tokens in chunks of
`_TOKENS`, and within a chunk the states come from an associative scan over (decay, drive). As on the CPU (`kernels`)
only the states before each chunk are kept, and sums over rows or channels come out in parts, added up in a fixed
order: the same operands give the same bytes.
"""

# pyright: reportMissingImports=false, reportCallIssue=false, reportGeneralTypeIssues=false
from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

_TOKENS, _LANES = 16, 8  # a sector of memory has 8 floats
_WORTH = 512  # elements of a tile that a warp is worth waking for


@triton.jit
def _after(decay, drive, next_decay, next_drive):
    """One token, and the next, as one."""
    return decay * next_decay, next_decay * drive + next_drive


@triton.jit
def _curve(a, knots, slopes, intercepts, pieces: tl.constexpr):
    """Value and slope at `a`: of the segments, or of exp when there are none."""
    if pieces == 0:
        value = tl.exp(a)
        return value, value
    slope, value = a * 0 + tl.load(slopes), a * 0 + tl.load(intercepts)
    for p in tl.static_range(1, pieces):
        beyond = a >= tl.load(knots + p - 1)
        slope = tl.where(beyond, tl.load(slopes + p), slope)
        value = tl.where(beyond, tl.load(intercepts + p), value)
    return slope * a + value, slope


@triton.jit
def _at(tile, rows, row):
    """The row of `tile` [rows, ...] where `rows` is `row`."""
    return tl.sum(tl.where(rows[:, None, None] == row, tile, 0.0), 0)


@triton.jit
def _places(row, t, ds, ns, time, channels, states: tl.constexpr):
    """Where tokens `t` lie in [batch, time, channels] and in [batch, time, states], and which of them are there."""
    wide = (row * time + t)[:, None] * channels + ds[None]
    narrow = (row * time + t)[:, None] * states + ns[None]
    return wide, narrow, (t < time)[:, None] & (ds < channels)[None], (t < time)[:, None] & (ns < states)[None]


@triton.jit
def _before(x, delta, b, rates, start, ts, knots, slopes, intercepts, pieces: tl.constexpr):
    """States before each token of a chunk, from `x`, `delta` and `b` of the token before it and those at its start."""
    decay, _ = _curve(delta[:, None, :] * rates[None], knots, slopes, intercepts, pieces)
    decay = tl.where((ts > 0)[:, None, None], decay, 1.0)
    share, added = tl.associative_scan((decay, b[:, :, None] * (delta * x)[:, None, :]), 0, _after)
    return share * start[None] + added


@triton.jit
def _to_states(next_delta, c, readout, rates, carry, knots, slopes, intercepts, pieces: tl.constexpr):
    """Gradients to the states after each token of a chunk; `carry` is the one after the first token behind it."""
    decay, _ = _curve(next_delta[:, None, :] * rates[None], knots, slopes, intercepts, pieces)
    added = c[:, :, None] * readout[:, None, :]
    share, added = tl.associative_scan((decay, added), 0, _after, reverse=True)
    return share * carry[None] + added


@triton.jit
def _to_lines(argument, to_value, knots, ps, pieces: tl.constexpr):
    """What values of a curve pass on to slopes and intercepts of its segments, which `ps` numbers."""
    to_slopes, to_intercepts = ps * 0.0, ps * 0.0
    for p in tl.static_range(pieces):
        mine = to_value
        if p > 0:
            mine = tl.where(argument >= tl.load(knots + p - 1), mine, 0.0)
        if p < pieces - 1:
            mine = tl.where(argument < tl.load(knots + p), mine, 0.0)
        to_slopes += tl.where(ps == p, tl.sum(mine * argument), 0.0)
        to_intercepts += tl.where(ps == p, tl.sum(mine), 0.0)
    return to_slopes, to_intercepts


@triton.jit
def _scan(
    x, delta, b, c, a, skip, knots, slopes, intercepts, state, y, kept, last,
    time, channels, states: tl.constexpr, pieces: tl.constexpr,
    tokens: tl.constexpr, padded: tl.constexpr, lanes: tl.constexpr,
):  # fmt: skip
    """Writes `y`, into `kept` [batch, chunks, states, channels] the states before each chunk, and those after all."""
    row, group = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)  # places may lie beyond 2**31
    ds, ns, ts = group * lanes + tl.arange(0, lanes), tl.arange(0, padded), tl.arange(0, tokens)
    there = (ns < states)[:, None] & (ds < channels)[None]
    grid = ns[:, None] * channels + ds[None]
    rates, skips = tl.load(a + grid, there, 0.0), tl.load(skip + ds, ds < channels, 0.0)
    h = tl.load(state + row * states * channels + grid, there, 0.0)
    chunks = tl.cdiv(time, tokens)
    for chunk in range(chunks):
        tl.store(kept + (row * chunks + chunk) * states * channels + grid, h, there)
        t = chunk * tokens + ts
        wide, narrow, inside, known = _places(row, t, ds, ns, time, channels, states)
        step, driven = tl.load(delta + wide, inside, 0.0), tl.load(x + wide, inside, 0.0)
        bs, cs = tl.load(b + narrow, known, 0.0), tl.load(c + narrow, known, 0.0)
        decay, _ = _curve(step[:, None, :] * rates[None], knots, slopes, intercepts, pieces)
        decay = tl.where((t < time)[:, None, None], decay, 1.0)
        kept_share, added = tl.associative_scan((decay, bs[:, :, None] * (step * driven)[:, None, :]), 0, _after)
        states_after = kept_share * h[None] + added
        tl.store(y + wide, tl.sum(cs[:, :, None] * states_after, 1) + skips[None] * driven, inside)
        h = _at(states_after, ts, tokens - 1)
    tl.store(last + row * states * channels + grid, h, there)


@triton.jit
def _scan_gradients(
    x, delta, b, c, a, skip, knots, slopes, intercepts, kept, above,
    to_x, to_delta, to_b, to_c, to_a, to_skip, to_state, to_lines,
    time, channels, states: tl.constexpr, pieces: tl.constexpr, learned: tl.constexpr,
    most_pieces: tl.constexpr, tokens: tl.constexpr, padded: tl.constexpr, lanes: tl.constexpr,
):  # fmt: skip
    """Writes the gradients that `above`, the one of y, gives.

    `to_b` and `to_c` have an axis for the groups of channels in front, `to_a` and `to_skip` one for the rows of the
    batch, `to_lines` [rows, groups, 2, pieces], of slopes and intercepts, both.
    """
    row, group = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)  # places may lie beyond 2**31
    ds, ns, ts = group * lanes + tl.arange(0, lanes), tl.arange(0, padded), tl.arange(0, tokens)
    there = (ns < states)[:, None] & (ds < channels)[None]
    grid = ns[:, None] * channels + ds[None]
    rates, skips = tl.load(a + grid, there, 0.0), tl.load(skip + ds, ds < channels, 0.0)
    chunks, ps = tl.cdiv(time, tokens), tl.arange(0, most_pieces)
    carry = tl.zeros((padded, lanes), tl.float32)  # gradient to the states after the first token of the next chunk
    sum_a, before_all, sum_skip = carry, carry, tl.zeros((lanes,), tl.float32)
    sum_slopes, sum_intercepts = ps * 0.0, ps * 0.0
    for back in range(chunks):
        chunk = chunks - 1 - back
        t = chunk * tokens + ts
        wide, narrow, inside, known = _places(row, t, ds, ns, time, channels, states)
        later, follows = inside & (ts > 0)[:, None], (t + 1 < time)[:, None] & (ds < channels)[None]
        start = tl.load(kept + (row * chunks + chunk) * states * channels + grid, there, 0.0)
        before = _before(
            tl.load(x + wide - channels, later, 0.0), tl.load(delta + wide - channels, later, 0.0),
            tl.load(b + narrow - states, known & (ts > 0)[:, None], 0.0),
            rates, start, ts, knots, slopes, intercepts, pieces,
        )  # fmt: skip
        cs, readout = tl.load(c + narrow, known, 0.0), tl.load(above + wide, inside, 0.0)
        next_step = tl.load(delta + wide + channels, follows, 0.0)
        to_h = _to_states(next_step, cs, readout, rates, carry, knots, slopes, intercepts, pieces)
        carry = _at(to_h, ts, 0)
        step, driven = tl.load(delta + wide, inside, 0.0), tl.load(x + wide, inside, 0.0)
        bs, drive, argument = tl.load(b + narrow, known, 0.0), step * driven, step[:, None, :] * rates[None]
        decay, slope = _curve(argument, knots, slopes, intercepts, pieces)
        before_all = _at(decay * to_h, ts, 0)
        to_argument = to_h * before * slope
        sum_a += tl.sum(to_argument * step[:, None, :], 0)
        sum_skip += tl.sum(driven * readout, 0)
        to_drive = tl.sum(to_h * bs[:, :, None], 1)
        tl.store(to_x + wide, to_drive * step + skips[None] * readout, inside)
        tl.store(to_delta + wide, to_drive * driven + tl.sum(to_argument * rates[None], 1), inside)
        part = group * tl.num_programs(0) * time * states + narrow
        tl.store(to_b + part, tl.sum(to_h * drive[:, None, :], 2), known)
        after = decay * before + bs[:, :, None] * drive[:, None, :]
        tl.store(to_c + part, tl.sum(after * readout[:, None, :], 2), known)
        if learned:
            to_value = tl.where(known[:, :, None] & inside[:, None, :], to_h * before, 0.0)
            found = _to_lines(argument, to_value, knots, ps, pieces)
            sum_slopes, sum_intercepts = sum_slopes + found[0], sum_intercepts + found[1]
    tl.store(to_a + row * states * channels + grid, sum_a, there)
    tl.store(to_state + row * states * channels + grid, before_all, there)
    tl.store(to_skip + row * channels + ds, sum_skip, ds < channels)
    if learned:
        lines = to_lines + (row * tl.num_programs(1) + group) * 2 * pieces + ps
        tl.store(lines, sum_slopes, ps < pieces)
        tl.store(lines + pieces, sum_intercepts, ps < pieces)


def scanned(*tensors: Tensor) -> tuple[Tensor, Tensor]:
    """Results of `scan.selective_scan`: of its operands but `exp`, and of the knots, slopes and intercepts of that."""
    return _Scan.apply(*tensors)  # pyright: ignore[reportReturnType]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        x, delta, b, c, a, skip, state, *segments = _contiguous(tensors)
        batch, time, channels = x.shape
        kept = x.new_empty(batch, ceil(time / _TOKENS), *a.shape)
        y, last = torch.empty_like(x), torch.empty_like(state)
        operands = (x, delta, b, c, a, skip, *segments, state, y, kept, last)
        with torch.cuda.device_of(x):
            _scan[_grid(x)](*operands, time, channels, *_sizes(a, segments), **_tile(a))
        ctx.save_for_backward(*tensors, kept)
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        *tensors, kept = ctx.saved_tensors
        x, delta, b, c, a, skip, state, *segments = _contiguous(tensors)
        (batch, groups), (_, time, channels) = _grid(x), x.shape
        learned = ctx.needs_input_grad[8]
        to_x, to_delta, to_state = torch.empty_like(x), torch.empty_like(x), torch.empty_like(state)
        to_b, to_c = x.new_empty(2, groups, *b.shape)
        to_a, to_skip = x.new_empty(batch, *a.shape), x.new_empty(batch, channels)
        to_lines = x.new_empty(batch, groups, 2, len(segments[1]))
        inputs = (x, delta, b, c, a, skip, *segments, kept, gradients[0].contiguous())
        outputs = (to_x, to_delta, to_b, to_c, to_a, to_skip, to_state, to_lines)
        states, pieces = _sizes(a, segments)
        sizes = (time, channels, states, pieces, learned, _padded(pieces))
        with torch.cuda.device_of(x):
            _scan_gradients[batch, groups](*inputs, *outputs, *sizes, **_tile(a))
        found = (to_x, to_delta, to_b.sum(0), to_c.sum(0), -to_a.sum(0).T, to_skip.sum(0), to_state)
        return *found, None, *(to_lines.sum((0, 1)) if learned else (None, None))


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The operands of `selective_scan` as the kernels want them: a = -rate.T."""
    x, delta, b, c, rate, *more = (tensor.detach() for tensor in tensors)
    return [tensor.contiguous() for tensor in (x, delta, b, c, -rate.T, *more)]


def _grid(x: Tensor) -> tuple[int, int]:
    return len(x), ceil(x.shape[2] / _LANES)


def _sizes(a: Tensor, segments: Sequence[Tensor]) -> tuple[int, int]:
    """Numbers of states and of segments."""
    return len(a), len(segments[1])


def _tile(a: Tensor) -> dict[str, int]:
    """What a program works on at once, and with how many warps."""
    states = _padded(len(a))
    warps = min(8, max(1, _TOKENS * states * _LANES // _WORTH))
    return {"tokens": _TOKENS, "padded": states, "lanes": _LANES, "num_warps": warps}


def _padded(count: int) -> int:
    """The next power of 2, as Triton wants its tiles."""
    return 1 << max(0, count - 1).bit_length()
