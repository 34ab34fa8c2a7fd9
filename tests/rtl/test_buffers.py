"""That links hold what paths which part and meet again need, and not much more."""

from dataclasses import replace

import numpy as np
import pytest

from cases import INT8, activation, flatten, joined, operation_cases, pick, source
from emamba.fuzz.conduct import check_pace
from emamba.fuzz.draw import draw
from emamba.graph import Add, Graph, Input, Linear, Multiply, Pool, RangeNorm, Scan, check
from emamba.rtl.buffers import fifo_beats, fifo_tokens, slowest
from emamba.rtl.folding import candidates
from emamba.rtl.solver import fold
from networks import random_network

GRAPH = random_network(0).graph


def test_the_longest_path_into_a_join_has_no_fifo_and_the_others_hold_what_is_under_way():
    tokens = fifo_tokens(GRAPH, fold(GRAPH, 40))
    for op in GRAPH.operations:
        depths = tokens[op.name]
        pooled = [isinstance(GRAPH[name], Pool) for name in op.sources]
        assert not depths or min(depths) == int(any(pooled))
        if isinstance(op, Scan):
            assert depths[op.sources.index(op.x)] > 0
        if isinstance(op, Add):
            norms = [other for other in GRAPH.consumers(op.left) if isinstance(other, RangeNorm)]
            assert not norms or max(depths) >= 5, "a residual waits for norm, projections, scan and gate"
        if isinstance(op, Multiply):
            assert max(depths) >= 2
        if isinstance(op, Linear):
            assert depths == (int(pooled[0]),)


def test_links_hold_whole_tokens_and_never_less_than_three_beats():
    """One place is filled every other cycle; the memory of a FIFO of two has one word: an address of no bits."""
    graph = next(it.graph for it in operation_cases() if it.graph.name == "scan_of_fours")
    foldings = fold(graph, 4)
    tokens, found = fifo_tokens(graph, foldings), fifo_beats(graph, foldings)
    assert 3 in found["scan"]
    for op in graph.operations:
        for count, depth, name in zip(tokens[op.name], found[op.name], op.sources, strict=True):
            held = count * graph[name].channels // foldings[name].output
            assert depth == (max(held, 3) if held else 0)


def test_what_meets_a_convolution_waits_for_the_tokens_that_it_looks_ahead_to():
    graph = next(it.graph for it in operation_cases() if it.graph.name == "convolution_joined")
    tokens = fifo_tokens(graph, fold(graph, 16))
    ahead = graph["convolution"].ahead
    assert tokens["gated"][0] == 0
    assert tokens["gated"][1] > ahead + 1
    assert tokens["joined"][0] > ahead + 1


def test_what_meets_a_pool_waits_for_the_whole_frame_before_the_join():
    """Otherwise the fork in front of both blocks the pool: a deadlock."""
    weight, bias, shift = np.ones((1, 16), np.int64), np.zeros(1, np.int64), np.array([4])
    common = {"dtype": INT8, "fraction_bits": 4}
    graph = Graph(
        "join",
        16,
        (
            Input(name="input", channels=16, **common),
            Linear(name="one", source="input", channels=1, weight=weight, bias=bias, shift=shift, **common),
            flatten("flat", "one", 16),
            Pool(name="pool", source="input", channels=16, shift=4, **common),
            joined("flat", "pool", 16),
        ),
    )
    waiting, _ = fifo_tokens(check(graph), fold(graph, 16))["joined"]
    assert waiting >= 1


def test_what_a_link_holds_follows_from_the_stages_and_not_from_the_wish():
    """A design that is built for an interval longer than its stages need runs at their pace when it is fed so."""
    fast = fold(GRAPH, 40)
    assert fifo_tokens(GRAPH, fast) != fifo_tokens(GRAPH, fold(GRAPH, 4000))
    assert slowest(GRAPH, fast) <= 40 * GRAPH.tokens


def test_what_meets_a_wider_beat_waits_for_the_token_that_the_beat_is_made_of():
    """However long the registers of the other path are: they hold few beats when the source pauses."""
    curved = activation(table=False)
    slow = [replace(curved, name=f"slow{place}", source=f"slow{place - 1}") for place in range(1, 4)]
    first = replace(curved, name="slow0"), *slow
    graph = check(Graph("wide", 3, (source(6), *first, pick("whole", 6, 0, 6), joined("slow3", "whole", 6))))
    foldings = fold(graph, 4000)
    assert {folding.output for folding in foldings.values()} == {1}
    whole = next(it for it in candidates(graph, graph["whole"]) if (it.sources, it.output) == ((6,), 1))
    slow, _ = fifo_tokens(graph, foldings | {"whole": whole})["joined"]
    assert slow >= 1


@pytest.mark.parametrize("seed", range(40))
def test_no_random_graph_is_slower_than_its_slowest_stage(seed):
    assert check_pace(draw(seed)) is None
