"""The approximated functions of a run: those the model trains with, those the integers compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emamba.config import CurveConfig, MambaConfig, ModelConfig
from emamba.curve import (
    Function,
    IntegerCurve,
    IntegerSegments,
    Real,
    Segments,
    curve_error,
    exp,
    exp_segments,
    silu,
    silu_segments,
)
from emamba.errors import ArtifactError
from emamba.fixed import dequantize
from emamba.graph import Activation, Graph, Scan
from emamba.report.results import LoweredCurve, Results

_POINTS = 512  # drawn at most


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
    if results.graph and results.quantization:
        found += _merged([_graph_curve(results.graph, measured) for measured in results.quantization.curves])
    return found


def _model_curves(model: ModelConfig) -> list[Curve]:
    if not isinstance(model, MambaConfig):
        return []
    kinds: tuple[tuple[str, CurveConfig, Function, Callable[..., Segments]], ...] = (
        ("SiLU", model.silu, silu, silu_segments),
        ("exp", model.exp, exp, exp_segments),
    )
    return [
        _model_curve(title, choice, function, make(choice.segments, choice.knots))
        for title, choice, function, make in kinds
        if choice.form == "segments" and choice.knots != "learned"  # those are of each layer, and not in the recipe
    ]


def _model_curve(title: str, choice: CurveConfig, function: Function, segments: Segments) -> Curve:
    lo, hi = float(segments.knots[0]), float(segments.knots[-1])
    x = np.linspace(lo - (hi - lo) / 16, hi + (hi - lo) / 16, _POINTS)
    error = curve_error(segments, function, lo, hi)
    form, users = f"{choice.segments} segments, {choice.knots} knots", ("the model",)
    return Curve(title, form, users, x, function(x), segments(x), segments.knots, lo, hi, error.max, error.mean, None)


def _graph_curve(graph: Graph, measured: LoweredCurve) -> Curve:
    """The curve of one operation over its whole domain; quantization has measured its scale and error."""
    match graph[measured.name]:
        case Activation() as op:
            return _integer_curve("SiLU", silu, op.curve, op.fraction_bits, measured)
        case Scan() as op:
            return _mirrored(_integer_curve("exp", lambda u: exp(-u), op.decay, op.decay_fraction, measured))
        case op:
            fact = f"quantization.json measures a curve of {op.name}, but {type(op).__name__} operations have none"
            raise ArtifactError(fact, "run `emamba quantize RUN --force`")


def _integer_curve(title: str, function: Function, curve: IntegerCurve, fraction: int, measured: LoweredCurve) -> Curve:
    values = np.arange(curve.domain.lo, curve.domain.hi + 1)
    fraction_in = round(np.log2((len(values) - 1) / (measured.hi - measured.lo)))
    shown = values[np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))]
    x = dequantize(shown, fraction_in)
    return Curve(
        title=title,
        form=f"{measured.form}, {curve.domain} in, {fraction} fraction bits out",
        users=(measured.name,),
        x=x,
        exact=np.clip(function(x), *dequantize(curve.limits, fraction)),
        approximation=dequantize(curve(shown), fraction),
        knots=dequantize(curve.knots if isinstance(curve, IntegerSegments) else (), fraction_in),
        lo=measured.lo,
        hi=measured.hi,
        max=measured.max,
        mean=measured.mean,
        unit=2.0**-fraction,
    )


def _mirrored(curve: Curve) -> Curve:
    """The same curve of the negative argument, which is what a decay is a function of."""
    exact, approximation = curve.exact[::-1], curve.approximation[::-1]
    lo, hi, x, knots = -curve.hi, -curve.lo, -curve.x[::-1], -curve.knots[::-1]
    return replace(curve, exact=exact, approximation=approximation, lo=lo, hi=hi, x=x, knots=knots)


def _merged(found: list[Curve]) -> list[Curve]:
    """Equal curves once, with all their users."""
    merged: dict[tuple[object, ...], Curve] = {}
    for curve in found:
        key = (curve.title, curve.form, curve.x.tobytes(), curve.approximation.tobytes())
        known = merged.get(key)
        merged[key] = replace(curve, users=(*known.users, *curve.users)) if known else curve
    return list(merged.values())
