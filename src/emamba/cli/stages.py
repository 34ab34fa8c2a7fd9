"""The stages on the command line: each verb is the twin of a function in `emamba.flow`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from emamba import flow
from emamba.cli.options import DataDir, Folder, Force, Json, Recipe, Run, Seed, run_folder
from emamba.cli.output import finish, front_table, listener, print_columns, print_table
from emamba.config import Config, load_config, seeded
from emamba.errors import ConfigError, ToolError

verbs = typer.Typer()


@verbs.command()
def demo(run: Folder = None, data_dir: DataDir = None, force: Force = False, as_json: Json = False) -> None:
    """All stages for the handwritten digits, and the table of results."""
    run = run or Path("runs/digits")
    with listener() as told:
        results = flow.demo(run, force, told, data_dir)
    finish(run, results, as_json)


@verbs.command("flow")
def _flow(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE|RUN", help="A recipe, or the run folder of one.")],
    run: Folder = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """All stages of a recipe, and the table of results."""
    config, run = _begun(recipe, run, seed)
    with listener() as told:
        results = flow.flow(config, run, force, told, data_dir)
    finish(run, results, as_json)


@verbs.command()
def train(
    recipe: Recipe,
    run: Folder = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train the model of a recipe; makes the run folder."""
    config, run = _begun(recipe, run, seed)
    with listener() as told:
        results = flow.train(config, run, force, told, data_dir)
    finish(run, results, as_json, "Model")


@verbs.command()
def quantize(
    run: Run,
    scales: Annotated[
        Path | None,
        typer.Option(metavar="RUN", parser=run_folder, help="Take its scales, for its accelerator."),
    ] = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The trained model as an integer graph."""
    with listener() as told:
        results = flow.quantize(run, scales, force, told, data_dir)
    finish(run, results, as_json, "Model")


@verbs.command()
def show(run: Run, as_json: Json = False) -> None:
    """The integer graph, one line an operation."""
    shown = flow.show(run)
    print((run / "graph.json").read_text() if as_json else shown, end="" if as_json else "\n")


@verbs.command()
def emit(run: Run, force: Force = False, as_json: Json = False) -> None:
    """The integer graph as C and as Verilog, with projects and a driver to build the latter in."""
    with listener() as told:
        results = flow.emit(run, force, told)
    finish(run, results, as_json, "C", "Hardware")


@verbs.command()
def build(
    run: Run,
    interval: Annotated[int | None, typer.Option(min=3, help="Cycles between two tokens.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.001, help="Frames a second at the clock.")] = None,
    multipliers: Annotated[int | None, typer.Option(min=1, help="At most: the fastest design within.")] = None,
    latency: Annotated[int | None, typer.Option(min=1, help="Cycles from first beat in to last beat out.")] = None,
    clock_mhz: Annotated[float | None, typer.Option(min=0.001, help="That rates are stated at.")] = None,
    weights: Annotated[str | None, typer.Option(help="rom, or ram that other weights can be loaded into.")] = None,
    packing: Annotated[bool | None, typer.Option(help="Two products to a DSP block. [default: recipe]")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Choose a small accelerator that meets a wish, put the wish into the run's recipe, and emit it."""
    with listener() as told:
        results = flow.build(run, interval, fps, multipliers, latency, clock_mhz, weights, packing, force, told)
    finish(run, results, as_json, "C", "Hardware")


@verbs.command()
def weights(
    run: Run,
    other: Annotated[Path, typer.Argument(metavar="OTHER", parser=run_folder, help="Run whose weights are loaded.")],
    path: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="[default: RUN/weights_<hash of the graph>.json]")
    ] = None,
) -> None:
    """What loads the weights of another run into the accelerator of RUN, which is built with --weights ram."""
    print(flow.weights(run, other, path))


@verbs.command()
def explore(run: Run, force: Force = False, as_json: Json = False) -> None:
    """A front of accelerators, from fast to small, by the cost model; explore.svg shows them."""
    from emamba.rtl.standard_cells import PRICES

    with listener() as told:
        designs = flow.explore(run, force, told)
    if as_json:
        print(json.dumps(designs, indent=1))
        return
    print_columns(front_table(designs))
    print(f"asap7: {PRICES['asap7']}")
    print(f"picture: {run / 'explore.svg'}")


@verbs.command()
def verify(
    run: Run,
    frames: Annotated[int | None, typer.Option(min=2, help="Test frames to compare. [default: the recipe's]")] = None,
    every: Annotated[bool, typer.Option("--all", help="All test frames, whatever the recipe says.")] = False,
    stalls: Annotated[
        bool | None,
        typer.Option(help="Random stalls at both ends; the clock stops if nothing is inside. [default: recipe]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the stalls.")] = 0,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Prove that golden executor, C and Verilog give the same integers."""
    if every and frames:
        raise ConfigError(f"--all and --frames {frames} contradict each other", "give one of them")
    with listener() as told:
        results = flow.verify(run, 0 if every else frames, stalls, seed, force, told, data_dir)
    finish(run, results, as_json, "Speed", "Proof")


@verbs.command()
def synth(
    run: Run,
    target: Annotated[
        str,
        typer.Option(
            help="xcup (AMD UltraScale+), ecp5 or ice40 (Lattice), ulx3s (a board, with a bitstream), "
            "sky130, asap7, sg13g2, or a FILE.lib (several: with commas)."
        ),
    ] = "xcup",
    route: Annotated[bool, typer.Option("--route", help="Place and route too, for the clock; ecp5 only.")] = False,
    clock_mhz: Annotated[
        float | None, typer.Option(min=0.001, help="That cells are chosen for. [default: the recipe's]")
    ] = None,
    gates: Annotated[bool, typer.Option("--gates", help="Prove the cells with test frames too; not FPGAs.")] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Frames a second that energy is stated at; with --gates. [default: 30]"),
    ] = None,
    corner: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE.lib", help="Clock and power at this corner too; may be given several times."),
    ] = None,
    macro: Annotated[
        Path | None,
        typer.Option(metavar="FILE.lib", help="What memories would take in this SRAM macro, estimated."),
    ] = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Synthesize the Verilog with Yosys, up to mapping; with --route, its clock from nextpnr: minutes more."""
    with listener() as told:
        results = flow.synth(run, target, route, clock_mhz, gates, fps, corner or (), macro, force, told, data_dir)
    finish(run, results, as_json, "Silicon" if "library" in results else "Hardware")


@verbs.command()
def report(run: Run, force: Force = False, as_json: Json = False) -> None:
    """One HTML page with all results, and the table of them."""
    with listener() as told:
        results = flow.report(run, force, told)
    finish(run, results, as_json)


@verbs.command()
def doctor(as_json: Json = False) -> None:
    """The tools that stages need: found, in which version, or missing."""
    tools = flow.doctor()
    if as_json:
        print(json.dumps(tools, indent=1))
    else:
        print_table((tool["name"], tool["found"] or "missing", tool["needed_for"]) for tool in tools)
    missing = [tool for tool in tools if not (tool["found"] or tool["optional"])]
    if missing:
        raise ToolError(
            f"missing: {', '.join(tool['name'] for tool in missing)}", "; ".join(tool["hint"] for tool in missing)
        )


def _begun(recipe: str, run: Path | None, seed: int | None) -> tuple[Config, Path]:
    """The recipe and the run folder that a verb begins with; a run folder stands for its recipe.

    Under another seed the run folder is another one, so that runs of several seeds lie side by side.
    """
    is_run = (Path(recipe) / "config.toml").is_file()
    config = flow.recipe(Path(recipe)) if is_run else load_config(recipe)
    usual = Path(recipe) if is_run else Path("runs") / config.name
    if seed is None:
        return config, run or usual
    return seeded(config, seed), run or usual.with_name(f"{usual.name}_{seed}")
