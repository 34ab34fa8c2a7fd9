"""Test vectors: random frames for a graph and what it makes of them, for proof where the data are not.

A graph that somebody wrote as a program has no data at all: `run_of` makes a run folder of it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emamba import files
from emamba.errors import ArtifactError, DataError, MismatchError
from emamba.fixed import Integers
from emamba.fixed import quantize as integers
from emamba.flow.run import RECIPE, recipe, start
from emamba.graph import Graph, content_hash, load, predict, save

if TYPE_CHECKING:
    from emamba.config import Config

FILE = "vectors.npz"
_NETWORK = "model.safetensors"

_FRAMES, _FEWEST_FRAMES = 16, 2
_OUTPUTS = 1 << 17  # more would not fit a zoo of small files
_SEED = 2508_10370
_HINT = "take the model out of the zoo again"


def vectors(graph: Graph) -> tuple[Integers, Integers]:
    """Frames [n, tokens, channels] and their outputs: all integers, then integers near zero as data have them.

    They are 16, or fewer where each has many outputs.
    """
    rng, source, output = np.random.default_rng(_SEED), graph.input, graph.output
    most = _OUTPUTS // (graph.frame_tokens(output.name) * output.channels)
    shape = (max(min(_FRAMES, most), _FEWEST_FRAMES) // 2, graph.tokens, source.channels)
    everywhere = rng.integers(source.dtype.lo, source.dtype.hi, shape, endpoint=True)
    near = np.clip(rng.normal(0, source.dtype.hi / 4, shape).round(), source.dtype.lo, source.dtype.hi)
    frames = np.concatenate([everywhere, near]).astype(np.int64)
    return frames, predict(graph, frames)


def save_vectors(graph: Graph, path: Path) -> Path:
    """Writes the frames and outputs of `vectors`."""
    frames, outputs = vectors(graph)
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=frames.astype(np.int16), outputs=outputs.astype(np.int32))
    return files.write(path, packed.getvalue())


def load_vectors(graph: Graph, path: Path) -> Integers:
    """The frames [n, tokens, channels] that `save_vectors` wrote.

    MismatchError if `graph` does not make of them what is stored, ArtifactError if the file is damaged.
    """
    try:
        with np.load(io.BytesIO(files.read_bytes(path))) as stored:
            frames, expected = (stored[name].astype(np.int64) for name in ("frames", "outputs"))
    except Exception as error:  # whatever a damaged archive makes NumPy raise
        raise ArtifactError(f"{path} is damaged: {error}", _HINT) from error
    wrong = np.argwhere(predict(graph, frames) != expected)
    if len(wrong):
        fact = f"golden differs from the stored vectors of {graph.name} first in frame {wrong[0][0]}"
        raise MismatchError(fact, f"graph and vectors do not belong together: {_HINT}")
    return frames


def run_of(path: Path, run: Path) -> Path:
    """`run` as the run folder of the graph in `path`, which `graph.save` wrote: a graph, test vectors, and a recipe.

    Of the recipe only [hardware] and [verify] count, because there is no network; what `emamba build` wrote there
    stays. ArtifactError if `path` holds no graph, or if `run` is that of a network or of a graph with another name.
    """
    from emamba.config import parse_config

    graph = load(path)
    if not (run / RECIPE).is_file():
        start(run, parse_config(f'name = "{graph.name}"', str(path)))
    if (run / _NETWORK).is_file() or recipe(run).name != graph.name:
        raise ArtifactError(f"{run} is the run folder of something else than {path}", "name another folder, or move it")
    if not (run / FILE).is_file() or content_hash(load(run / "graph.json")) != content_hash(graph):
        save(graph, run / "graph.json")
        save_vectors(graph, run / FILE)
    return run


def test_frames(run: Path, config: Config, graph: Graph, data_dir: Path | None) -> Integers:
    """The test split as what enters `graph`; where the data are not, the test vectors that came with a model.

    A graph without a network has its test vectors only.
    """
    from emamba.data import frames, load_dataset

    stored = load_vectors(graph, run / FILE) if (run / FILE).is_file() else None
    if stored is not None and not (run / _NETWORK).is_file():
        return stored
    try:
        images = load_dataset(config.data.name, data_dir).test.images
    except DataError:
        if stored is None:
            raise
        return stored
    return integers(frames(images, config.data), graph.input.fraction_bits, graph.input.dtype)
