from typing import get_args

import pytest

from emamba.fuzz.draw import draw
from emamba.graph import Convolution, Operation, content_hash, golden
from emamba.rtl.buffers import slowest
from emamba.rtl.folding import candidates, packed

TRIALS = [draw(seed) for seed in range(60)]


def test_a_seed_gives_one_trial():
    one, again = draw(5), draw(5)
    assert content_hash(one.graph) == content_hash(again.graph)
    assert one.foldings == again.foldings
    assert (one.frames == again.frames).all()
    assert content_hash(one.graph) != content_hash(draw(6).graph)


def test_every_kind_of_operation_is_drawn():
    kinds = {type(op) for trial in TRIALS for op in trial.graph.operations}
    assert kinds == set(get_args(Operation))


def test_topologies_fork_and_join_and_windows_look_ahead():
    graphs = [trial.graph for trial in TRIALS]
    readers = [len(graph.consumers(op.name)) for graph in graphs for op in graph.operations]
    assert max(readers) >= 3
    assert any(op.ahead for graph in graphs for op in graph.operations if isinstance(op, Convolution))
    assert {graph.frame_tokens(graph.output.name) == graph.tokens for graph in graphs} == {True, False}


@pytest.mark.parametrize("trial", TRIALS[:20], ids=str)
def test_foldings_are_those_that_the_solver_knows_and_the_interval_is_long_enough(trial):
    for op in trial.graph.operations:
        known = candidates(trial.graph, op)
        assert trial.foldings[op.name] in [*known, *(packed(trial.graph, op, folding) for folding in known)]
    assert slowest(trial.graph, trial.foldings) <= trial.interval_cycles * trial.graph.tokens
    assert golden.accepted(trial.graph, trial.frames).size


def test_in_some_products_share_multiplications():
    paired = [any(folding.pairs for folding in trial.foldings.values()) for trial in TRIALS]
    assert 5 < sum(paired) < 40


def test_in_some_weights_are_loaded_and_in_none_of_them_products_share_multiplications():
    loaded = [trial for trial in TRIALS if trial.loadable]
    assert 5 < len(loaded) < 40
    assert all(not folding.pairs for trial in loaded for folding in trial.foldings.values())


def test_some_are_asked_for_a_longer_interval_than_they_need():
    longer = [slowest(it.graph, it.foldings) * 2 <= it.interval_cycles * it.graph.tokens for it in TRIALS]
    assert 5 < sum(longer) < 40
