"""The accelerator as a choice: a design for a wish, and all designs worth having."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emamba import files
from emamba.config import Config, dump_config, parse_config
from emamba.errors import ArtifactError, ConfigError
from emamba.flow.run import SILENT, Listener, Progress, Stage, perform, read_json, recipe, start, write_json
from emamba.flow.stages import Results, emit
from emamba.graph import Graph, content_hash, load

if TYPE_CHECKING:
    from emamba.rtl import Explored

EXPLORE = Stage("explore", (), ("graph.json", "graph.npz"))


def build(
    run: Path,
    interval: int | None = None,
    fps: float | None = None,
    multipliers: int | None = None,
    latency: int | None = None,
    clock_mhz: float | None = None,
    weights: str | None = None,
    packing: bool | None = None,
    force: bool = False,
    listener: Listener = SILENT,
) -> Results:
    """A small design that meets a wish, or the fastest within a budget; gives what `emit` gives.

    Wish for one of: `interval` in cycles a token, `fps` frames a second at the clock, `multipliers` at most. On top
    of the first two, `latency` in cycles. `weights` are in "rom", or in "ram" that others can be loaded into; with
    `packing` pairs of products share DSP blocks. These two, and the clock alone, leave the speed as it is. The wish
    becomes the section [hardware] of the run's recipe.
    ConfigError, and the recipe stays as it was, if no design meets the wish.
    """
    config, graph = recipe(run), load(run / "graph.json")
    speed = interval, fps, multipliers, latency
    given = {"weights": weights, "packing": packing, "clock_mhz": clock_mhz}
    form = {name: getattr(config.hardware, name) if wish is None else wish for name, wish in given.items()}
    kept = any(wish is not None for wish in given.values()) and not any(wish is not None for wish in speed)
    wished = {} if kept else _wished(graph, *speed, form["clock_mhz"], bool(form["packing"]))
    start(run, _with_hardware(config, {**wished, **form}))
    try:
        return emit(run, force, listener)
    except ConfigError:
        start(run, config)
        raise


def weights(run: Path, other: Path, path: Path | None = None) -> Path:
    """A file of what loads the weights of `other` into the accelerator of `run`, for the driver or a test bench.

    JSON: `accelerator` and `graph` are the first 32 bits of the hashes of both graphs, `fraction_bits` those of input
    and output, `elements` pairs of address and value. Without a `path` it is in `run`, with `graph` in its name.
    ConfigError if weights are in ROMs, ArtifactError if C and Verilog are out of date, GraphError that names the tensor
    if the graphs differ in something else.
    """
    from emamba import rtl
    from emamba.flow.design import load_design

    design, own, new = load_design(run / "rtl.json"), load(run / "graph.json"), load(other / "graph.json")
    if not design.regions:
        raise ConfigError(f"the accelerator of {run} has its weights in ROMs", "run `emamba build RUN --weights ram`")
    if design.graph_hash != content_hash(own):
        raise ArtifactError(f"{run / 'rtl.json'} is of another graph than graph.json", "run `emamba emit RUN`")
    hashed = content_hash(new)[:8]
    content = {
        "accelerator": int(design.graph_hash[:8], 16),
        "graph": int(hashed, 16),
        "fraction_bits": [new.input.fraction_bits, new.output.fraction_bits],
        "elements": rtl.elements(own, design.regions, new).tolist(),
    }
    return files.write(path or run / f"weights_{hashed}.json", json.dumps(content) + "\n")


def explore(run: Path, force: bool = False, listener: Listener = SILENT) -> list[dict[str, Any]]:
    """explore.json and explore.svg: designs, none of which beats another in every respect, by the cost model.

    Weights and packing are those of the recipe. Gives for each design, fastest first: cycles a frame, latency,
    multipliers, LUTs, memory bits, DSP blocks, area and energy of a frame in standard cells, and how to ask for it.
    """
    from emamba.rtl.standard_cells import PRICES

    hardware = recipe(run).hardware
    form = {"packing": hardware.packing, "loadable": hardware.weights == "ram"}
    known = {**form, "prices": files.digest(repr(PRICES))}
    perform(EXPLORE, run, partial(_explore, **form), known, force, listener)
    return read_json(run / "explore.json")["designs"]


def _wished(
    graph: Graph,
    interval: int | None,
    fps: float | None,
    multipliers: int | None,
    latency: int | None,
    clock_mhz: float,
    packing: bool,
) -> dict[str, int]:
    """The wish as the keys of [hardware]."""
    from emamba import rtl

    given = [wish for wish in (interval, fps, multipliers) if wish is not None]
    if len(given) != 1 or (multipliers and latency):
        fact = f"{len(given)} wishes for speed" if len(given) != 1 else "a budget of multipliers and a latency"
        raise ConfigError(fact, "give one of --interval, --fps, --multipliers; --latency goes with the first two")
    if multipliers:
        interval, latency = rtl.fastest(graph, multipliers, packing)
    elif fps:
        interval = rtl.interval_of_rate(graph, fps, clock_mhz)
    return {"interval_cycles": interval or 0, "latency_cycles": latency or 0}


def _with_hardware(config: Config, values: dict[str, Any]) -> Config:
    """`config` with other values in [hardware], checked as those of a recipe are."""
    hardware = config.hardware.model_copy(update=values)
    return parse_config(dump_config(config.model_copy(update={"hardware": hardware})), config.name)


def _explore(run: Path, config: Config, progress: Progress, packing: bool, loadable: bool) -> list[Path]:
    from emamba import rtl
    from emamba.report.front import front_picture

    graph = load(run / "graph.json")
    designs = [_described(design) for design in rtl.front(graph, progress, packing, loadable)]
    picture = files.write(run / "explore.svg", front_picture(designs))
    return [picture, write_json(run / "explore.json", {"designs": designs})]


def _described(design: Explored) -> dict[str, Any]:
    found = asdict(design)
    return {**found.pop("point"), **found.pop("chips"), **found}
