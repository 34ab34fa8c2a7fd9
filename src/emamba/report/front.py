"""The picture of all designs of a graph that are worth having, as a file of its own."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emamba.report.svg import ACCENT, MUTED, SOFT, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emamba.report.scores import Measure

_PANELS = (("multipliers", "multipliers"), ("latency_cycles", "latency, cycles"), ("lut", "LUT"))


def front_picture(designs: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG: multipliers, latency and LUTs of `designs` over their cycles a frame, both on logarithmic scales.

    The designs that are best in what a panel shows are joined by a line. Equal designs give equal bytes.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(9.6, 3.0), layout="constrained")
        for axes, (key, label) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
            _panel(axes, [(design["cycles_per_frame"], design[key]) for design in designs], label)
        return _svg(figure)


def search_picture(
    trials: Sequence[Mapping[str, Any]], front: Sequence[Mapping[str, Any]], against: Sequence[str], measure: Measure
) -> bytes:
    """SVG: validation scores of `trials` over each cost in `against`, on logarithmic scales; the `front` stands out."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(1.0 + 4.3 * len(against), 3.2), layout="constrained")
        for axes, cost in zip(figure.subplots(1, len(against), squeeze=False)[0], against, strict=True):
            for rows, colour, size in ((trials, SOFT, 3.5), (front, ACCENT, 5)):
                points = [(it["costs"][cost], 100 * it["validation"]) for it in rows]
                axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=size)
            axes.set(xscale="log", xlabel=cost.replace("_", " "), ylabel=f"{measure.name}, {measure.unit}")
            axes.grid(color=MUTED, alpha=0.2)
        return _svg(figure)


def _svg(figure: Figure) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return written.getvalue()


def _panel(axes: Axes, points: Sequence[tuple[int, int]], label: str) -> None:
    ahead = undercut(points)
    axes.plot(*zip(*points, strict=True), "o", color=SOFT, markersize=3.5)
    axes.plot(*zip(*ahead, strict=True), "o-", color=ACCENT, markersize=3.5, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="cycles a frame", ylabel=label)
    axes.grid(color=MUTED, alpha=0.2)


def undercut(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of (x, y), those whose y is less than that of all with a smaller or equal x, by x."""
    kept: list[tuple[int, int]] = []
    for x, y in sorted(points):
        if not kept or y < kept[-1][1]:
            kept.append((x, y))
    return kept
