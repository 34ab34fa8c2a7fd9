"""The graph as text, one line an operation: what `emamba show` prints."""

from __future__ import annotations

from emamba.curve import IntegerCurve, IntegerTable
from emamba.graph.operations import Graph, Operation, arrays, parameter_count, shown


def text(graph: Graph) -> str:
    """The whole graph; shifts and shapes included, weights left out."""
    title = f"graph {graph.name}: {graph.tokens} tokens a frame, {parameter_count(graph):,} parameters"
    rows = [_row(graph, operation) for operation in graph.operations]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([title, *(line.rstrip() for line in lines)])


def _row(graph: Graph, op: Operation) -> tuple[str, ...]:
    shape = f"[{graph.frame_tokens(op.name)}, {op.channels}]"
    call = f"{type(op).__name__}({', '.join(op.sources)})"
    return op.name, "=", call, shape, str(op.dtype), f"q{op.fraction_bits}", _details(op)


def _details(op: Operation) -> str:
    """Shifts, array shapes and curves of one operation."""
    shifts = {name: value for name, value in vars(op).items() if name.endswith("shift") or name == "decay_fraction"}
    found = [f"{name}={shown(value)}" for name, value in shifts.items()]
    shapes = {name: list(array.shape) for name, array in arrays(op).items() if "." not in name}
    found += [f"{name}={shape}" for name, shape in shapes.items() if name not in shifts]
    found += [f"{name}={_curve(value)}" for name, value in vars(op).items() if isinstance(value, IntegerCurve)]
    plain = ("compute", "state", "columns", "above", "left")
    found += [f"{name}={getattr(op, name)}" for name in plain if hasattr(op, name)]
    return " ".join(found)


def _curve(curve: IntegerCurve) -> str:
    if isinstance(curve, IntegerTable):
        return f"table[{curve.values.size}]"
    return f"segments[{curve.slopes.size}]"
