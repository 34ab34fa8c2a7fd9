"""A design in rtl.json: all of it but its RTLIL, which is in Verilog by then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emamba import files
from emamba.errors import ArtifactError
from emamba.fixed import Integer
from emamba.flow.run import read_json
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.weights import Region

_HINT = "run `emamba emit RUN --force`"


def described(design: Design, clock_mhz: float) -> dict[str, Any]:
    """The content of rtl.json; `clock_mhz` is the clock that rates are stated at."""
    content = {
        "name": design.name,
        "top": design.top,
        "graph_hash": design.graph_hash,
        "interval_cycles": design.interval_cycles,
        "clock_mhz": clock_mhz,
        "input": _from_port(design.input),
        "output": _from_port(design.output),
        "stages": [{**vars(stage), "sources": list(stage.sources)} for stage in design.stages],
        "taps": [_from_port(tap) for tap in design.taps],
        "regions": [_from_region(region) for region in design.regions],
    }
    return {"hash": _hash(content), **content}


def load_design(path: Path) -> Design:
    """The design that rtl.json describes, without RTLIL; ArtifactError if it was altered."""
    stored = read_json(path)
    if stored.pop("hash", None) != _hash(stored):
        raise ArtifactError(f"{path} was altered: its content does not match its hash", _HINT)
    try:
        return Design(
            name=stored["name"],
            top=stored["top"],
            rtlil="",
            interval_cycles=stored["interval_cycles"],
            input=_to_port(stored["input"]),
            output=_to_port(stored["output"]),
            stages=tuple(Stage(**{**stage, "sources": tuple(stage["sources"])}) for stage in stored["stages"]),
            taps=tuple(_to_port(tap) for tap in stored["taps"]),
            graph_hash=stored["graph_hash"],
            regions=tuple(_to_region(region) for region in stored["regions"]),
        )
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: {error}", _HINT) from error


def _hash(content: Mapping[str, Any]) -> str:
    return files.digest(json.dumps(content, sort_keys=True))


def _from_port(port: Port) -> dict[str, Any]:
    return {**vars(port), "dtype": vars(port.dtype)}


def _to_port(stored: Mapping[str, Any]) -> Port:
    return Port(**{**stored, "dtype": Integer(**stored["dtype"])})


def _from_region(region: Region) -> dict[str, Any]:
    return {**vars(region), "shape": list(region.shape), "order": list(region.order), "dtype": vars(region.dtype)}


def _to_region(stored: Mapping[str, Any]) -> Region:
    arrays = {name: tuple(stored[name]) for name in ("shape", "order")}
    return Region(**{**stored, **arrays, "dtype": Integer(**stored["dtype"])})
