"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emamba.config import recipes
from emamba.flow import vectors, zoo

ZOO = "zoo:"


def run_folder(given: str) -> Path:
    """The run folder that `given` names.

    For `zoo:MODEL` it is made of the model, unless it is there; for a graph in a file `NAME.json`, of that graph.
    """
    if given.endswith(".json"):
        return vectors.run_of(Path(given), Path("runs") / Path(given).stem)
    if not given.startswith(ZOO):
        return Path(given)
    name = given.removeprefix(ZOO)
    run = Path("runs") / f"zoo_{name}"
    return run if (run / "graph.json").is_file() else zoo.take_out(name, run)


Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        parser=run_folder,
        help="Run folder, as `emamba train` makes it, zoo:MODEL for a model of the zoo, or a graph in FILE.json.",
    ),
]
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help=f"TOML file, or one of: {', '.join(recipes())}.")]
Folder = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="Run folder. [default: runs/<name>, with --seed runs/<name>_<seed>]"),
]
Force = Annotated[bool, typer.Option("--force", help="Redo what is up to date.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Holds a subfolder for each data set; else EMAMBA_DATA does."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of the training. [default: recipe]")]
Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]
