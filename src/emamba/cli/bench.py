"""Measurements on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from emamba.cli.options import DataDir, Json, Recipe, Run, Seed
from emamba.cli.output import listener, print_columns, print_table
from emamba.cli.search import one_of
from emamba.config import load_config, seeded
from emamba.errors import ConfigError

verbs = typer.Typer(no_args_is_help=True, help="Measure, and compare with what others published or provide.")


@verbs.command("scan")
def _scan(
    rounds: Annotated[int, typer.Option(min=1, help="Measurements, of which the median counts.")] = 5,
    limit: Annotated[int, typer.Option(min=1, help="Seconds after which a package is given up.")] = 60,
    device: Annotated[str, typer.Option(help="cpu, or cuda, which needs a PyTorch for GPUs.")] = "cpu",
    as_json: Json = False,
) -> None:
    """The selective scan, forward and backward, against mambapy's and transformers'."""
    from emamba.bench.scan import scan, summary

    with listener() as told:
        measured = scan(told.progress, rounds=rounds, limit=limit, device=one_of(device, "device", ("cpu", "cuda")))
    if as_json:
        print(json.dumps(measured, indent=1))
    else:
        print_table(summary(measured))


@verbs.command("accuracy")
def _accuracy(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Of the zoo. [default: all]")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """The zoo's integer graphs on the test splits, beside what was published."""
    from emamba.bench.accuracy import accuracy, ratio_table, ratios, table, to_json, unmeasured

    with listener() as told:
        found = accuracy(models or [], data_dir, told.progress)
    compared = ratios(found)
    if as_json:
        print(json.dumps(to_json(found, compared), indent=1))
        return
    print_columns(table(found))
    if compared:
        print()
        print_columns(ratio_table(compared))
    for fact in unmeasured(models or []):
        print(f"not measured: {fact}")


@verbs.command("hardware")
def _hardware(
    variants: Annotated[list[str] | None, typer.Argument(metavar="[VARIANT]...", help="fast, packed, small.")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Test frames to compare.")] = 64,
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Holds its run folders.")] = Path("runs/hardware"),
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """MARS in hardware: variants built, verified and synthesised, beside what was published."""
    from emamba.bench.hardware import bars, hardware, table, to_json

    with listener() as told:
        found = hardware(run, frames, variants or [], told, data_dir)
    _print_measured(to_json(found), table(found), bars(found), as_json)


@verbs.command("cost")
def _cost(
    target: Annotated[str, typer.Option(help="xcup, or standard cells: asap7, sky130.")] = "xcup",
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Holds the run folders for cells. [default: runs/cost_<target>]"),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """The cost model beside Yosys, on thirteen designs: ten minutes; for cells on eight, with energy: longer."""
    from emamba.bench import cells, cost

    if target != "xcup":
        with listener() as told:
            found, prices = cells.cells(run or Path("runs") / f"cost_{target}", target, told, data_dir)
        _print_measured(cells.to_json(found, prices), cells.table(found), cells.summary(found, prices), as_json)
        return
    if run is not None:
        raise ConfigError("--run holds run folders for standard cells, and xcup has none", "leave it out")
    with listener() as told:
        mapped = cost.cost(told.progress)
    _print_measured(cost.to_json(mapped), cost.table(mapped), cost.summary(mapped), as_json)


@verbs.command("ablation")
def _ablation(
    recipe: Recipe,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="Holds its run folders. [default: runs/<name>_ablation]")
    ] = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """What each choice of a recipe costs, from exact float to integers; up to four trainings."""
    from emamba.bench.ablation import ablation, summary, table

    config = load_config(recipe) if seed is None else seeded(load_config(recipe), seed)
    with listener() as told:
        found = ablation(config, run or Path("runs") / f"{config.name}_ablation", told, data_dir)
    _print_measured(asdict(found), table(found), summary(found), as_json)


@verbs.command("sweep")
def _sweep(run: Run, data_dir: DataDir = None, as_json: Json = False) -> None:
    """What widths, curves and scales cost a trained model, post-training, on validation frames."""
    from emamba.bench.sweep import summary, sweep, table

    with listener() as told:
        found = sweep(run, told.progress, data_dir)
    _print_measured(asdict(found), table(found), summary(found), as_json)


@verbs.command("search")
def _search(
    space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE",
            help="A space for which there is a preset of the paper: digits, fashion_fast, mars, mars_small.",
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="Of each search.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Searches a method: seeds 0, 1, 2 ...")] = 3,
    sampler: Annotated[
        list[str] | None, typer.Option(help="tpe, gp, nsga2 or random; may be given several times. [default: tpe]")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Searches at once (0: one a core, of all there are).")] = 0,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Holds its searches. [default: runs/bench_search_<space>]"),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """A search beside chance at equal cost, and beside the paper's preset; for digits seven minutes of two cores."""
    from emamba.bench.search import prove, summary, table, to_json
    from emamba.search import SAMPLERS, Sampler, load_space

    wanted: list[Sampler] = [one_of(it, "sampler", SAMPLERS) for it in sampler or ["tpe"]]
    found_space = load_space(space)
    folder = run or Path("runs") / f"bench_search_{found_space.name}"
    with listener() as told:
        found = prove(found_space, folder, trials, seeds, wanted, workers, told, data_dir)
    _print_measured(to_json(found), table(found), summary(found), as_json)


def _print_measured(found: object, rows: Sequence[Sequence[str]], about: Iterable[str], as_json: bool) -> None:
    """`found` as JSON, or its rows in columns, and what there is to say about them."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print_columns(rows)
    for line in about:
        print(line)
