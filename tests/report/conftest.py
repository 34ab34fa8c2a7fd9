"""A run folder whose graph is real and whose measurements are made up, for pages to be drawn from.

Nothing here was measured: numbers follow a plain rule (stage i begins 7 i cycles later), so that
tests can foretell what the report has to say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cases import activation, scan_case
from emamba.config import Config
from emamba.graph import Graph, check, content_hash, parameter_count, save
from emamba.report import Results, load_results

FRAMES, INTERVAL, DELAY = 4, 40, 7
IDENTITY = "made-up images of a test fixture, 9 tokens a frame"


def small_graph() -> Graph:
    """A scan with all its sources, behind it SiLU in segments."""
    case = scan_case("scan_table", 1, 6, 4)
    silu = activation(table=False)
    return check(Graph("small", case.graph.tokens, (*case.graph.operations, _reading(silu, "scan"))))


def documents(graph: Graph) -> dict[str, Any]:
    """The JSON results of a made-up run of `graph`, by file name."""
    scores = {"float": 0.975, "approximated": 0.9722, "post_training": 0.95, "integer": 0.9694}
    history = [{"epoch": epoch, "loss": 2.0 * 0.9**epoch} for epoch in range(40)]
    curves = [
        {"name": "scan", "form": "256-entry table", "lo": 0.0, "hi": 255 / 64, "max": 0.0039, "mean": 0.002},
        {"name": "activation", "form": "19 segments", "lo": -8.0, "hi": 127 / 16, "max": 0.0625, "mean": 0.0168},
    ]
    return {
        "training.json": {
            "data": IDENTITY, "seed": 3, "parameters": parameter_count(graph), "history": history,
            "scores": {"float": 0.975, "approximated": 0.9722},
        },
        "quantization.json": {"scores": scores, "graph_hash": content_hash(graph), "curves": curves},
        "firmware.json": {"code_bytes": 5120, "constant_bytes": 12345, "ram_bytes": 678},
        "rtl.json": _rtl(graph),
        "verify.json": _verify(graph),
        "synth.json": _synth(graph),
    }  # fmt: skip


def write_run(run: Path, graph: Graph) -> Path:
    """A complete run folder for `graph`."""
    (run / "firmware").mkdir(parents=True)
    (run / "firmware" / "emamba_small.c").write_text("/* made up */\n")
    (run / "config.toml").write_text(f'name = "{graph.name}"\n')
    save(graph, run / "graph.json")
    for name, document in documents(graph).items():
        (run / name).write_text(json.dumps(document))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", small_graph())


@pytest.fixture
def results(run: Path) -> Results:
    return load_results(run)


@pytest.fixture
def empty() -> Results:
    """A run in which nothing has run yet."""
    return Results(config=Config(name="small"))


def _reading(operation: Any, source: str) -> Any:
    return type(operation)(**{**vars(operation), "source": source})


def _rtl(graph: Graph) -> dict[str, Any]:
    stages = [
        {"name": op.name, "kind": type(op).__name__, "lanes": 1 + i % 4, "multipliers": i % 3, "cycles": _cycles(i)}
        for i, op in enumerate(graph.operations)
    ]
    return {"top": f"emamba_{graph.name}", "interval_cycles": INTERVAL, "clock_mhz": 100.0, "stages": stages}


def _cycles(index: int) -> int:
    """Busy cycles a token of stage `index`: the input does no work."""
    return 40 - 10 * (index % 4) if index else 0


def _verify(graph: Graph) -> dict[str, Any]:
    names = [op.name for op in graph.operations]
    frame = graph.tokens * INTERVAL
    busy = {name: _intervals(graph, i) for i, name in enumerate(names)}
    return {
        "frames": 12, "compared": {"c": 12, "rtl": 11, "tensors": len(names)}, "mismatches": 0,
        "cycles_per_frame": frame, "latency_cycles": frame + DELAY * len(names), "stalled": False,
        "occupancy": {"stages": names, "cycles": (FRAMES + 2) * frame, "busy": busy},
    }  # fmt: skip


def _intervals(graph: Graph, index: int) -> list[list[int]]:
    """One interval a token; those that touch are one."""
    found: list[list[int]] = []
    for token in range(FRAMES * graph.tokens if index else 0):
        start = DELAY * index + token * INTERVAL
        if found and found[-1][1] == start:
            found[-1][1] += _cycles(index)
        else:
            found.append([start, start + _cycles(index)])
    return found


def _synth(graph: Graph) -> dict[str, Any]:
    components = [
        {"name": op.name, "LUT": 100 + 90 * i, "FF": 80 + 10 * i, "DSP": i % 3, "BRAM": (i % 2) / 2, "LUTRAM": 4 * i}
        for i, op in enumerate(graph.operations)
    ]
    kinds = ("LUT", "FF", "DSP", "BRAM", "LUTRAM")
    totals = {kind: sum(component[kind] for component in components) for kind in kinds}
    return {"target": "xcup", "totals": {**totals, "LUT": totals["LUT"] + 50}, "components": components}
