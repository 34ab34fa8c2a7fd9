"""Measurements on the command line."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from emamba.cli.options import DataDir, Json
from emamba.cli.output import listener, print_columns, print_table

verbs = typer.Typer(no_args_is_help=True, help="Measure, and compare with what others published or provide.")


@verbs.command("scan")
def _scan(
    rounds: Annotated[int, typer.Option(min=1, help="Measurements, of which the median counts.")] = 5,
    limit: Annotated[int, typer.Option(min=1, help="Seconds after which a package is given up.")] = 60,
    as_json: Json = False,
) -> None:
    """The selective scan, forward and backward, against mambapy's and transformers'."""
    from emamba.bench.scan import scan, summary

    with listener() as told:
        measured = scan(told.progress, rounds=rounds, limit=limit)
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
    from emamba.bench.accuracy import accuracy, ratio_table, ratios, table, to_json

    with listener() as told:
        found = accuracy(models or [], data_dir, told.progress)
    compared = ratios(found)
    if as_json:
        print(json.dumps(to_json(found, compared), indent=1))
        return
    print_columns(table(found))
    if compared:
        print_columns(ratio_table(compared))
