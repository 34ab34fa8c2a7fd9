"""The charts of the report. matplotlib is loaded when the first one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from emamba.report.curves import Curve
from emamba.report.occupancy import Interval, by_frame, frame_starts, steady, utilisation
from emamba.report.results import Epoch, Verification
from emamba.report.scores import FORMS, Measure
from emamba.report.summary import percent
from emamba.report.svg import ACCENT, INK, LINE, MUTED, SOFT, STYLE, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOLD_APART = 4000  # places along the occupancy chart; without a limit a page of long frames has 16 MB
_FRAMES_DRAWN = 3  # of occupancy, beyond the latency


def score_chart(known: dict[str, float], kind: Measure) -> str:
    """The score of each form of the model, one line a form, first on top."""
    size = 3.5, 0.55 + 0.3 * len(known)
    return _picture("scores", f"{kind.name} of each form", size, partial(_scores, known, kind))


def history_chart(name: str, history: Sequence[Epoch], kind: Measure) -> str:
    """Loss by epoch; underneath, where it was measured, the score on the validation split."""
    measured = any(epoch.validation is not None for epoch in history)
    draw = partial(_validated, history, kind) if measured else partial(_unvalidated, history)
    return _picture(name, "Loss by epoch", (3.5, 2.7 if measured else 1.75), draw)


def curve_chart(name: str, curve: Curve) -> str:
    """A function under its approximation, and the error between them underneath."""
    return _picture(name, f"{curve.title}, its approximation and the error", (3.5, 2.7), partial(_curve, curve))


def occupancy_chart(verify: Verification, work: Mapping[str, int]) -> str:
    """Which stage is busy when: one row a stage, neighbouring frames in two shades, dashes where frames begin.

    `work` are the busy cycles of each stage on one frame, by which frames are told apart.
    """
    size = 9.6, 0.75 + 0.19 * len(verify.occupancy.stages)
    return _picture("occupancy", "Busy cycles of each stage", size, partial(_occupancy, verify, work))


def drawn_cycles(verify: Verification) -> int:
    """How much of the simulation the occupancy chart shows."""
    wanted = verify.latency_cycles + _FRAMES_DRAWN * verify.cycles_per_frame
    return max(1, min(wanted, verify.occupancy.cycles))


def _scores(known: dict[str, float], kind: Measure, figure: Figure) -> None:
    values = [kind.value(score) for score in known.values()]
    rows = range(len(values))
    axes = figure.subplots()
    axes.plot(values, rows, color=SOFT)
    axes.plot(values, rows, "o", color=ACCENT, markersize=5.5)
    for row, score in zip(rows, known.values(), strict=True):
        _beside(axes, row, kind.written(score), 44)
    axes.set_yticks(list(rows), [FORMS[name] for name in known], color=INK)
    label = f"{kind.name} on the test split, {kind.unit}"
    axes.set(ylim=(len(values) - 0.6, -0.4), xlim=_padded(values), xlabel=label)
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _unvalidated(history: Sequence[Epoch], figure: Figure) -> None:
    axes = figure.subplots()
    _losses(axes, history)
    _epochs(axes)


def _validated(history: Sequence[Epoch], kind: Measure, figure: Figure) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    _losses(above, history)
    known = [(epoch.epoch, kind.value(epoch.validation)) for epoch in history if epoch.validation is not None]
    _line(below, *zip(*known, strict=True))
    below.set_ylabel(f"{kind.name}, {kind.unit}")
    _epochs(below)
    figure.align_ylabels()


def _losses(axes: Axes, history: Sequence[Epoch]) -> None:
    """On a logarithmic scale with few labels, unless a loss is 0."""
    from matplotlib.ticker import LogLocator

    losses = [epoch.loss for epoch in history]
    _line(axes, [epoch.epoch for epoch in history], losses)
    axes.set_ylabel("loss")
    lowest, highest = min(losses, default=0), max(losses, default=0)
    if lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if highest < 50 * lowest else (1,)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(which="minor", length=0, labelleft=False)


def _line(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """A line; one point alone is a dot."""
    axes.plot(x, y, color=ACCENT, marker="o" if len(x) == 1 else "", markersize=3)
    axes.grid(axis="y")


def _epochs(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _curve(curve: Curve, figure: Figure) -> None:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.4))
    drawn = "steps-mid" if curve.unit else "default"
    above.plot(curve.x, curve.exact, color=LINE, linewidth=4, solid_capstyle="round")
    above.plot(curve.x, curve.approximation, color=ACCENT, drawstyle=drawn, linewidth=1.1)
    at_knots = np.interp(curve.knots, curve.x, curve.approximation)
    above.plot(curve.knots, at_knots, "o", color=ACCENT, markersize=2.6)
    below.axhline(0, color=LINE, linewidth=0.8)
    below.plot(curve.x, curve.approximation - curve.exact, color=ACCENT, linewidth=0.9)
    above.set_ylabel("value")
    below.set(ylabel="error", xlabel="x")
    figure.align_ylabels()


def _occupancy(verify: Verification, work: Mapping[str, int], figure: Figure) -> None:
    stages, end = verify.occupancy.stages, drawn_cycles(verify)
    axes = figure.subplots()
    axes.axvspan(*(min(edge, end) for edge in steady(verify)), color=LINE, alpha=0.25, linewidth=0)
    for row, stage in enumerate(stages):
        pieces = [(piece, frame) for piece, frame in by_frame(verify, stage, work) if piece[0] < end]
        _busy(axes, row, pieces, end / _TOLD_APART)
        _beside(axes, row, percent(utilisation(verify, stage), 0), 32)
    _starts(axes, [start for start in frame_starts(verify, work) if start < end])
    axes.set_yticks(range(len(stages)), stages, color=INK)
    axes.set(ylim=(len(stages) - 0.3, -0.7), xlim=(0, end), xlabel="cycles since reset")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(axis="y", length=0)


def _busy(axes: Axes, row: int, pieces: list[tuple[Interval, int]], gap: float) -> None:
    """All intervals of a stage as two broken lines, for even and for odd frames; breaks below `gap` are not drawn."""
    for parity, colour in enumerate((ACCENT, SOFT)):
        spans = _joined([piece for piece, frame in pieces if frame % 2 == parity], gap)
        x = np.array([(start, end, np.nan) for start, end in spans]).ravel()
        axes.plot(x, np.full(len(x), row), color=colour, linewidth=8, solid_capstyle="butt")


def _joined(spans: list[Interval], gap: float) -> list[Interval]:
    """`spans`, those less than `gap` apart as one."""
    joined = spans[:1]
    for start, end in spans[1:]:
        if start - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _starts(axes: Axes, starts: list[int]) -> None:
    for frame, start in enumerate(starts):
        axes.axvline(start, color=MUTED, linewidth=0.6, dashes=(2, 2))
        where = (start, 1), (3, 3), ("data", "axes fraction"), "offset points"
        axes.annotate(f"frame {frame}", *where, color=MUTED, fontsize=7.5)


def _beside(axes: Axes, row: int, text: str, offset: int) -> None:
    """`text` right-aligned `offset` points right of the axes, at `row`."""
    where = (1, row), (offset, 0), ("axes fraction", "data"), "offset points"
    axes.annotate(text, *where, ha="right", va="center", fontsize=8, annotation_clip=False)


def _padded(values: list[float]) -> tuple[float, float]:
    """Limits that leave room for the labels, never narrower than a point or a centimetre."""
    span = max(max(values) - min(values), 1.0)
    return min(values) - 0.3 * span, max(values) + 0.3 * span


def _picture(name: str, label: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """What `draw` draws on a figure of `size` inches, as SVG for the page."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        return inline(figure, name, label)
