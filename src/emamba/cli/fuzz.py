"""Fuzzing on the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from emamba.cli.options import Json
from emamba.cli.output import listener
from emamba.errors import MismatchError


def fuzz(
    graphs: Annotated[int, typer.Option(min=1, help="Graphs to draw.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the first graph; the next one has the next seed.")] = 0,
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Takes what fails.")] = Path("runs/fuzz"),
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A trial.json: run it once more, and nothing else.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove on random graphs, foldings, frames and stalls that golden executor, C and Verilog give the same."""
    from emamba import fuzz as fuzzing

    if replay:
        failure = fuzzing.replay(replay)
        facts = [f"{failure.kind}: {failure.fact}"] if failure else []
        if as_json:
            print(json.dumps(asdict(failure) if failure else None, indent=1))
        hint = "mend what the fact names, then replay the trial again"
    else:
        with listener() as told:
            found = fuzzing.fuzz(graphs, seed, run, told.progress, told.say)
        facts = [f"seed {it.seed}: {it.kind}: {it.fact}" for it in found]
        if as_json:
            print(json.dumps([asdict(it) for it in found], indent=1))
        hint = f"run the smallest one again: emamba fuzz --replay {found[0].path}" if found else ""
    if facts:
        raise MismatchError("; ".join(facts), hint)
    if not as_json:
        print(f"{1 if replay else graphs} graphs, no failure")
