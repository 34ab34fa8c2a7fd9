"""The stages: each reads the run folder, writes its artifacts there, and gives its results as JSON has them.

`train` makes a run folder from a recipe; each later stage takes the folder. A stage that is up to date is
skipped (see `flow.run`); `force` redoes it. `data_dir` is where `data.load_dataset` looks; another
place redoes nothing, because results name their data by content. PyTorch and Amaranth are loaded by the stages
that need them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emamba import files
from emamba.config import Config, load_config
from emamba.errors import ConfigError, MismatchError
from emamba.flow import board
from emamba.flow.run import (
    SILENT,
    Listener,
    Progress,
    Stage,
    forget,
    outdated,
    perform,
    read_json,
    recipe,
    start,
    write_json,
)
from emamba.flow.silicon import GATES, MACROS, RATE, SILICON, TIMING, silicon
from emamba.flow.vectors import FILE as VECTORS
from emamba.flow.vectors import test_frames, vectors
from emamba.graph import Graph, content_hash, load, save, text

if TYPE_CHECKING:
    from emamba.training import Teacher

_GRAPH = ("graph.json", "graph.npz")
_RESULTS = (
    "training",
    "quantization",
    "firmware",
    "rtl",
    "verify",
    "synth",
    "silicon",
    "timing",
    "gates",
    "power",
    "rate",
    "macros",
)

TRAIN = Stage("train", ("data", "model", "training"))
QUANTIZE = Stage("quantize", ("name", "data", "model", "training", "quantization"), ("model.safetensors",))
EMIT = Stage("emit", ("hardware",), _GRAPH)
VERIFY = Stage("verify", ("data", "verify"), (*_GRAPH, "rtl.json"), ("firmware/*", "rtl/*", VECTORS))
SYNTH = Stage("synth", (), ("rtl.json",), ("rtl/*", f"{board.FOLDER}/*.lpf", f"{board.FOLDER}/*.v"))
REPORT = Stage("report", tuple(Config.model_fields), (), (*_GRAPH, *(f"{name}.json" for name in _RESULTS)))

Results = dict[str, Any]


def demo(run: Path, force: bool = False, listener: Listener = SILENT, data_dir: Path | None = None) -> Results:
    """The whole road for the handwritten digits, in the folder `run`; gives what `flow` gives."""
    return flow(load_config("digits"), run, force, listener, data_dir)


def flow(
    config: Config, run: Path, force: bool = False, listener: Listener = SILENT, data_dir: Path | None = None
) -> Results:
    """All stages in order for `config`, in the folder `run`; gives the content of report.json.

    ConfigError before anything is trained if the model has no integer form.
    """
    from emamba.quantization import lowerable

    lowerable(config.model)
    train(config, run, force, listener, data_dir)
    quantize(run, force=force, listener=listener, data_dir=data_dir)
    emit(run, force, listener)
    verify(run, force=force, listener=listener, data_dir=data_dir)
    synth(run, force=force, listener=listener)
    return report(run, force, listener)


def train(
    config: Config, run: Path, force: bool = False, listener: Listener = SILENT, data_dir: Path | None = None
) -> Results:
    """model.safetensors: the trained model. Gives the content of training.json.

    `run` becomes a run folder of `config`; an earlier recipe there is replaced.
    """
    perform(TRAIN, start(run, config), partial(_train, data_dir=data_dir), None, force, listener)
    return read_json(run / "training.json")


def quantize(
    run: Path,
    scales: Path | None = None,
    force: bool = False,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> Results:
    """graph.json and graph.npz: the model in integers. Gives the content of quantization.json.

    `scales` is the run whose scales it takes instead of its own, so that the accelerator of that run can load its
    weights; ConfigError if the recipes do not agree in data, model and quantization.
    """
    other = load(_alike(run, scales) / "graph.json") if scales else None
    options = {"scales": content_hash(other)} if other else None
    perform(QUANTIZE, run, partial(_quantize, data_dir=data_dir, other=other), options, force, listener)
    return read_json(run / "quantization.json")


def show(run: Path) -> str:
    """The integer graph as text, one line an operation."""
    recipe(run)
    return text(load(run / "graph.json"))


def emit(run: Path, force: bool = False, listener: Listener = SILENT) -> Results:
    """firmware/, rtl/, integration/: the graph as C and as Verilog, and what helps to build that in.

    Gives the contents of firmware.json and rtl.json.
    """
    perform(EMIT, run, _emit, None, force, listener)
    return {name: read_json(run / f"{name}.json") for name in ("firmware", "rtl")}


def verify(
    run: Path,
    frames: int | None = None,
    stalls: bool | None = None,
    seed: int = 0,
    force: bool = False,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> Results:
    """Proof that golden executor, C and Verilog agree, as they are in the folder. Gives verify.json's content.

    C and Verilog are emitted first if they never were. The first `frames` test frames (0: all; default: as many as
    the recipe says; at least 2), or the test vectors of a model of the zoo where its data are not; with `stalls`
    (default: as the recipe says) a second time under random stalls of that `seed`. MismatchError names the first
    difference; what an earlier verification left is then removed. Says how fast the simulation was.
    """
    frames = (recipe(run).verify.frames if frames is None else frames) or None
    if frames is not None and frames < 2:
        raise ConfigError(f"{frames} frames to verify", "give 2 or more: a rate needs two")
    chosen = {"frames": frames, "stalls": recipe(run).verify.stalls if stalls is None else stalls, "seed": seed}
    if not (run / "rtl.json").is_file():
        emit(run, listener=listener)
    if outdated(EMIT, run):
        listener.say("note: C and Verilog are out of date, their inputs have changed since `emit`")
    try:
        perform(VERIFY, run, partial(_verify, **chosen, data_dir=data_dir, say=listener.say), chosen, force, listener)
    except MismatchError:
        forget(VERIFY, run)
        raise
    return read_json(run / "verify.json")


def synth(
    run: Path,
    target: str = "xcup",
    route: bool = False,
    clock_mhz: float | None = None,
    gates: bool = False,
    fps: float | None = None,
    corners: Sequence[str] = (),
    macro: Path | None = None,
    force: bool = False,
    listener: Listener = SILENT,
    data_dir: Path | None = None,
) -> Results:
    """Resources of the Verilog, by Yosys, on UltraScale+ (`xcup`), `ecp5` or `ice40`. Gives the content of synth.json.

    Verilog is emitted first if it never was. With `route` nextpnr places and routes it too, and synth.json has the
    clock. `ulx3s`, a board with an ECP5, is always routed, behind a serial line, and gets a bitstream. Any other
    `target` is a PDK or a liberty file: gives what `flow.silicon` gives; `corners` and `macro` are liberty files too.
    ConfigError if there is no such target, if a liberty file is none or lacks what is needed, or for what it cannot do.
    """
    from emamba.eda import pdk
    from emamba.eda.targets import FPGAS

    fpga, chosen = target in FPGAS, {"target": target, "route": route}
    if route and target not in ("ecp5", "ulx3s"):
        raise ConfigError(f"target {target} cannot be placed and routed here", "give --target ecp5 with --route")
    if fpga and (gates or clock_mhz or fps or corners or macro):
        fact = f"{target} is an FPGA: a clock, gates, a rate, corners or macros can be asked of standard cells only"
        hint = "give --target sky130, another PDK or a FILE.lib with --gates, --clock-mhz, --fps, --corner and --macro"
        raise ConfigError(fact, hint)
    if fps and not gates:
        raise ConfigError("the energy of a frame is not known without power", "give --gates with --fps")
    library = None if fpga else pdk.library(target)
    if not (run / "rtl.json").is_file():
        emit(run, listener=listener)
    if library:
        others = [pdk.library(corner) for corner in corners]
        return silicon(run, target, library, clock_mhz, gates, fps, others, macro, force, listener, data_dir)
    perform(SYNTH, run, partial(_synth, **chosen), chosen, force, listener)
    if target == "ulx3s":
        listener.say(f"bitstream: {run / board.FOLDER}/*.bit, not run on hardware")
    return read_json(run / "synth.json")


def report(run: Path, force: bool = False, listener: Listener = SILENT) -> Results:
    """report.html: one page with all results. Gives the content of report.json, which is beside it.

    Says which results no longer belong to what is in the folder now.
    """
    for stage in (TRAIN, QUANTIZE, EMIT, VERIFY, SYNTH, SILICON, TIMING, GATES, RATE, MACROS):
        if outdated(stage, run):
            listener.say(f"note: {stage.name} is out of date, its inputs have changed since; run it again")
    perform(REPORT, run, _report, None, force, listener)
    return read_json(run / "report.json")


def doctor() -> list[Results]:
    """The tools that stages need: name, version found (None if missing), what for, and how to get it."""
    from emamba.eda.tools import tools

    return [asdict(tool) for tool in tools()]


def _train(run: Path, config: Config, progress: Progress, data_dir: Path | None) -> list[Path]:
    from emamba import training
    from emamba.data import Split, dataset_of
    from emamba.model import Mamba, exact_twin, parameter_count

    dataset, memory = dataset_of(config, data_dir), run / "train.memory"
    master = teacher(run, config, progress, data_dir)
    model, history = training.train(config, dataset, progress, memory, master)
    forms = {"float": exact_twin(model), "approximated": model} if isinstance(model, Mamba) else {"float": model}

    def scores(split: Split) -> dict[str, float]:
        found = {form: training.evaluate(form, split, dataset.task, config.data) for form in set(forms.values())}
        return {name: found[form] for name, form in forms.items()}

    results = {
        "data": dataset.identity,
        "task": dataset.task,
        "seed": config.training.seed,
        "parameters": parameter_count(model),
        "history": [asdict(epoch) for epoch in history],
        "scores": scores(dataset.test),
        "validation": scores(dataset.validation) if len(dataset.validation) else {},
    }
    checkpoint = training.save_checkpoint(model, config, run / "model.safetensors")
    memory.unlink(missing_ok=True)
    return [checkpoint, write_json(run / "training.json", results)]


def teacher(run: Path, config: Config, progress: Progress, data_dir: Path | None) -> Teacher | None:
    """The trained network of the teacher's recipe, in a run folder inside `run`; None if `config` names none.

    ConfigError if that learns from a teacher too (they could go round in circles), or from other data.
    """
    from emamba.training import Teacher, load_checkpoint

    if not config.training.teacher.recipe:
        return None
    chosen = load_config(config.training.teacher.recipe)
    if chosen.training.teacher.recipe or chosen.data.name != config.data.name:
        taught = chosen.training.teacher.recipe
        fact = f"learns from {taught}" if taught else f"is for {chosen.data.name}, not for {config.data.name}"
        hint = "name a recipe of the same data set in training.teacher.recipe that has no teacher itself"
        raise ConfigError(f"the teacher {chosen.name} of {config.name} {fact}", hint)
    train(chosen, run / "teacher", data_dir=data_dir, listener=Listener(progress))
    return Teacher(load_checkpoint(run / "teacher" / "model.safetensors", chosen), chosen.data)


def _alike(run: Path, other: Path) -> Path:
    """`other`, if its network has the same streams and widths as that of `run`."""
    mine, its = recipe(run), recipe(other)
    for section in ("data", "model", "quantization"):
        if getattr(mine, section) != getattr(its, section):
            hint = "give a run whose recipe has the same data, model and quantization"
            raise ConfigError(f"{other} has another section [{section}] in its recipe than {run}", hint)
    return other


def _quantize(run: Path, config: Config, progress: Progress, data_dir: Path | None, other: Graph | None) -> list[Path]:
    from emamba.data import dataset_of
    from emamba.quantization import quantize, scales_of
    from emamba.training import load_checkpoint

    model, memory = load_checkpoint(run / "model.safetensors", config), run / "quantize.memory"
    scales = scales_of(other) if other else None
    found = quantize(model, config, dataset_of(config, data_dir), progress, memory, scales)
    results = {
        "scores": asdict(found.scores),
        "validation": asdict(found.validation) if found.validation else {},
        "subjects": {str(number): score for number, score in found.subjects.items()},
        "graph_hash": content_hash(found.graph),
        "curves": [{"name": curve.name, "form": curve.form, **asdict(curve.error)} for curve in found.curves],
        "history": [asdict(epoch) for epoch in found.history],
    }
    stored = save(found.graph, run / "graph.json")
    memory.unlink(missing_ok=True)
    return [stored, stored.with_suffix(".npz"), write_json(run / "quantization.json", results)]


def _emit(run: Path, config: Config, progress: Progress) -> list[Path]:
    """Makes everything before it writes anything: an error leaves what was there."""
    from emamba import firmware, integration, rtl
    from emamba.eda.compiler import firmware_sizes
    from emamba.eda.verilog import verilog
    from emamba.flow.design import described

    graph = load(run / "graph.json")
    progress(0, 3, "emit C")
    sources = firmware.generate(graph)
    with tempfile.TemporaryDirectory() as folder:
        sizes = firmware_sizes(sources, graph, Path(folder))
    progress(1, 3, "emit circuit")
    wished = config.hardware.interval_cycles, config.hardware.latency_cycles, config.hardware.packing
    loadable = config.hardware.weights == "ram"
    design = rtl.build(graph, wished[0], rtl.solve(graph, *wished), loadable)
    progress(2, 3, "emit Verilog")
    contents = {run / "firmware" / name: content for name, content in sources.items()}
    tops = {
        design.top: design.rtlil,
        design.stream_top: rtl.stream_top(design),
        design.register_top: rtl.register_top(design),
    }
    contents |= {run / "rtl" / f"{top}.v": verilog(text, top) for top, text in tops.items()}
    shell, top = rtl.serial_top(design, integration.BIT_CYCLES), design.serial_top
    contents[run / board.FOLDER / f"{top}.v"] = verilog(shell, top)
    around = integration.generate(graph, design, config.hardware.clock_mhz, *vectors(graph))
    contents |= {run / path: text for path, text in around.items()}
    written = [files.write(path, content) for path, content in contents.items()]
    design_json = write_json(run / "rtl.json", described(design, config.hardware.clock_mhz))
    return [*written, write_json(run / "firmware.json", asdict(sizes)), design_json]


def _verify(
    run: Path,
    config: Config,
    progress: Progress,
    frames: int | None,
    stalls: bool,
    seed: int,
    data_dir: Path | None,
    say: Callable[[str], None],
) -> list[Path]:
    from emamba.flow.design import load_design
    from emamba.flow.verification import verify

    graph, design = load(run / "graph.json"), load_design(run / "rtl.json")
    names = [f"emamba_{graph.name}.{suffix}" for suffix in ("c", "h")]
    sources = {name: files.read_bytes(run / "firmware" / name).decode(errors="replace") for name in names}
    tokens = test_frames(run, config, graph, data_dir)[:frames]
    traced, seeded = config.verify.trace_frames, seed if stalls else None
    found = verify(graph, sources, design, _verilog(run, design.top), tokens, run / "build", traced, seeded, progress)
    count, seconds = len(tokens), found.simulation.seconds
    say(f"Verilator: {count:,} frames in {seconds:.1f} s, {count / seconds:,.0f} frames a second")
    return [write_json(run / "verify.json", found.to_json())]


def _synth(run: Path, config: Config, progress: Progress, target: str, route: bool) -> list[Path]:
    from emamba.eda import nextpnr, targets
    from emamba.eda.synthesis import synthesize
    from emamba.flow.design import load_design

    design, on_board, bits = load_design(run / "rtl.json"), target == "ulx3s", []
    progress(0, 1 + (route or on_board), "synth: map")
    verilog = _verilog(run, design.top)
    results = synthesize(verilog, design.top, targets.target(target)).to_json()
    if route or on_board:
        progress(1, 2, "synth: place and route")
    if on_board:
        routing, *bits = board.configure(run, design)
        results["routing"] = routing.to_json()
    elif route:
        results["routing"] = nextpnr.route(verilog, design.top).to_json()
    return [*bits, write_json(run / "synth.json", results)]


def _verilog(run: Path, top: str) -> str:
    return files.read_bytes(run / "rtl" / f"{top}.v").decode(errors="replace")


def _report(run: Path, config: Config, progress: Progress) -> list[Path]:
    from emamba.report import load_results, render, to_json

    results = load_results(run)
    page = files.write(run / "report.html", render(results))
    return [page, files.write(run / "report.json", to_json(results))]
