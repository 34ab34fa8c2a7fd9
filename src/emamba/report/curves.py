"""The approximated functions of a run: those the model trains with, those the integers compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emamba.config import CurveConfig, ModelConfig
from emamba.curve import Function, IntegerCurve, Real, Segments, curve_error, exp, exp_segments, silu, silu_segments
from emamba.fixed import dequantize
from emamba.graph import Activation, Graph, Scan
from emamba.report.results import Results

_POINTS = 512  # drawn at most; errors are always over all values
_WIDEST_FRACTION = 24  # bits


@dataclass(frozen=True, eq=False)
class Curve:
    """A function and its approximation, in real units, over the points `x`.

    `max` and `mean` are absolute errors over [lo, hi]; `unit` is one step of the output integer
    (None: real numbers); `users` name the operations that compute it.
    """

    title: str
    form: str
    users: tuple[str, ...]
    x: Real
    exact: Real
    approximation: Real
    knots: Real
    lo: float
    hi: float
    max: float
    mean: float
    unit: float | None


def curves(results: Results) -> list[Curve]:
    """The curves of the model, then those of the integer graph; equal ones once."""
    found = _model_curves(results.config.model)
    return found + (_merged(_graph_curves(results.graph)) if results.graph else [])


def _model_curves(model: ModelConfig) -> list[Curve]:
    kinds: tuple[tuple[str, CurveConfig, Function, Callable[..., Segments]], ...] = (
        ("SiLU", model.silu, silu, silu_segments),
        ("exp", model.exp, exp, exp_segments),
    )
    return [
        _segments_curve(title, choice, function, make(choice.segments, choice.knots))
        for title, choice, function, make in kinds
        if choice.form == "segments"
    ]


def _segments_curve(title: str, choice: CurveConfig, function: Function, segments: Segments) -> Curve:
    lo, hi = float(segments.knots[0]), float(segments.knots[-1])
    x = np.linspace(lo - (hi - lo) / 16, hi + (hi - lo) / 16, _POINTS)
    error = curve_error(segments, function, lo, hi)
    form = f"{choice.segments} segments, {choice.knots} knots"
    return Curve(
        title, form, ("the model",), x, function(x), segments(x), segments.knots, lo, hi, error.max, error.mean, None
    )


def _graph_curves(graph: Graph) -> list[Curve]:
    found: list[Curve] = []
    for op in graph.operations:
        if isinstance(op, Activation):
            found.append(_activation(op, graph[op.source].fraction_bits))
        elif isinstance(op, Scan):
            found.append(_decay(op))
    return found


def _activation(op: Activation, fraction: int) -> Curve:
    """The graph does not name the function of a curve: it is the one of these that is nearest."""
    named = {"SiLU": silu, "softplus": _softplus, "exp": exp}
    candidates = [_integer_curve(name, f, op.name, op.curve, fraction, op.fraction_bits) for name, f in named.items()]
    return min(candidates, key=lambda curve: curve.mean)


def _decay(op: Scan) -> Curve:
    """exp of the negative argument; the argument's scale is the power of two that fits best."""
    candidates = [
        _integer_curve("exp", lambda u: exp(-u), op.name, op.decay, fraction, op.decay_fraction)
        for fraction in range(_WIDEST_FRACTION)
    ]
    best = min(candidates, key=lambda curve: curve.mean)
    flipped = {name: getattr(best, name)[::-1] for name in ("exact", "approximation")}
    return replace(best, x=-best.x[::-1], knots=-best.knots[::-1], lo=-best.hi, hi=-best.lo, **flipped)


def _integer_curve(title: str, function: Function, user: str, curve: IntegerCurve, source: int, target: int) -> Curve:
    """`curve` over its whole domain against `function` limited to what `curve` can give."""
    values = np.arange(curve.domain.lo, curve.domain.hi + 1)
    x, unit = dequantize(values, source), 2.0**-target
    exact = np.clip(function(x), *dequantize(curve.limits, target))
    approximation = dequantize(curve(values), target)
    distance = np.abs(approximation - exact)
    shown = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(int))
    knots = dequantize(getattr(curve, "knots", ()), source)
    form = f"{_form(curve)}, {curve.domain} in, {target} fraction bits out"
    return Curve(
        title, form, (user,), x[shown], exact[shown], approximation[shown], knots,
        float(x[0]), float(x[-1]), float(distance.max()), float(distance.mean()), unit,
    )  # fmt: skip


def _form(curve: IntegerCurve) -> str:
    slopes = getattr(curve, "slopes", None)
    return f"{2**curve.domain.bits:,}-entry table" if slopes is None else f"{len(slopes)} segments"


def _merged(found: list[Curve]) -> list[Curve]:
    """Equal curves once, with all their users."""
    merged: dict[tuple[object, ...], Curve] = {}
    for curve in found:
        key = (curve.title, curve.form, curve.x.tobytes(), curve.approximation.tobytes())
        known = merged.get(key)
        merged[key] = replace(curve, users=(*known.users, *curve.users)) if known else curve
    return list(merged.values())


def _softplus(x: Real) -> Real:
    return np.logaddexp(0.0, x)
