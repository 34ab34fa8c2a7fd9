"""The zoo: trained models that come with the package.

An entry is what `train` and `quantize` left in a run folder, a card that says how it came about and how other
seeds fared, and test vectors: random frames, and what the integer graph makes of them. Of a baseline, which
has no integers, there is the card alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from emamba import files
from emamba.config import Config, MambaConfig
from emamba.errors import ArtifactError, ConfigError, MismatchError
from emamba.fixed import Integers
from emamba.flow.run import RECIPE, adopt, read_json, recipe, start, write_json
from emamba.flow.stages import QUANTIZE, TRAIN
from emamba.graph import Graph, load, predict

CARD, VECTORS = "card.json", "vectors.npz"

_LEFT = {TRAIN: ("model.safetensors", "training.json"), QUANTIZE: ("graph.json", "graph.npz", "quantization.json")}
_FRAMES = 16
_SEED = 2508_10370


def names() -> list[str]:
    """The models in the zoo."""
    return sorted(path.parent.name for path in _folder().glob(f"*/{VECTORS}"))


def card(name: str) -> dict[str, Any]:
    """How a model or baseline came about: command, data, parameters, and the scores of every seed."""
    return read_json(_folder() / name / CARD)


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
    files.write(run / VECTORS, (entry / VECTORS).read_bytes())
    return run


def put_in(runs: Sequence[Path], zoo: Path) -> Path:
    """A new entry below `zoo` from `runs` of one recipe under several seeds; the first one is kept.

    ConfigError if the recipes differ in more than their seed, ArtifactError if a run is not finished.
    """
    first = recipe(runs[0])
    for other in runs[1:]:
        same = {"training": recipe(other).training.model_copy(update={"seed": first.training.seed})}
        if recipe(other).model_copy(update=same) != first:
            raise ConfigError(f"{other} has another recipe than {runs[0]}", "give runs that differ in their seed only")
    entry = zoo / first.name
    baseline = not isinstance(first.model, MambaConfig)
    for artifact in (RECIPE, *(name for left in _LEFT.values() for name in left if not baseline)):
        files.write(entry / artifact, files.read_bytes(runs[0] / artifact))
    if not baseline:
        files.write(entry / VECTORS, _vectors(load(entry / "graph.json")))
    write_json(entry / CARD, _card(runs))
    return entry


def vectors(path: Path) -> tuple[Integers, Integers]:
    """Frames [n, tokens, channels] and outputs of a vectors file; ArtifactError if it is damaged."""
    try:
        with np.load(io.BytesIO(files.read_bytes(path))) as stored:
            return stored["frames"].astype(np.int64), stored["outputs"].astype(np.int64)
    except (ValueError, KeyError, OSError) as error:
        raise ArtifactError(f"{path} is damaged: {error}", "take the model out of the zoo again") from error


def check_vectors(found: Graph, path: Path) -> Integers:
    """The frames of a vectors file; MismatchError if `found` does not make of them what is stored."""
    frames, expected = vectors(path)
    outputs = predict(found, frames)
    if not np.array_equal(outputs, expected):
        frame = int(np.argwhere(outputs != expected)[0][0])
        fact = f"golden differs from the stored vectors of {found.name} first in frame {frame}"
        raise MismatchError(fact, "graph and vectors do not belong together: take the model out of the zoo again")
    return frames


def _vectors(found: Graph) -> bytes:
    """Frames of all integers at once, and of integers near zero as data have them."""
    rng, source = np.random.default_rng(_SEED), found.input
    shape = (_FRAMES // 2, found.tokens, source.channels)
    everywhere = rng.integers(source.dtype.lo, source.dtype.hi, shape, endpoint=True)
    near = np.clip(rng.normal(0, source.dtype.hi / 4, shape).round(), source.dtype.lo, source.dtype.hi)
    frames = np.concatenate([everywhere, near]).astype(np.int16)
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=frames, outputs=predict(found, frames.astype(np.int64)).astype(np.int32))
    return packed.getvalue()


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
