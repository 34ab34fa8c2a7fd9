from dataclasses import replace

import numpy as np
import pytest

from emamba import flow
from emamba.errors import ArtifactError, MismatchError
from emamba.fixed import Integer
from emamba.flow.vectors import load_vectors, run_of, save_vectors
from emamba.flow.vectors import test_frames as frames_of
from emamba.fuzz.operations import linear, lookup, source
from emamba.graph import Graph, content_hash, load, save
from networks import random_network

GRAPH = random_network(3).graph
BYTES, RNG = Integer(8, signed=False), np.random.default_rng(0)
TEXT = Graph("text", 8, (source(1, BYTES), lookup(RNG, BYTES, 4), replace(linear(RNG, 4, 1024, 4), source="lookup")))


def test_vectors_come_back_and_cover_the_input(tmp_path):
    frames = load_vectors(GRAPH, save_vectors(GRAPH, tmp_path / "vectors.npz"))
    assert frames.shape == (16, GRAPH.tokens, GRAPH.input.channels)
    assert GRAPH.input.dtype.holds(int(frames.min()), int(frames.max()))
    assert len(np.unique(frames[:8])) > 0.5 * min(frames[:8].size, 2**GRAPH.input.dtype.bits)
    before = (tmp_path / "vectors.npz").read_bytes()
    assert save_vectors(GRAPH, tmp_path / "again.npz").read_bytes() == before


def test_frames_with_many_outputs_are_few(tmp_path):
    graph = replace(TEXT, tokens=40)
    assert load_vectors(TEXT, save_vectors(TEXT, tmp_path / "vectors.npz")).shape == (16, 8, 1)
    assert load_vectors(graph, save_vectors(graph, tmp_path / "vectors.npz")).shape == (2, 40, 1)


def test_another_graph_is_found_out(tmp_path):
    path = save_vectors(GRAPH, tmp_path / "vectors.npz")
    last = GRAPH.operations[-1]
    other = replace(GRAPH, operations=(*GRAPH.operations[:-1], replace(last, bias=last.bias + (1 << 12))))
    with pytest.raises(MismatchError, match="golden differs from the stored vectors"):
        load_vectors(other, path)


def test_a_damaged_file_is_an_artifact_error(tmp_path):
    path = save_vectors(GRAPH, tmp_path / "vectors.npz")
    for content in (b"", b"no archive", path.read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="is damaged"):
            load_vectors(GRAPH, path)
    with pytest.raises(ArtifactError, match="does not exist"):
        load_vectors(GRAPH, tmp_path / "none.npz")


def block(seed):
    """A linear map of 6 to 4 channels over 3 tokens."""
    return Graph("block", 3, (source(6), linear(np.random.default_rng(seed), 6, 4, 8)))


def test_a_graph_in_a_file_becomes_a_run_that_is_built_and_proved_on_vectors(tmp_path):
    path, run = save(block(1), tmp_path / "block.json"), tmp_path / "run"
    assert run_of(path, run) == run
    assert flow.build(run, interval=12)["rtl"]["interval_cycles"] == 12
    assert run_of(path, run) == run
    assert flow.recipe(run).hardware.interval_cycles == 12, "the wish stays"
    assert frames_of(run, flow.recipe(run), block(1), None).shape == (16, 3, 6), "not digits"
    found = flow.verify(run)
    assert (found["frames"], found["mismatches"]) == (16, 0)


def test_a_graph_that_changed_replaces_the_one_in_its_run(tmp_path):
    path, run = save(block(1), tmp_path / "block.json"), tmp_path / "run"
    run_of(path, run)
    before = (run / "vectors.npz").read_bytes()
    save(block(2), path)
    run_of(path, run)
    assert content_hash(load(run / "graph.json")) == content_hash(block(2))
    assert (run / "vectors.npz").read_bytes() != before


def test_a_graph_does_not_take_the_run_of_something_else(tmp_path):
    path, run = save(block(1), tmp_path / "block.json"), tmp_path / "run"
    run_of(path, run)
    other = save(Graph("other", 3, block(1).operations), tmp_path / "other.json")
    with pytest.raises(ArtifactError, match="is the run folder of something else"):
        run_of(other, run)
    (run / "model.safetensors").touch()
    with pytest.raises(ArtifactError, match="is the run folder of something else"):
        run_of(path, run)
    with pytest.raises(ArtifactError):
        run_of(tmp_path / "none.json", tmp_path / "none")
    assert not (tmp_path / "none").exists()
