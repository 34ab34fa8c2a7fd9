"""The zoo: trained models that come with the package.

An entry is what `train` and `quantize` left in a run folder, a card that says how it came about and how other
seeds fared, and test vectors: random frames, and what the integer graph makes of them. Of a baseline, which
has no integers, there is the card alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from emamba import files
from emamba.config import Config, MambaConfig, seeded
from emamba.errors import ConfigError
from emamba.flow.run import RECIPE, adopt, read_json, recipe, start, write_json
from emamba.flow.stages import QUANTIZE, TRAIN
from emamba.flow.vectors import FILE, save_vectors
from emamba.graph import Graph, load

CARD = "card.json"

_LEFT = {TRAIN: ("model.safetensors", "training.json"), QUANTIZE: ("graph.json", "graph.npz", "quantization.json")}


def names() -> list[str]:
    """The models in the zoo."""
    return sorted(path.parent.name for path in _folder().glob(f"*/{FILE}"))


def card(name: str) -> dict[str, Any]:
    """How a model or baseline came about: command, data, parameters, and the scores of every seed."""
    return read_json(_folder() / name / CARD)


def cards() -> dict[str, dict[str, Any]]:
    """The cards of all models and baselines, by name."""
    return {path.parent.name: read_json(path) for path in sorted(_folder().glob(f"*/{CARD}"))}


def config(name: str) -> Config:
    """The recipe of the model."""
    return recipe(_entry(name))


def graph(name: str) -> Graph:
    """The integer graph of the model."""
    return load(_entry(name) / "graph.json")


def take_out(name: str, run: Path) -> Path:
    """The model as the run folder `run`, as if it had been trained and quantized there."""
    entry = _entry(name)
    start(run, recipe(entry))
    for stage, artifacts in _LEFT.items():
        written = [files.write(run / artifact, (entry / artifact).read_bytes()) for artifact in artifacts]
        adopt(stage, run, written)
    files.write(run / FILE, (entry / FILE).read_bytes())
    return run


def put_in(runs: Sequence[Path], zoo: Path) -> Path:
    """A new entry below `zoo` from `runs` of one recipe under several seeds; the first one is kept.

    ConfigError if the recipes differ in more than their seed, ArtifactError if a run is not finished.
    """
    first = recipe(runs[0])
    for other in runs[1:]:
        if seeded(recipe(other), first.training.seed) != first:
            raise ConfigError(f"{other} has another recipe than {runs[0]}", "give runs that differ in their seed only")
    entry = zoo / first.name
    baseline = not isinstance(first.model, MambaConfig)
    for artifact in (RECIPE, *(name for left in _LEFT.values() for name in left if not baseline)):
        files.write(entry / artifact, files.read_bytes(runs[0] / artifact))
    if not baseline:
        save_vectors(load(entry / "graph.json"), entry / FILE)
    write_json(entry / CARD, _card(runs))
    return entry


def _card(runs: Sequence[Path]) -> dict[str, Any]:
    """The facts of the first run, and the scores of all."""
    training, first = read_json(runs[0] / "training.json"), recipe(runs[0])
    verb = "flow" if isinstance(first.model, MambaConfig) else "train"
    return {
        "name": first.name,
        "command": f"emamba {verb} {first.name}",
        "data": training["data"],
        "task": training["task"],
        "parameters": training["parameters"],
        "seeds": [_scores(run) for run in runs],
    }


def _scores(run: Path) -> dict[str, Any]:
    chosen = recipe(run)
    stage = "quantization" if isinstance(chosen.model, MambaConfig) else "training"
    found = read_json(run / f"{stage}.json")
    kept = {name: found[name] for name in ("validation", "scores", "subjects") if name in found}
    return {"seed": chosen.training.seed, **kept}


def _entry(name: str) -> Path:
    if name not in names():
        raise ConfigError(f"there is no model {name!r} in the zoo", f"there are: {', '.join(names()) or 'none'}")
    return _folder() / name


def _folder() -> Path:
    with resources.as_file(resources.files("emamba") / "zoo") as folder:
        return folder
