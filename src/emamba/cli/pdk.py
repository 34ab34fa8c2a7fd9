"""Standard cells on the command line: each verb is the twin of a function in `emamba.eda.pdk`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from emamba.cli.options import Json
from emamba.cli.output import listener
from emamba.eda import pdk

verbs = typer.Typer(no_args_is_help=True, help="Standard cells for `emamba synth RUN --target NAME`.")


@verbs.command("list")
def _list(as_json: Json = False) -> None:
    """The PDKs that are known by name, and where each was found."""
    found = pdk.catalogue()
    if as_json:
        print(json.dumps([asdict(entry) for entry in found], indent=1, default=str))
        return
    for entry in found:
        print(f"{entry.name:<8} {entry.text}\n{'':<8} {entry.folder or 'missing'}")


@verbs.command()
def fetch(name: Annotated[str, typer.Argument(metavar="NAME", help="As `emamba pdk list` names it.")]) -> None:
    """Download the liberty files of a PDK; goes on where it was interrupted."""
    with listener() as told:
        paths = pdk.fetch(name, told.progress)
    for path in paths:
        print(path)
