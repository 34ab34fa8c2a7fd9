"""The nouns of the graph: who reads whom, how long frames are, what counts as a parameter."""

import numpy as np
import pytest

from cases import INT8, activation, case, causal, convolution, flatten, operation_cases, pick, scan_case, source
from emamba.errors import GraphError
from emamba.graph import Graph, Linear, Pool, parameter_count
from emamba.graph.operations import arrays

CASES = operation_cases()


def test_sources_are_in_the_order_of_the_golden_arguments():
    graph = scan_case("scan", 1, 4, 2).graph
    assert graph.input.sources == ()
    assert graph["x"].sources == ("input",)
    assert graph["scan"].sources == ("x", "delta", "b", "c")
    assert graph["scan"].states == 2
    added = next(it.graph for it in CASES if it.graph.name == "add")
    assert added["joined"].sources == ("left", "right")


def test_graph_knows_its_ends_and_who_reads_what():
    graph = scan_case("scan", 1, 4, 2).graph
    assert (graph.input.name, graph.output.name) == ("input", "scan")
    assert [op.name for op in graph.consumers("input")] == ["x", "delta", "b", "c"]
    assert graph.consumers("scan") == ()


def test_an_unknown_tensor_lists_the_known_ones():
    graph = Graph("toy", 4, (source(2), pick("out", 2, 0, 2)))
    with pytest.raises(GraphError, match="graph toy has no tensor nothing") as caught:
        graph["nothing"]
    assert caught.value.hint == "it has: input, out"


def test_frames_are_one_token_long_behind_a_pool():
    after = Linear(
        name="head", source="pool", channels=1, dtype=INT8, fraction_bits=4,
        weight=np.ones((1, 3), np.int64), bias=np.zeros(1, np.int64), shift=np.array([0]),
    )  # fmt: skip
    pool = Pool(name="pool", source="input", channels=3, dtype=INT8, fraction_bits=4, shift=2)
    graph = case("toy", np.random.default_rng(0), 9, 3, pool, after).graph
    assert [graph.frame_tokens(name) for name in ("input", "pool", "head")] == [9, 1, 1]


def test_a_flatten_leaves_so_many_tokens_fewer():
    pool = Pool(name="pool", source="pairs", channels=4, dtype=INT8, fraction_bits=4, shift=2)
    chain = flatten("pairs", "input", 4), flatten("threes", "pairs", 12), pool, flatten("one", "threes", 24)
    graph = Graph("toy", 12, (source(2), *chain))
    assert [graph.frame_tokens(op.name) for op in graph.operations] == [12, 6, 2, 1, 1]


def test_parameters_are_weights_biases_rates_and_skips_but_no_tables():
    rng = np.random.default_rng(0)
    graph = Graph("toy", 2, (source(6), causal(rng, 6, 4, 2, 8), activation(table=True)))
    assert parameter_count(graph) == 6 * 4 + 6
    scanned = scan_case("scan", 1, 4, 2).graph
    picks = sum(op.weight.size + op.bias.size for op in scanned.operations if isinstance(op, Linear))
    assert parameter_count(scanned) == picks + 4 * 2 + 4


def test_arrays_name_those_of_a_curve_by_its_field():
    assert list(arrays(activation(table=True))) == ["curve.values"]
    assert list(arrays(activation(table=False))) == ["curve.knots", "curve.slopes", "curve.intercepts"]
    assert list(arrays(pick("out", 2, 0, 2))) == ["weight", "bias", "shift"]
    assert arrays(source(2)) == {}


def test_a_convolution_knows_its_first_and_last_tap():
    rng = np.random.default_rng(0)
    last, square = causal(rng, 6, 4, 9, 8), convolution(rng, 6, (3, 5), (2, 1), 9, 8)
    assert (last.behind, last.ahead) == (3, 0)
    assert (square.behind, square.ahead) == (2 * 9 + 1, 3)


def test_operations_are_frozen():
    with pytest.raises(AttributeError):
        source(2).channels = 3  # type: ignore[misc]
