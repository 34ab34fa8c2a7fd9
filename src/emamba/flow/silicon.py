"""The accelerator in standard cells: the stages behind `emamba synth RUN --target` a PDK or a liberty file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emamba import files
from emamba.config import Config
from emamba.errors import MismatchError, ToolError
from emamba.flow.run import SILENT, Listener, Progress, Stage, forget, outdated, perform, read_json, recipe, write_json
from emamba.flow.vectors import FILE as VECTORS
from emamba.flow.vectors import test_frames
from emamba.graph import load

if TYPE_CHECKING:
    from emamba.eda.cells import Netlist
    from emamba.eda.liberty import Library
    from emamba.eda.macros import Macro

NETLIST = "silicon/netlist.v"
SILICON = Stage("silicon", (), ("rtl.json",), ("rtl/*",))
TIMING = Stage("timing", (), ("silicon.json", NETLIST))
GATES = Stage("gates", ("data",), ("silicon.json", NETLIST, "graph.json", "graph.npz", "rtl.json"), (VECTORS,))
RATE = Stage("rate", (), ("power.json", "rtl.json"))
MACROS = Stage("macros", (), ("silicon.json", "rtl.json", "graph.json", "graph.npz"), ("rtl/*",))
FPS = 30.0  # that energy is stated at, unless something else is asked for
FRAMES = 128  # two for each of those that are evaluated at once


def silicon(
    run: Path,
    target: str,
    library: Library,
    clock_mhz: float | None = None,
    gates: bool = False,
    fps: float | None = None,
    corners: Sequence[Library] = (),
    macro: Path | None = None,
    force: bool = False,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """silicon.json: cells and area of the Verilog in `library`, that of `target`; the netlist is silicon/netlist.v.

    timing.json: how fast it is, if OpenSTA is there. With `gates` also gates.json: the netlist gave the golden integers
    on 128 test frames, MismatchError if it did not; and power.json: what that took; and rate.json: what a frame and
    a token take at `fps` frames a second (default: 30, or as many as there can be), idle time included. Clock and
    power are also told at `corners`, which are the same cells at other voltages or temperatures. macros.json: what
    memories would take in the SRAM macro of the liberty file `macro`, estimated. Gives the contents of all.
    `clock_mhz` (default: the recipe's) is what gates are sized for. ConfigError for a rate that the design does
    not reach, or a file without a macro, before anything runs, and for a corner that lacks a cell of the netlist.
    """
    from emamba.eda.macros import read_macro

    clock, sram = clock_mhz or recipe(run).hardware.clock_mhz, read_macro(macro) if macro else None
    if fps:
        _reached(run, fps, clock)
    name = ",".join(Path(part).name for part in target.split(","))
    chosen = {"target": name, "library": _hashed(library), "clock_mhz": clock}
    perform(SILICON, run, partial(_map, library=library, target=name, clock=clock), chosen, force, listener)
    for stage in (TIMING, GATES, RATE, MACROS):  # of another netlist
        if outdated(stage, run):
            forget(stage, run)
    chosen = {**chosen, "corners": [_hashed(corner) for corner in corners]}
    libraries = _corners(run, library, corners)
    try:
        perform(TIMING, run, partial(_time, libraries=libraries, clock=clock), chosen, force, listener)
    except ToolError as error:
        forget(TIMING, run)
        listener.say(f"note: no timing: {error.message}; {error.hint}")
    if gates:
        try:
            work = partial(_prove, libraries=libraries, clock=clock, data_dir=data_dir)
            perform(GATES, run, work, chosen, force, listener)
        except MismatchError:
            forget(GATES, run)
            raise
        perform(RATE, run, partial(_rate, fps=fps), {"fps": fps}, force, listener)
    if sram:
        perform(MACROS, run, partial(_macros, macro=sram), asdict(sram), force, listener)
    found = {name: run / f"{name}.json" for name in ("timing", "gates", "power", "rate", "macros")}
    return read_json(run / "silicon.json") | {name: read_json(path) for name, path in found.items() if path.exists()}


def _map(run: Path, config: Config, progress: Progress, library: Library, target: str, clock: float) -> list[Path]:
    from emamba.eda.cells import map_cells
    from emamba.flow.design import load_design

    top = load_design(run / "rtl.json").top
    progress(0, 0, f"synth: map to {library.name}")
    netlist = map_cells(files.read_bytes(run / "rtl" / f"{top}.v").decode(errors="replace"), top, library, clock)
    content: dict[str, Any] = {"target": target, **_corner(library), "clock_mhz": clock, **netlist.to_json()}
    return [files.write(run / NETLIST, netlist.verilog), write_json(run / "silicon.json", content)]


def _hashed(library: Library) -> str:
    return files.digest(*(files.read_bytes(path) for path in library.paths))


def _corner(library: Library) -> dict[str, Any]:
    """What results say of where they hold."""
    return {"library": library.name, "voltage": library.voltage, "temperature": library.temperature}


def _corners(run: Path, library: Library, others: Sequence[Library]) -> list[Library]:
    """The corner of the mapping, and the others; ConfigError if one of them lacks a cell of the netlist."""
    from emamba.eda.cells import used
    from emamba.eda.liberty import corner

    names = used(files.read_bytes(run / NETLIST).decode()) if others else set()
    return [library, *(corner(library, other, names) for other in others)]


def _time(run: Path, config: Config, progress: Progress, libraries: Sequence[Library], clock: float) -> list[Path]:
    from emamba.eda.opensta import analyse

    netlist, found = _netlist(run, libraries[0]), []
    for library in libraries:
        progress(len(found), len(libraries), f"synth: timing in {library.name}")
        found.append({**_corner(library), **analyse(netlist, library, clock).to_json()})
    return [write_json(run / "timing.json", {**found[0], "corners": found[1:]})]


def _prove(
    run: Path, config: Config, progress: Progress, libraries: Sequence[Library], clock: float, data_dir: Path | None
) -> list[Path]:
    from emamba.eda.gates import evaluate, flattened
    from emamba.eda.power import power, told
    from emamba.flow.design import load_design
    from emamba.flow.verification import compare
    from emamba.rtl import elements

    graph, design = load(run / "graph.json"), load_design(run / "rtl.json")
    frames = test_frames(run, config, graph, data_dir)[:FRAMES]
    weights = elements(graph, design.regions, graph) if design.regions else None
    progress(0, 2, "synth: flatten gates")
    instances = flattened(_netlist(run, libraries[0]), libraries[0])
    progress(1, 2, "synth: evaluate gates")
    found = evaluate(instances, design, frames, weights)
    compare("gates", graph, frames, found.outputs)
    proved = {"frames": len(frames), "mismatches": 0, "cells": len(instances) - 1}
    own, *others = (
        {**_corner(library), **power(instances, library, found, clock).to_json()}
        for library in libraries
        if library is libraries[0] or told(library)
    )
    return [write_json(run / "gates.json", proved), write_json(run / "power.json", {**own, "corners": others})]


def _reached(run: Path, fps: float, clock: float) -> None:
    """ConfigError if the design does not make so many frames a second."""
    from emamba.eda.power import idle_us
    from emamba.flow.design import load_design

    design = load_design(run / "rtl.json")
    idle_us(fps, design.interval_cycles * design.input.tokens, clock)


def _rate(run: Path, config: Config, progress: Progress, fps: float | None) -> list[Path]:
    from emamba.eda.power import idle_us
    from emamba.flow.design import load_design

    taken, tokens = read_json(run / "power.json"), load_design(run / "rtl.json").input.tokens
    cycles, clock = taken["interval_cycles"], taken["clock_mhz"]
    stated = fps or min(FPS, clock * 1e6 / cycles)
    frame = taken["energy_nj"] + taken["idle_mw"] * idle_us(stated, cycles, clock)
    return [
        write_json(run / "rate.json", {"fps": stated, "tokens": tokens, "frame_nj": frame, "token_nj": frame / tokens})
    ]


def _macros(run: Path, config: Config, progress: Progress, macro: Macro) -> list[Path]:
    from emamba.eda.macros import alternative, memories
    from emamba.flow.design import load_design

    design, graph = load_design(run / "rtl.json"), load(run / "graph.json")
    progress(0, 0, f"synth: memories in {macro.macro}")
    found = memories(files.read_bytes(run / "rtl" / f"{design.top}.v").decode(errors="replace"), design.top)
    weights = [(region.tensor, region.array) for region in design.regions]
    areas = {it["name"]: it["memory"] for it in read_json(run / "silicon.json")["components"]}
    reads = {it.name: it.cycles * graph.frame_tokens(it.sources[0]) for it in design.stages if it.sources}
    return [write_json(run / "macros.json", alternative(found, macro, weights, areas, reads))]


def _netlist(run: Path, library: Library) -> Netlist:
    from emamba.eda.cells import measured
    from emamba.flow.design import load_design

    text = files.read_bytes(run / NETLIST).decode()
    return measured(text, load_design(run / "rtl.json").top, library)
