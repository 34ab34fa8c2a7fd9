"""A run folder whose graph is real and whose measurements are made up, for pages to be drawn from.

Nothing here was measured: numbers follow a plain rule (stage i begins 7 i cycles later), so that
tests can foretell what the report has to say.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cases import activation, scan_case
from emamba.config import Config, DataConfig
from emamba.graph import Graph, check, content_hash, parameter_count, save
from emamba.report import Results, load_results
from emamba.report.cells import CellArea, CellPower, Power, Silicon
from emamba.report.results import Epoch

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
    history = [{"epoch": epoch + 1, "loss": 2.0 * 0.9**epoch, "validation": None} for epoch in range(40)]
    curves = [
        {"name": "scan", "form": "256-entry table", "lo": 0.0, "hi": 255 / 64, "max": 0.0039, "mean": 0.002},
        {"name": "activation", "form": "19 segments", "lo": -8.0, "hi": 127 / 16, "max": 0.0625, "mean": 0.0168},
    ]
    return {
        "training.json": {
            "data": IDENTITY, "task": "classification", "seed": 3, "parameters": parameter_count(graph),
            "history": history, "scores": {"float": 0.975, "approximated": 0.9722}, "validation": {},
        },
        "quantization.json": {
            "scores": scores, "validation": {}, "subjects": {}, "graph_hash": content_hash(graph), "curves": curves,
            "history": [],
        },
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
def radar(results: Results) -> Results:
    """The same run as if it gave coordinates of people, in metres, and had validation data."""
    assert results.training
    assert results.quantization
    first = {"float": 0.0762, "approximated": 0.0763}
    history = tuple(replace(epoch, validation=0.1 - 0.0005 * epoch.epoch) for epoch in results.training.history)
    judged = {"float": 0.0811, "approximated": 0.0812}
    identity = "MARS, 2 of 3 training frames (labels of subject 1 missing), sha256 0"
    training = replace(
        results.training, data=identity, task="regression", scores=first, validation=judged, history=history
    )
    quantization = replace(
        results.quantization,
        scores={**first, "post_training": 0.077, "integer": 0.0765},
        validation={**judged, "post_training": 0.0820, "integer": 0.0815},
        subjects={"1": 0.0912, "2": 0.07},
        history=(Epoch(1, 0.5), Epoch(2, 0.25)),
    )
    config = results.config.model_copy(update={"data": DataConfig(name="mars")})
    return replace(results, config=config, training=training, quantization=quantization)


@pytest.fixture
def cells(results: Results) -> Results:
    """The same run in made-up standard cells; the clock's net takes power and has no area."""
    assert results.graph
    names = [op.name for op in results.graph.operations]
    areas = tuple(CellArea(name, 100.0 + i, 20.0, 4.0 * (i % 2), 1.0) for i, name in enumerate(names))
    powers = tuple(CellPower(name, 0.25, 0.5, 0.0, 0.125) for name in names)
    sums = {kind: sum(getattr(it, kind) for it in areas) for kind in ("logic", "registers", "memory", "gates")}
    whole, place = sum(sums.values()), {"library": "tiny_tt", "voltage": 0.75, "temperature": 25.0}
    silicon = Silicon("tiny.lib", 100.0, 1234, whole, None, sums, areas[::-1], **place)
    watts = {"clock": 0.25 * len(names) + 1, "logic": 0.5 * len(names), "memory": 0.0, "leakage": 0.125 * len(names)}
    taken = sum(watts.values())
    powers = (*powers, CellPower("clock net", 1.0, 0.0, 0.0, 0.0))
    power = Power(100.0, 400, 128, taken, watts, 1.0, taken * 4, powers, **place)
    return replace(results, silicon=silicon, power=power)


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
