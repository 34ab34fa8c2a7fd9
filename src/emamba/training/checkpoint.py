"""Checkpoints: safetensors, never pickle. The file knows its configuration and its own hash."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from emamba import files
from emamba.config import Config, validated
from emamba.errors import ArtifactError
from emamba.model import Network, Shape, build

FORMAT = "emamba-checkpoint"
VERSION = 2

_SECTIONS = ("data", "model", "training")  # the part of a recipe that decides what a checkpoint holds


def save_checkpoint(model: Network, config: Config, path: Path) -> Path:
    """Writes the parameters of `model` and the recipe they come from; same model, same bytes."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    sizes = {"shape": asdict(model.shape), "outputs": model.outputs}
    about = {"format": FORMAT, "version": VERSION, **sizes, "config": _recipe(config)}
    about["hash"] = _hash(about, tensors)
    # one key: safetensors does not keep the order of several
    return files.write(path, save(tensors, {"emamba": json.dumps(about, sort_keys=True)}))


def load_checkpoint(path: Path, config: Config) -> Network:
    """The model that `save_checkpoint` wrote under the same data, model and training configuration.

    ArtifactError if the file is missing, truncated, altered, foreign, or of another configuration.
    """
    data = files.read_bytes(path)
    try:
        about, tensors = _about(data), load(data)
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise _damaged(path, str(error)) from error
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        fact = f"{path} is not an emamba checkpoint of version {VERSION}"
        raise ArtifactError(fact, "give the model.safetensors of a run folder, or train again")
    if about.pop("hash", None) != _hash(about, tensors):
        raise _damaged(path, "its content does not match its hash")
    for difference in _differences(_spelled_out(about["config"], path), _recipe(config)):
        raise ArtifactError(
            f"{path} was trained with another recipe: {difference}", "train again, or restore the recipe"
        )
    model = build(config.model, Shape(**about["shape"]), about["outputs"])
    model.load_state_dict(tensors)
    return model


def _about(data: bytes) -> dict[str, Any]:
    """The metadata: safetensors begins with the length of its JSON header in 8 bytes, then the header."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header.get("__metadata__", {}).get("emamba", "{}"))
    if not isinstance(about, dict):
        raise ValueError(f"its description is {about!r}")
    return about


def _recipe(config: Config) -> dict[str, Any]:
    whole = config.model_dump(mode="json")
    return {section: whole[section] for section in _SECTIONS}


def _spelled_out(stored: dict[str, Any], path: Path) -> dict[str, Any]:
    """`stored` with the defaults of keys that recipes did not have yet when it was written."""
    return _recipe(validated(Config, {"name": "stored", **stored}, f"the recipe in {path}"))


def _differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    return [
        f"{section}.{key} is {stored.get(section, {}).get(key)!r} there, {value!r} here"
        for section in _SECTIONS
        for key, value in asked[section].items()
        if stored.get(section, {}).get(key) != value
    ]


def _hash(about: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    parts: list[bytes | str] = [json.dumps(about, sort_keys=True)]
    for name in sorted(tensors):
        parts += [name, str(tuple(tensors[name].shape)), tensors[name].numpy().tobytes()]
    return files.digest(*parts)


def _damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError(f"{path} is damaged: {why}", "restore the file, or train again: emamba train")
