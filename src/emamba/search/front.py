"""The trials that no other one beats, and how much of the space of losses and costs they rule."""

from __future__ import annotations

from collections.abc import Sequence

from emamba.rtl import beats
from emamba.search.study import Trial

Point = tuple[float, ...]


def values(trial: Trial, against: Sequence[str]) -> Point:
    """The loss of a trial and its costs; less is better in each."""
    return (trial.losses[-1], *(trial.costs[name] for name in against))


def pareto(found: Sequence[Trial], against: Sequence[str]) -> list[Trial]:
    """Of the whole and feasible trials those that no other one beats, cheapest first; one of several equal ones."""
    usable = [trial for trial in found if trial.whole and trial.feasible and not trial.reason]
    points = {values(trial, against): trial for trial in reversed(usable)}
    kept = [point for point in points if not any(beats(other, point) for other in points)]
    return [points[point] for point in sorted(kept, key=lambda point: point[1:])]


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """The area that `points` (less is better) rule in front of `reference`; points beyond it rule nothing."""
    area, edge = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < edge:
            area += (reference[0] - x) * (edge - y)
            edge = y
    return area
