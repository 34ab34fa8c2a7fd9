"""Data sets on the command line: each verb is the twin of a function in `emamba.data`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from emamba import data
from emamba.cli.options import DataDir, Json
from emamba.cli.output import listener

verbs = typer.Typer(no_args_is_help=True, help="Data sets: which there are, where they lie, and how to get them.")

Set = Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(data.SOURCES)}.")]


@verbs.command("list")
def _list(data_dir: DataDir = None, as_json: Json = False) -> None:
    """The data sets: task, sizes, and where each was found."""
    found = data.catalogue(data_dir)
    if as_json:
        print(json.dumps([asdict(entry) for entry in found], indent=1, default=str))
        return
    for entry in found:
        place = "comes with the package" if entry.bundled else entry.folder or "missing"
        print(f"{entry.name:<14} {entry.task:<14} {entry.sizes}\n{'':<14} {place}")


@verbs.command()
def fetch(name: Set, data_dir: DataDir = None) -> None:
    """Download the official files of a data set; goes on where it was interrupted."""
    with listener() as told:
        paths = data.fetch(name, data_dir, told.progress)
    for path in paths:
        print(path)


@verbs.command()
def check(name: Set, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Read a data set whole, compare its checksums, and say what it is."""
    found = data.check(name, data_dir)
    if as_json:
        print(json.dumps(asdict(found), indent=1, default=str))
        return
    for key, value in asdict(found).items():
        print(f"{key:<14} {value if value is not None else 'comes with the package'}")
