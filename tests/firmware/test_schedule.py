from dataclasses import replace

import numpy as np
import pytest

from cases import causal, convolution, convolution_joined, flatten, joined, operation_cases, pick, source
from emamba.firmware.schedule import Moment, kept, moments
from emamba.graph import Convolution, Flatten, Graph, check
from networks import random_network

RNG = np.random.default_rng(0)
AHEAD = convolution(RNG, 4, (3, 3), (1, 0), 4, 8)  # four tokens behind to six ahead


def test_without_a_look_ahead_nothing_lags():
    chain = flatten("pairs", "input", 8), flatten("one", "pairs", 48)
    graph = check(Graph("g", 12, (source(4), *chain)))
    assert list(moments(graph).values()) == [Moment(0, 1), Moment(0, 2), Moment(0, 12)]


def test_what_follows_a_convolution_waits_for_the_tokens_that_it_looks_ahead_to():
    graph = check(Graph("g", 12, (source(4), *convolution_joined(RNG))))
    lags = {name: moment.lag for name, moment in moments(graph).items()}
    assert lags == {"input": 0, "x": 0, "convolution": 6, "gate": 0, "gated": 6, "joined": 6}
    assert kept(graph) == {"input": 7, "x": 4 + 6 + 1, "convolution": 0, "gate": 7, "gated": 0, "joined": 0}


def test_lags_count_tokens_that_enter():
    """The second of two convolutions waits for both, behind a flatten for twice as many tokens."""
    second = replace(AHEAD, name="second", source="convolution")
    graph = check(Graph("g", 36, (source(4), AHEAD, second)))
    assert moments(graph)["second"] == Moment(12, 1)
    pairs = check(Graph("g", 72, (source(2), flatten("pairs", "input", 4), replace(AHEAD, source="pairs"), second)))
    assert moments(pairs)["second"] == Moment(24, 2)


def test_no_more_is_kept_than_a_frame_has():
    graph = check(Graph("g", 4, (source(4), AHEAD)))
    assert moments(graph)["convolution"].lag == 3
    assert kept(graph)["input"] == 4
    assert kept(check(Graph("g", 1, (source(2), causal(RNG, 2, 4, 1, 8))))) == {"input": 0, "convolution": 0}


def test_a_token_that_grows_has_a_place_beside_those_that_are_read():
    """Of the tokens of four, one is read six tokens of one late, when the next ones have begun."""
    early, late = flatten("early", "input", 16), flatten("late", "convolution", 16)
    graph = check(Graph("g", 12, (source(4), early, AHEAD, late, joined("early", "late", 16))))
    assert moments(graph)["joined"] == Moment(6, 4)
    assert kept(graph) == {"input": 11, "early": 3, "convolution": 0, "late": 1, "joined": 0}


@pytest.mark.parametrize("it", [*operation_cases(), *(random_network(seed) for seed in range(9))], ids=str)
def test_sources_come_no_later_and_their_places_are_not_taken_too_early(it):
    """Token by token: when an operation reads, the place of the oldest token read has not been taken by another."""
    graph, at, count = it.graph, moments(it.graph), kept(it.graph)
    for op in graph.operations:
        for read in (graph[name] for name in op.sources):
            made, own = at[read.name], at[op.name]
            assert made <= own
            if made.stride < own.stride or not count[read.name]:
                continue
            begins = at[read.source].stride if isinstance(read, Flatten) else made.stride
            for token in range(graph.frame_tokens(op.name)):
                step = own.lag + own.stride * (token + 1) - 1
                youngest = min((step - made.lag - begins + 1) // made.stride, graph.frame_tokens(op.name) - 1)
                oldest = max(token - op.behind, 0) if isinstance(op, Convolution) else token
                assert youngest - oldest < count[read.name]


def test_a_pick_needs_no_place():
    assert set(kept(check(Graph("g", 4, (source(2), pick("a", 2, 0, 2))))).values()) == {0}
