import numpy as np
import pytest

from cases import INT8, flatten, joined, operation_cases
from emamba.graph import Add, Graph, Input, Linear, Multiply, Pool, RangeNorm, Scan, check
from emamba.rtl import build
from emamba.rtl.build import fifo_beats, fifo_tokens
from emamba.rtl.solver import fold
from networks import random_network

GRAPH = random_network(0).graph


@pytest.fixture(scope="module")
def design():
    return build(GRAPH, 40)


def test_a_design_has_a_stage_and_a_tap_for_each_operation(design):
    names = [op.name for op in GRAPH.operations]
    assert [stage.name for stage in design.stages] == names == [tap.name for tap in design.taps]
    for op, tap in zip(GRAPH.operations, design.taps, strict=True):
        assert (tap.channels, tap.dtype, tap.tokens) == (op.channels, op.dtype, GRAPH.frame_tokens(op.name))
        for wire in (f"tap_{op.name}_valid", f"tap_{op.name}_ready", f"tap_{op.name}_payload", f"busy_{op.name}"):
            assert f"\\{wire}" in design.rtlil


def test_the_same_graph_gives_the_same_text(design):
    assert build(GRAPH, 40) == design


def test_the_text_names_no_source_file(design):
    assert ".py" not in design.rtlil


def test_the_multipliers_of_a_design_are_those_of_its_stages(design):
    assert design.multipliers == sum(folding.multipliers for folding in fold(GRAPH, 40).values()) > 0


def test_the_longest_path_into_a_join_has_no_fifo_and_the_others_hold_what_is_under_way():
    tokens = fifo_tokens(GRAPH, fold(GRAPH, 40), 40)
    for op in GRAPH.operations:
        depths = tokens[op.name]
        pooled = [isinstance(GRAPH[name], Pool) for name in op.sources]
        assert not depths or min(depths) == int(any(pooled))
        if isinstance(op, Scan):
            assert depths[op.sources.index(op.x)] > depths[op.sources.index(op.delta)] == 0
        if isinstance(op, Add):
            norms = [other for other in GRAPH.consumers(op.left) if isinstance(other, RangeNorm)]
            assert not norms or max(depths) >= 5, "a residual waits for norm, projections, scan and gate"
        if isinstance(op, Multiply):
            assert max(depths) >= 2
        if isinstance(op, Linear):
            assert depths == (int(pooled[0]),)


def test_links_hold_whole_tokens_and_never_two_beats():
    """The memory of a FIFO of two has one word: an address of no bits."""
    graph = next(it.graph for it in operation_cases() if it.graph.name == "scan_of_fours")
    foldings = fold(graph, 4)
    tokens, found = fifo_tokens(graph, foldings, 4), fifo_beats(graph, foldings, 4)
    assert 3 in found["scan"]
    for op in graph.operations:
        for count, depth, name in zip(tokens[op.name], found[op.name], op.sources, strict=True):
            held = count * graph[name].channels // foldings[name].output
            assert depth == (3 if held == 2 else held)


def test_what_meets_a_convolution_waits_for_the_tokens_that_it_looks_ahead_to():
    graph = next(it.graph for it in operation_cases() if it.graph.name == "convolution_joined")
    tokens = fifo_tokens(graph, fold(graph, 16), 16)
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
    waiting, _ = fifo_tokens(check(graph), fold(graph, 16), 16)["joined"]
    assert waiting >= 1
