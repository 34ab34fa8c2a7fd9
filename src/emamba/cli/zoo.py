"""The zoo on the command line: each verb is the twin of a function in `emamba.flow.zoo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from emamba.cli.options import Json
from emamba.cli.output import print_columns
from emamba.flow import zoo

verbs = typer.Typer(no_args_is_help=True, help="Trained models that come with the package.")


@verbs.command("list")
def _list(as_json: Json = False) -> None:
    """The models: parameters, data, and the command that makes them."""
    cards = [zoo.card(name) for name in zoo.names()]
    if as_json:
        print(json.dumps(cards, indent=1))
    else:
        print_columns([("model", "parameters", "command", "data"), *map(_row, cards)])


@verbs.command("take")
def _take_out(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="As `emamba zoo list` names it.")],
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="[default: runs/zoo_<model>]")] = None,
) -> None:
    """Make a run folder of a model, as if it had been trained and quantized there."""
    print(zoo.take_out(name, run or Path("runs") / f"zoo_{name}"))


@verbs.command("put")
def _put_in(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Of one recipe, under several seeds.")],
    folder: Annotated[Path, typer.Option("--zoo", metavar="DIR", help="The zoo to put it into.")] = Path("zoo"),
) -> None:
    """Make an entry of finished runs; the first one is kept, the others are for the card."""
    print(zoo.put_in(runs, folder))


def _row(card: dict[str, object]) -> tuple[str, ...]:
    return str(card["name"]), f"{card['parameters']:,}", str(card["command"]), str(card["data"])
