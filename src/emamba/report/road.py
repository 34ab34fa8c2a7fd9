"""The integer graph as a drawn road: one row an operation, with rails that carry the tensors.

A rail is the column in which a tensor travels from its operation to its last reader. Rows are drawn
one by one, so that a table can hold them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from emamba.graph import Graph, Operation, parameter_count
from emamba.report.occupancy import utilisation
from emamba.report.results import Results, Stage

_PITCH, _HEIGHT, _RADIUS = 13.0, 26.0, 3.6  # CSS pixels


@dataclass(frozen=True)
class Rails:
    """What one row of the road draws: rails that pass, rails that end here, and the operation's own."""

    passing: tuple[int, ...]
    arriving: tuple[int, ...]
    own: int
    leaves: bool


@dataclass(frozen=True)
class Step:
    """One row of the road; None where RTL or simulation have not run."""

    block: str
    op: Operation
    tokens: int
    parameters: int
    stage: Stage | None
    busy: float | None
    picture: str


def road(results: Results) -> list[Step]:
    """Every operation of the graph, in order."""
    graph, stages = results.graph, results.rtl.stages if results.rtl else ()
    if graph is None:
        return []
    known = {stage.name: stage for stage in stages}
    laid = rails(graph)
    width = max(max(row.own, *row.passing, *row.arriving, 0) for row in laid) + 1
    return [
        Step(
            block=_block(op.name),
            op=op,
            tokens=graph.frame_tokens(op.name),
            parameters=parameter_count(Graph(op.name, 1, (op,))),
            stage=known.get(op.name),
            busy=utilisation(results.verify, op.name) if results.verify else None,
            picture=_picture(row, width),
        )
        for op, row in zip(graph.operations, laid, strict=True)
    ]


def along(graph: Graph | None) -> Callable[[str], int]:
    """Where a component stands: in the order of the operations, behind them if it serves no one of them."""
    place = {op.name: index for index, op in enumerate(graph.operations if graph else ())}
    return lambda name: place.get(name, len(place))


def rails(graph: Graph) -> list[Rails]:
    """The columns of every row: a tensor keeps its column until its last reader has it."""
    live: dict[str, int] = {}
    rows: list[Rails] = []
    for index, op in enumerate(graph.operations):
        arriving = tuple(live[name] for name in dict.fromkeys(op.sources))
        needed = {name for later in graph.operations[index + 1 :] for name in later.sources}
        live = {name: column for name, column in live.items() if name in needed}
        passing = tuple(live.values())
        own = next(column for column in (*sorted(arriving), *range(len(live) + 1)) if column not in passing)
        rows.append(Rails(passing, arriving, own, op.name in needed))
        if op.name in needed:
            live[op.name] = own
    return rows


def _block(name: str) -> str:
    """The block that a name such as b0_scan tells; empty outside blocks."""
    found = re.match(r"(b\d+)_", name)
    return found[1] if found else ""


def _picture(row: Rails, width: int) -> str:
    """One row of rails as SVG."""
    middle, own = _HEIGHT / 2, _x(row.own)
    lines = [f"M{_x(column):g} 0V{_HEIGHT:g}" for column in row.passing]
    lines += [_bend(_x(column), own, middle) for column in row.arriving]
    lines += [f"M{own:g} {middle:g}V{_HEIGHT:g}"] if row.leaves else []
    return (
        f'<svg class="rail" width="{width * _PITCH:g}" height="{_HEIGHT:g}" aria-hidden="true">'
        f'<path d="{"".join(lines)}"/><circle cx="{own:g}" cy="{middle:g}" r="{_RADIUS:g}"/></svg>'
    )


def _bend(start: float, end: float, middle: float) -> str:
    """From the top of column `start` to the operation in column `end`."""
    if start == end:
        return f"M{start:g} 0V{middle:g}"
    return f"M{start:g} 0C{start:g} {middle:g} {end:g} 0 {end:g} {middle:g}"


def _x(column: int) -> float:
    return (column + 0.5) * _PITCH
