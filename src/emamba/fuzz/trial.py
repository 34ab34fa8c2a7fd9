"""A trial: a graph, how it is folded, what it is fed, and how its streams stall; on disk, a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emamba import files
from emamba.errors import ArtifactError
from emamba.fixed import Integers
from emamba.graph import Graph, load, save
from emamba.rtl.folding import Folding

FILE = "trial.json"


@dataclass(frozen=True, eq=False)
class Trial:
    """A checked `graph` for an accelerator with `foldings` that is asked for `interval_cycles` between tokens.

    frames: [batch, tokens, channels], fed once without stalls and once for each seed of `stalls`. With
    `reset_after`, there is a reset after so many input beats before the frames of the stalled runs. With `loadable`,
    the circuit is made for other weights, and those of the graph are loaded.
    """

    graph: Graph
    foldings: Mapping[str, Folding]
    interval_cycles: int
    frames: Integers
    stalls: tuple[int, ...]
    reset_after: int
    loadable: bool = False

    def __str__(self) -> str:
        return self.graph.name


def save_trial(trial: Trial, folder: Path) -> Path:
    """Writes graph.json, graph.npz and trial.json into `folder`, and gives the last one's path."""
    save(trial.graph, folder / "graph.json")
    document = {
        "interval_cycles": trial.interval_cycles,
        "stalls": trial.stalls,
        "reset_after": trial.reset_after,
        "loadable": trial.loadable,
        "foldings": {name: vars(folding) for name, folding in trial.foldings.items()},
        "frames": trial.frames.tolist(),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in document.items())
    return files.write(folder / FILE, f"{{\n{lines}\n}}\n")


def load_trial(path: Path) -> Trial:
    """The trial of which `path` is the trial.json; ArtifactError if it is none."""
    if not path.is_file():
        raise ArtifactError(f"{path} is no file", "give the trial.json that `emamba fuzz` kept of a failure")
    graph = load(path.with_name("graph.json"))
    try:
        stored = json.loads(files.read_bytes(path))
        return Trial(
            graph=graph,
            foldings={name: _folding(fields) for name, fields in stored["foldings"].items()},
            interval_cycles=int(stored["interval_cycles"]),
            frames=np.array(stored["frames"], np.int64),
            stalls=tuple(stored["stalls"]),
            reset_after=int(stored["reset_after"]),
            loadable=bool(stored["loadable"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} is no trial: {error!r}", "give a trial.json that `emamba fuzz` wrote") from error


def _folding(fields: dict[str, object]) -> Folding:
    return Folding(**{**fields, "sources": tuple(fields["sources"])})  # pyright: ignore[reportArgumentType]
