"""A graph on disk: `graph.json` for structure and scalars, `graph.npz` beside it for the arrays.

The JSON carries a format version and a hash over everything, arrays included, so that an altered or
truncated file is found on loading. The same graph gives the same bytes.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from emamba import files
from emamba.curve import IntegerCurve
from emamba.errors import ArtifactError
from emamba.fixed import Integer, Integers
from emamba.graph.checks import check
from emamba.graph.operations import Graph, Operation

FORMAT = "emamba-graph"
VERSION = 3

_OPERATIONS = {cls.__name__: cls for cls in get_args(Operation)}
_CURVES = {cls.__name__: cls for cls in get_args(IntegerCurve)}
_Arrays = dict[str, Integers]


def content_hash(graph: Graph) -> str:
    """SHA-256 over structure, scalars and arrays."""
    structure, arrays = _encoded(graph)
    return _hash(structure, arrays)


def save(graph: Graph, path: Path) -> Path:
    """Writes `path` (graph.json) and the arrays beside it (graph.npz)."""
    structure, arrays = _encoded(graph)
    packed = io.BytesIO()
    contents: dict[str, Any] = {name: _packed(array) for name, array in arrays.items()}
    np.savez_compressed(packed, **contents)
    files.write(path.with_suffix(".npz"), packed.getvalue())
    document = {"format": FORMAT, "version": VERSION, "hash": _hash(structure, arrays), **structure}
    return files.write(path, json.dumps(document, indent=1) + "\n")


def load(path: Path) -> Graph:
    """The checked graph that `save` wrote; ArtifactError if the files are not what was written."""
    document = _document(path)
    arrays = _arrays(path.with_suffix(".npz"))
    if not isinstance(expected := document.pop("hash", None), str):
        raise _damaged(path, "it has no hash")
    structure = {name: document[name] for name in document if name not in ("format", "version")}
    if expected != _hash(structure, arrays):
        raise _damaged(path, "its content does not match its hash")
    graph = check(_graph(path, structure, arrays))
    if content_hash(graph) != expected:
        raise _damaged(path, "it has fields that this version does not know")
    return graph


def _encoded(graph: Graph) -> tuple[dict[str, Any], _Arrays]:
    arrays: _Arrays = {}
    operations = [_encode(operation, operation.name, arrays) for operation in graph.operations]
    return {"name": graph.name, "tokens": graph.tokens, "operations": operations}, arrays


def _graph(path: Path, structure: dict[str, Any], arrays: _Arrays) -> Graph:
    try:
        operations = tuple(_decoded(item, _OPERATIONS, item["name"], arrays) for item in structure["operations"])
        name = _decode(structure["name"], str, "name", arrays)
        return Graph(name, _decode(structure["tokens"], int, "tokens", arrays), operations)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"a field is missing or of a wrong type: {error}") from error


def _encode(item: Any, path: str, arrays: _Arrays) -> Any:
    """`item` as JSON; its arrays move to `arrays` under their path and leave their name behind."""
    if isinstance(item, Integer):
        return str(item)
    if isinstance(item, np.ndarray):
        arrays[path] = item
        return f"@{path}"
    if is_dataclass(item):
        inside = {f.name: _encode(getattr(item, f.name), f"{path}.{f.name}", arrays) for f in fields(item)}
        return {"kind": type(item).__name__, **inside}
    return item


def _decoded(item: dict[str, Any], kinds: dict[str, type], path: str, arrays: _Arrays) -> Any:
    kind = kinds[item["kind"]]
    hints = get_type_hints(kind)
    values = {
        field.name: _decode(item[field.name], hints[field.name], f"{path}.{field.name}", arrays)
        for field in fields(kind)
    }
    return kind(**values)


def _decode(value: Any, hint: Any, path: str, arrays: _Arrays) -> Any:
    if hint is Integer:
        return _integer(value)
    if get_origin(hint) is np.ndarray:
        return arrays[path]
    if hint == IntegerCurve:
        return _decoded(value, _CURVES, path, arrays)
    if type(value) is not hint:
        raise TypeError(f"{path} is {value!r}, not {hint.__name__}")
    return value


def _integer(value: str) -> Integer:
    found = re.fullmatch(r"(u?)int(\d+)", value)
    if not found:
        raise ValueError(f"{value!r} is not an integer type")
    return Integer(int(found[2]), signed=not found[1])


def _packed(array: Integers) -> np.ndarray:
    """`array` in the narrowest NumPy type that holds it; loading widens it again."""
    if not array.size:
        return array
    needed = Integer.holding(array)
    width = max(8, 1 << (needed.bits - 1).bit_length())
    return array.astype(f"{'int' if needed.signed else 'uint'}{width}")


def _hash(structure: dict[str, Any], arrays: _Arrays) -> str:
    parts: list[bytes | str] = [json.dumps(structure, sort_keys=True)]
    for name in sorted(arrays):
        parts += [name, str(arrays[name].shape), np.ascontiguousarray(arrays[name], dtype="<i8").tobytes()]
    return files.digest(*parts)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(files.read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtifactError(f"{path} is not an emamba graph", "give the graph.json of a run folder")
    if document.get("version") != VERSION:
        raise ArtifactError(
            f"{path} has format version {document.get('version')}, this emamba reads {VERSION}",
            "quantize the model again with this version",
        )
    return document


def _arrays(path: Path) -> _Arrays:
    data = files.read_bytes(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except Exception as error:  # NumPy, zipfile and zlib each have their own; all mean damaged bytes
        raise _damaged(path, f"it is not a readable npz: {error}") from error
    if any(array.dtype.kind not in "iu" for array in found.values()):
        raise _damaged(path, "it holds arrays that are not of integers")
    return {name: array.astype(np.int64) for name, array in found.items()}


def _damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError(f"{path} is damaged: {why}", "restore the file, or quantize the model again")
