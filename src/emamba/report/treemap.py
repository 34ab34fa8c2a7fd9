"""Treemaps: one rectangle divided among components, and inside each among kinds, in proportion to numbers; as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import escape

_WIDTH, _HEIGHT = 976.0, 280.0
_LETTER, _LINE = 6.6, 15.0  # of a label


class Rect(NamedTuple):
    """Left, top, width and height."""

    x: float
    y: float
    width: float
    height: float


def treemap(label: str, components: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """The numbers of each component by kind, as SVG for the page; `label` is read aloud, `unit` stands behind numbers.

    A rectangle has the class of its kind, which colours it. Names stand where they have room, and all of them with
    their numbers where the pointer rests.
    """
    known = {name: {kind: part for kind, part in parts.items() if part > 0} for name, parts in components.items()}
    sums = {name: sum(parts.values()) for name, parts in known.items() if parts}
    whole = sum(sums.values())
    rects = squarified(list(sums.values()), Rect(0, 0, _WIDTH, _HEIGHT)) if sums else []
    tiles = [
        _tile(name, known[name], rect, f"{amount:,.4g} {unit}, {amount / whole:.1%}")
        for (name, amount), rect in zip(sums.items(), rects, strict=True)
    ]
    size = f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(label)}"'
    return f'<svg class="chart treemap" {size}>{"".join(tiles)}</svg>'


def squarified(values: Sequence[float], frame: Rect) -> list[Rect]:
    """A rectangle for each of the positive `values`, in their order: areas in proportion, together all of `frame`.

    Sides are as alike as rows allow, which lie along the shorter side of what is left, the largest values first (Bruls,
    Huizing, van Wijk, "Squarified treemaps", 2000).
    """
    scale = frame.width * frame.height / sum(values)
    found: dict[int, Rect] = {}
    row: list[int] = []
    for index in sorted(range(len(values)), key=lambda index: -values[index]):
        side = min(frame.width, frame.height)
        longer = [values[it] * scale for it in (*row, index)]
        if row and _longest(longer, side) > _longest(longer[:-1], side):
            placed, frame = _row(longer[:-1], frame)
            found.update(zip(row, placed, strict=True))
            row = []
        row.append(index)
    placed, _ = _row([values[it] * scale for it in row], frame)
    found.update(zip(row, placed, strict=True))
    return [found[index] for index in range(len(values))]


def _longest(areas: Sequence[float], side: float) -> float:
    """Of the rectangles of a row along `side`: the largest ratio of the sides of one."""
    depth = sum(areas) / side
    return max(max(area / depth**2, depth**2 / area) for area in areas)


def _row(areas: Sequence[float], frame: Rect) -> tuple[list[Rect], Rect]:
    """Rectangles along the shorter side of `frame`, and what they leave of it."""
    upright = frame.width >= frame.height
    depth = sum(areas) / (frame.height if upright else frame.width)
    found, start = [], frame.y if upright else frame.x
    for area in areas:
        length = area / depth
        found.append(Rect(frame.x, start, depth, length) if upright else Rect(start, frame.y, length, depth))
        start += length
    x, y, width, height = frame
    return found, Rect(x + depth, y, width - depth, height) if upright else Rect(x, y + depth, width, height - depth)


def _tile(name: str, parts: Mapping[str, float], rect: Rect, told: str) -> str:
    """A component: its kinds in colour, an edge around them, its name and share if there is room."""
    whole = sum(parts.values())
    shares = ", ".join(f"{kind} {part / whole:.0%}" for kind, part in parts.items())
    inside = zip(parts, squarified(list(parts.values()), rect), strict=True)
    kinds = "".join(f'<rect class="kind-{kind}" {_place(it)}/>' for kind, it in inside)
    texts = [name, told.rpartition(", ")[2]]
    lines = texts[: next((row for row, text in enumerate(texts) if not _fits(text, row, rect)), len(texts))]
    written = "".join(
        f'<text x="{rect.x + 5:.2f}" y="{rect.y + _LINE * (row + 0.95):.2f}">{escape(text)}</text>'
        for row, text in enumerate(lines)
    )
    title = f"<title>{escape(name)}: {escape(told)}; {shares}</title>"
    return f'<g>{title}{kinds}<rect class="edge" {_place(rect)}/>{written}</g>'


def _fits(text: str, row: int, rect: Rect) -> bool:
    return rect.width > _LETTER * len(text) + 8 and rect.height > _LINE * (row + 1) + 4


def _place(rect: Rect) -> str:
    return f'x="{rect.x:.2f}" y="{rect.y:.2f}" width="{rect.width:.2f}" height="{rect.height:.2f}"'
