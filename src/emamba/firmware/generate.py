"""A graph becomes a C source and its header.

The text is in `templates`: `header.h.j2`, `source.c.j2`, and `functions.c.j2` with one macro for each
kind of operation, which repeats that operation's function in `graph.golden` bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emamba.firmware.functions import Computed, array_type, computed, function, named, ordered, parameters
from emamba.firmware.push import members, most, push, stack_bytes
from emamba.firmware.schedule import moments
from emamba.firmware.spelling import element, filled, numbers
from emamba.fixed import Integers
from emamba.graph import Graph, Operation, content_hash
from emamba.templates import rendered


@dataclass(frozen=True)
class Array:
    """A constant array; `content` is the inside of its initialiser."""

    type: str
    name: str
    size: str
    content: str


@dataclass(frozen=True)
class Constants:
    """What an operation knows: its arrays, and its structure of parameters of type `struct`."""

    title: str
    arrays: list[Array]
    struct: str
    name: str
    content: str


def generate(graph: Graph) -> dict[str, str]:
    """The firmware of a checked `graph`: file name -> content, one header and one source.

    The header documents shapes, scales, types and use. The same graph gives the same text.
    """
    functions = {op.name: function(graph, op) for op in computed(graph)}
    emitted = ordered(functions.values())
    names = named(emitted)
    called = {name: names[f] for name, f in functions.items()}
    context = {
        "name": f"emamba_{graph.name}",
        "graph": graph,
        "hash": content_hash(graph),
        "members": members(graph, functions),
        "most": most(graph),
        "lag": moments(graph)[graph.output.name].lag,
        "stride": moments(graph)[graph.output.name].stride,
        "stack_bytes": stack_bytes(graph),
        "functions": emitted,
        "names": names,
        "widths": sorted({f.width for f in emitted if f.kind not in ("table", "activation", "lookup")}),
        "constants": _constants(graph, called),
        "push": push(graph, called),
    }
    filters = {"title": title, "element": element}
    templates = {"c": "source.c.j2", "h": "header.h.j2"}
    return {
        f"emamba_{graph.name}.{suffix}": rendered("firmware", name, context, filters)
        for suffix, name in templates.items()
    }


def title(op: Operation) -> str:
    """One line about an operation and its tensor, for comments."""
    call = f"{type(op).__name__}({', '.join(op.sources)})"
    return f"{op.name} = {call}: {op.channels} x {op.dtype}, {op.fraction_bits} fraction bits"


def _constants(graph: Graph, called: Mapping[str, str]) -> list[Constants]:
    """What every operation knows. An array that several have in common is the first one's."""
    found: list[Constants] = []
    names: dict[tuple[str, str], str] = {}
    for op in computed(graph):
        arrays, members = [], []
        for path, value in parameters(graph, op).items():
            if not isinstance(value, np.ndarray):
                members.append(f".{path} = {value}")
                continue
            array = _array(op, path, value)
            if value.size and (array.type, array.content) not in names:
                names[array.type, array.content] = array.name
                arrays.append(array)
            members.append(f".{path} = {names[array.type, array.content] if value.size else 'NULL'}")
        found.append(Constants(title(op), arrays, called[op.name], f"{op.name}__op", filled(members)))
    return found


def _array(op: Computed, path: str, values: Integers) -> Array:
    name = f"{op.name}__{path.replace('.', '_')}"
    return Array(array_type(path, values), name, " * ".join(map(str, values.shape)), numbers(values))
