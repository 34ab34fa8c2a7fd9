"""Search on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from emamba.cli.options import DataDir, Json
from emamba.cli.output import listener, print_columns
from emamba.errors import ConfigError

Kind = TypeVar("Kind")
Cluster = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Of Ray, ray://HOST:10001, or Dask, tcp://HOST:8786; ray or dask: on this machine. [default: none]",
    ),
]
_UNITS = {"s": 1, "m": 60, "h": 3600}


def search(
    space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE",
            help="TOML file, or one that comes with the package: digits, fashion_fast, mars, mars_small.",
        ),
    ],
    budget: Annotated[
        str, typer.Option(help="Time to search, as 90s, 30m or 2h; the study goes on when called again.")
    ] = "30m",
    constraint: Annotated[
        list[str] | None, typer.Option(help="Such as 'multipliers<=256' or 'fps>=1000'; may be given several times.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="A cost to make small; several give a front of more dimensions. [default: multiplier_cycles]"
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=0, help="Stop when so many have ended (0: when the time is over).")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that train (0: one a core, of all there are).")] = 0,
    storage: Annotated[
        str, typer.Option(help="URL of a database that machines share. [default: study.db in DIR]")
    ] = "",
    cluster: Cluster = "",
    sampler: Annotated[str, typer.Option(help="tpe, gp, nsga2 or random.")] = "tpe",
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="[default: runs/search_<space>]")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Search a network and its approximations: accuracy of the integers against the cost of the accelerator."""
    from emamba import search as searching

    found_space = searching.load_space(space)
    folder = run or Path("runs") / f"search_{found_space.name}"
    means = searching.Means(
        seconds(budget),
        trials,
        workers,
        storage,
        one_of(sampler, "sampler", searching.SAMPLERS),
        seed,
        cluster,
    )
    limits, costs = searching.constraints(constraint or []), tuple(against or ["multiplier_cycles"])
    with listener() as told:
        found = searching.search(found_space, folder, costs, limits, means, told, data_dir)
    if as_json:
        print(json.dumps([searching.row(found, trial) for trial in found.front], indent=1))
        return
    if found.front:
        print_columns(searching.table(found))
    for line in searching.summary(found, folder):
        print(line)


def seconds(text: str) -> float:
    """`30m` as seconds; ConfigError if it is no time."""
    found = re.fullmatch(r"([0-9]+\.?[0-9]*)([smh])", text.strip())
    if not found or not float(found[1]):
        raise ConfigError(f"{text!r} is no time to search", "give a number and a unit: 90s, 30m, 2h")
    return float(found[1]) * _UNITS[found[2]]


def one_of(text: str, what: str, known: tuple[Kind, ...]) -> Kind:
    """`text` as one of `known`; ConfigError if it is none."""
    found = next((it for it in known if it == text), None)
    if found is None:
        raise ConfigError(f"there is no {what} {text!r}", f"there are: {', '.join(map(str, known))}")
    return found
