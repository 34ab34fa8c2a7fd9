"""The selective scan and what surrounds it in Numba, forward and backward, on float32.

A kernel of the scan works on whole vectors of channels (`vectors`), on the states of one at a time. Of the states
nothing is kept but those before each chunk of `CHUNK` tokens: backward computes the others again.

Work is cut into shares [row, row end, channel, channel end, part, group]: the shares of one part are of the
same rows of the batch, those of one group of the same channels. Sums over the batch come out one a part and
sums over the channels one a group, so that the caller decides the order of addition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emamba.compiled import compiled, inlined
from emamba.model.vectors import LANES, below, floor, load, power_of_two, store, total

CHUNK = 32
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_HALF, _LOG2_E, _LOWEST, _HIGHEST = np.float32(0.5), np.float32(np.log2(np.e)), np.float32(-126), np.float32(127)
_ZERO, _ONE = np.float32(0), np.float32(1)


def _quotient(f: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2**f - 1) / f."""
    return np.expm1(f * np.log(2)) / f


# 2**f = 1 + f * (a polynomial) on -0.5..0.5, through the Chebyshev points; relative error below 1e-8.
_FIT = np.polynomial.Chebyshev.interpolate(_quotient, 5, domain=[-0.5, 0.5])
_C0, _C1, _C2, _C3, _C4, _C5 = (np.float32(c) for c in _FIT.convert(kind=np.polynomial.Polynomial).coef)


@inlined
def exp(a: Any) -> Any:
    """e**a of a vector for -87 < a < 88, relative error below 2e-7 + 1.2e-7 * |a|; outside, about the value there."""
    power = a * _LOG2_E
    power = below(power, _LOWEST, _LOWEST, below(_HIGHEST, power, _HIGHEST, power))
    whole = floor(power + _HALF)
    f = power - whole
    return (_ONE + f * (_C0 + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * _C5)))))) * power_of_two(whole)


@inlined
def curve(a: Any, knots: Floats, slopes: Floats, intercepts: Floats) -> Any:
    """Value and slope at a vector: of the segments, or of exp when there are none."""
    if len(slopes) == 0:
        value = exp(a)
        return value, value
    slope, intercept = a * _ZERO + slopes[0], a * _ZERO + intercepts[0]
    for k in range(len(knots)):
        slope = below(a, knots[k], slope, slopes[k + 1])
        intercept = below(a, knots[k], intercept, intercepts[k + 1])
    return slope * a + intercept, slope


@compiled
def scan(
    shares: Integers, x: Floats, delta: Floats, b: Floats, c: Floats, a: Floats, skip: Floats,
    knots: Floats, slopes: Floats, intercepts: Floats, state: Floats, y: Floats, kept: Floats,
) -> None:  # fmt: skip
    """Writes `y` and, into `kept` [batch, chunks, states, channels], the states before each chunk.

    `a` = -rate [states, channels]; `state` becomes the one after the last token; else as `selective_scan`.
    """
    for row, row_end, channel, channel_end, _, _ in shares:
        for i in range(row, row_end):
            for d in range(channel, channel_end, LANES):
                for t in range(x.shape[1]):
                    if t % CHUNK == 0:
                        for n in range(len(a)):
                            store(kept, (i, t // CHUNK, n, d), load(state, (i, n, d)))
                    step, driven = load(delta, (i, t, d)), load(x, (i, t, d))
                    drive, readout = step * driven, load(skip, (d,)) * driven
                    for n in range(len(a)):
                        decay, _ = curve(step * load(a, (n, d)), knots, slopes, intercepts)
                        h = decay * load(state, (i, n, d)) + b[i, t, n] * drive
                        store(state, (i, n, d), h)
                        readout = readout + c[i, t, n] * h
                    store(y, (i, t, d), readout)


@compiled
def scan_gradients(
    shares: Integers, x: Floats, delta: Floats, b: Floats, c: Floats, a: Floats, skip: Floats,
    knots: Floats, slopes: Floats, intercepts: Floats, kept: Floats, above: Floats, edges: Floats,
    to_x: Floats, to_delta: Floats, to_b: Floats, to_c: Floats, to_a: Floats, to_skip: Floats, to_state: Floats,
    to_lines: Floats,
) -> None:  # fmt: skip
    """Writes the gradients that `above`, the one of y, gives; each has the shape of what it belongs to.

    But `to_b` and `to_c` have an axis for the groups in front, `to_a` and `to_skip` one for the parts; to
    these two, and to `to_state`, it adds. So it does to `to_lines` [parts, groups, 2, segments, LANES], of slopes and
    intercepts, each summed up over an axis of vectors: `edges` are the ends of those segments, none if nobody asks.
    """
    states = len(a)
    memory = np.empty((3, CHUNK + 1, states, LANES), np.float32)
    sums = np.empty((2, CHUNK, states, LANES), np.float32)
    for row, row_end, channel, channel_end, part, group in shares:
        for i in range(row, row_end):
            for chunk in range(kept.shape[1] - 1, -1, -1):
                first = chunk * CHUNK
                count = min(CHUNK, x.shape[1] - first)
                sums[:] = _ZERO
                for d in range(channel, channel_end, LANES):
                    _recall(i, first, count, d, x, delta, b, a, knots, slopes, intercepts, kept[i, chunk], memory)
                    _back(
                        i, first, count, d, x, delta, b, c, a, skip, memory, above, edges,
                        to_x, to_delta, to_a[part], to_skip[part], to_state, to_lines[part, group], sums,
                    )  # fmt: skip
                for t in range(count):
                    for n in range(states):
                        to_b[group, i, first + t, n] = total(load(sums, (0, t, n, 0)))
                        to_c[group, i, first + t, n] = total(load(sums, (1, t, n, 0)))


@inlined
def _recall(
    i: int, first: int, count: int, d: int, x: Floats, delta: Floats, b: Floats, a: Floats,
    knots: Floats, slopes: Floats, intercepts: Floats, start: Floats, memory: Floats,
) -> None:  # fmt: skip
    """Into `memory`: for each token of a chunk the state before it, its decay and the slope of that.

    One token more has the state after the last.
    """
    for n in range(len(a)):
        store(memory, (0, 0, n, 0), load(start, (n, d)))
    for t in range(count):
        step = load(delta, (i, first + t, d))
        drive = step * load(x, (i, first + t, d))
        for n in range(len(a)):
            decay, slope = curve(step * load(a, (n, d)), knots, slopes, intercepts)
            store(memory, (1, t, n, 0), decay)
            store(memory, (2, t, n, 0), slope)
            store(memory, (0, t + 1, n, 0), decay * load(memory, (0, t, n, 0)) + b[i, first + t, n] * drive)


@inlined
def _back(
    i: int, first: int, count: int, d: int, x: Floats, delta: Floats, b: Floats, c: Floats, a: Floats, skip: Floats,
    memory: Floats, above: Floats, edges: Floats,
    to_x: Floats, to_delta: Floats, to_a: Floats, to_skip: Floats, to_state: Floats, to_lines: Floats, sums: Floats,
) -> None:  # fmt: skip
    """The gradients of one chunk of one vector; `to_state` is that of the state after it, then before it."""
    for t in range(count - 1, -1, -1):
        step, driven = load(delta, (i, first + t, d)), load(x, (i, first + t, d))
        readout = load(above, (i, first + t, d))
        drive = step * driven
        to_drive, to_step = drive * _ZERO, drive * _ZERO
        for n in range(len(a)):
            to_h = load(to_state, (i, n, d)) + c[i, first + t, n] * readout
            to_decay = to_h * load(memory, (0, t, n, 0))
            to_argument = to_decay * load(memory, (2, t, n, 0))
            _to_lines(step * load(a, (n, d)), to_decay, edges, to_lines)
            store(to_state, (i, n, d), to_h * load(memory, (1, t, n, 0)))
            store(to_a, (n, d), load(to_a, (n, d)) + to_argument * step)
            store(sums, (0, t, n, 0), load(sums, (0, t, n, 0)) + to_h * drive)
            after = load(memory, (0, t + 1, n, 0))
            store(sums, (1, t, n, 0), load(sums, (1, t, n, 0)) + after * readout)
            to_drive = to_drive + to_h * b[i, first + t, n]
            to_step = to_step + to_argument * load(a, (n, d))
        store(to_x, (i, first + t, d), to_drive * step + load(skip, (d,)) * readout)
        store(to_delta, (i, first + t, d), to_drive * driven + to_step)
        store(to_skip, (d,), load(to_skip, (d,)) + driven * readout)


@inlined
def _to_lines(argument: Any, to_value: Any, edges: Floats, to_lines: Floats) -> None:
    """Adds what a value of a curve passes on to the slope and the intercept of the segment that it is on."""
    to_slope = to_value * argument
    for p in range(len(edges) - 1):
        slope = below(argument, edges[p + 1], below(argument, edges[p], _ZERO, to_slope), _ZERO)
        intercept = below(argument, edges[p + 1], below(argument, edges[p], _ZERO, to_value), _ZERO)
        store(to_lines, (0, p, 0), load(to_lines, (0, p, 0)) + slope)
        store(to_lines, (1, p, 0), load(to_lines, (1, p, 0)) + intercept)


@compiled
def straight(x: Floats, knots: Floats, slopes: Floats, intercepts: Floats, y: Floats, steepness: Floats) -> None:
    """Segments at all elements of `x` [n]: their values and slopes."""
    whole = len(x) // LANES * LANES
    for i in range(0, whole, LANES):
        value, slope = curve(load(x, (i,)), knots, slopes, intercepts)
        store(y, (i,), value)
        store(steepness, (i,), slope)
    for i in range(whole, len(x)):
        piece = np.searchsorted(knots, x[i], side="right")
        y[i], steepness[i] = slopes[piece] * x[i] + intercepts[piece], slopes[piece]


@compiled
def straight_gradients(x: Floats, above: Floats, knots: Floats, sums: NDArray[np.float64]) -> None:
    """Adds the gradients of slopes and intercepts to `sums` [2, segments]; `above` is the one of y."""
    for i in range(len(x)):
        piece = np.searchsorted(knots, x[i], side="right")
        sums[0, piece] += above[i] * x[i]
        sums[1, piece] += above[i]


@inlined
def _extent(row: Floats) -> Any:
    """Largest and smallest element, mean, and 1 / (largest - smallest), or 1 where they are equal."""
    high = low = row[0]
    added = _ZERO
    for value in row:
        high, low, added = max(high, value), min(low, value), added + value
    return high, low, added / np.float32(len(row)), _ONE / (high - low) if high > low else _ONE


@compiled
def ranged(x: Floats, y: Floats) -> None:
    """`(x - mean) / (max - min)` of each row of `x` [rows, channels]; 0 where all elements are equal."""
    for i in range(len(x)):
        _, _, mean, scale = _extent(x[i])
        for j in range(x.shape[1]):
            y[i, j] = (x[i, j] - mean) * scale


@compiled
def ranged_gradient(x: Floats, above: Floats, to_x: Floats) -> None:
    """Equal largest elements share the gradient of the largest evenly, equal smallest that of the smallest."""
    channels = np.float32(x.shape[1])
    for i in range(len(x)):
        high, low, mean, scale = _extent(x[i])
        highest = lowest = added = product = _ZERO
        for j in range(x.shape[1]):
            highest += _ONE if x[i, j] == high else _ZERO
            lowest += _ONE if x[i, j] == low else _ZERO
            added += above[i, j]
            product += above[i, j] * (x[i, j] - mean)
        to_spread = -product * scale * scale if high > low else _ZERO
        to_high, to_low = to_spread / highest, -to_spread / lowest
        for j in range(x.shape[1]):
            result = (above[i, j] - added / channels) * scale
            if x[i, j] == high:
                result += to_high
            if x[i, j] == low:
                result += to_low
            to_x[i, j] = result


@inlined
def _clipped(a: Any, limit: Any) -> Any:
    """A vector saturated at plus and minus `limit`."""
    return below(a, -limit, -limit, below(limit, a, limit, a))


@inlined
def _passed(a: Any, limit: Any, above: Any) -> Any:
    """The gradient of `_clipped` at `a`, given that of its result."""
    return below(a, limit, below(-limit, a, above, _ZERO), _ZERO)


@inlined
def _silu(a: Any) -> Any:
    """Value and slope of SiLU at a vector."""
    share = _ONE / (_ONE + exp(_ZERO - a))
    return a * share, share * (_ONE + a * (_ONE - share))


@compiled
def saturated_silu(x: Floats, limit: np.float32, y: Floats) -> None:
    """SiLU of `x` [whole vectors], saturated at plus and minus `limit` before."""
    for i in range(0, len(x), LANES):
        value, _ = _silu(_clipped(load(x, (i,)), limit))
        store(y, (i,), value)


@compiled
def saturated_silu_gradient(x: Floats, limit: np.float32, above: Floats, to_x: Floats) -> None:
    """Writes `to_x`; `above` is the gradient of y."""
    for i in range(0, len(x), LANES):
        given = load(x, (i,))
        _, slope = _silu(_clipped(given, limit))
        store(to_x, (i,), _passed(given, limit, load(above, (i,)) * slope))


@compiled
def gate(y: Floats, z: Floats, limit: np.float32, result: Floats) -> None:
    """`y` times SiLU of `z` [whole vectors]; `y` and the result saturate at plus and minus `limit`."""
    for i in range(0, len(y), LANES):
        opened, _ = _silu(load(z, (i,)))
        store(result, (i,), _clipped(_clipped(load(y, (i,)), limit) * opened, limit))


@compiled
def gate_gradients(y: Floats, z: Floats, limit: np.float32, above: Floats, to_y: Floats, to_z: Floats) -> None:
    """Writes both gradients; `above` is that of the result."""
    for i in range(0, len(y), LANES):
        given = load(y, (i,))
        kept, (opened, slope) = _clipped(given, limit), _silu(load(z, (i,)))
        to_product = _passed(kept * opened, limit, load(above, (i,)))
        store(to_y, (i,), _passed(given, limit, to_product * opened))
        store(to_z, (i,), to_product * kept * slope)


@compiled
def convolve(x: Floats, weight: Floats, bias: Floats, y: Floats) -> None:
    """Depthwise, without padding: `model.layers.convolved`, but `weight` [high, wide, channels]."""
    for i in range(len(x)):
        for row in range(y.shape[1]):
            for column in range(y.shape[2]):
                for d in range(0, x.shape[3], LANES):
                    result = load(bias, (d,))
                    for p in range(weight.shape[0]):
                        for q in range(weight.shape[1]):
                            result = result + load(weight, (p, q, d)) * load(x, (i, row + p, column + q, d))
                    store(y, (i, row, column, d), result)


@compiled
def convolve_gradients(
    x: Floats, weight: Floats, above: Floats, to_x: Floats, to_weight: Floats, to_bias: Floats
) -> None:
    """Adds to all three gradients; `above` is the one of y."""
    for i in range(len(x)):
        for row in range(above.shape[1]):
            for column in range(above.shape[2]):
                for d in range(0, x.shape[3], LANES):
                    to_y = load(above, (i, row, column, d))
                    store(to_bias, (d,), load(to_bias, (d,)) + to_y)
                    for p in range(weight.shape[0]):
                        for q in range(weight.shape[1]):
                            place, tap = (i, row + p, column + q, d), (p, q, d)
                            store(to_x, place, load(to_x, place) + load(weight, tap) * to_y)
                            store(to_weight, tap, load(to_weight, tap) + load(x, place) * to_y)
