"""Accumulators hold every intermediate value met, and are hardly wider than the worst ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from cases import INT8, UINT8, case, flatten, linear, operation_cases, pick, source, two
from emamba.fixed import Integer
from emamba.graph import Add, Graph, Linear, Multiply, Pool
from emamba.graph.bounds import accumulator, centred_range, dot_range, product, scaled, scaled_by, total

CASES = operation_cases()


def width(graph: Graph, name: str) -> Integer:
    types = {op.name: op.dtype for op in graph.operations}
    op = graph[name]
    return accumulator(op, types, graph.frame_tokens(op.sources[0]) if op.sources else 1)


@pytest.mark.parametrize("it", CASES, ids=str)
def test_no_intermediate_leaves_its_accumulator(it):
    for frame in it.frames.tolist():
        for name, seen in naive.run(it.graph, frame)[1].items():
            assert width(it.graph, name).holds(min(seen), max(seen)), name


def worst(op: Linear, dtype: Integer, row: int, sign: int) -> list[int]:
    """The token that drives one row of `op` to an end."""
    return [dtype.hi if sign * w > 0 else dtype.lo for w in op.weight[row].tolist()]


SHIFTS = st.integers(-3, 12) | st.lists(st.integers(-1, 2), min_size=4, max_size=4)


@given(st.integers(0, 1 << 30), st.integers(1, 9), SHIFTS, st.sampled_from([INT8, UINT8, Integer(3)]))
@settings(max_examples=60, deadline=None)
def test_a_linear_reaches_its_accumulator_to_one_bit(seed, inputs, shift, dtype):
    op = linear(np.random.default_rng(seed), inputs, 4, shift)
    graph = Graph("toy", 1, (source(inputs, dtype), op))
    frames = [[worst(op, dtype, row, sign)] for row in range(4) for sign in (-1, 1)]
    seen = [value for frame in frames for value in naive.run(graph, frame)[1]["linear"]]
    assert width(graph, "linear").holds(min(seen), max(seen))
    assert not Integer(width(graph, "linear").bits - 2).holds(min(seen), max(seen))


@given(st.integers(1, 9), st.integers(-4, 9), st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_sums_and_products_hold_their_corners(tokens, shift, left, right):
    adding = two(Add, 1, left_shift=left, right_shift=right, shift=shift)
    for last in (adding, two(Multiply, 1, shift=shift)):
        graph = Graph("toy", tokens, (source(2), *last))
        for pair in ([-128, -128], [-128, 127], [127, -128], [127, 127], [0, 0]):
            seen = naive.run(graph, [pair] * tokens)[1]["joined"]
            assert width(graph, "joined").holds(min(seen), max(seen))


@pytest.mark.parametrize("tokens", [1, 2, 3, 16, 17])
def test_a_pool_holds_frames_at_both_ends(tokens):
    last = Pool(name="pool", source="input", channels=1, dtype=INT8, fraction_bits=4, shift=5)
    graph = Graph("toy", tokens, (source(1), last))
    for value in (-128, 127):
        seen = naive.run(graph, [[value]] * tokens)[1]["pool"]
        assert width(graph, "pool").holds(min(seen), max(seen))


def test_a_norm_without_any_reciprocal_still_centres():
    from cases import norm

    op = norm(4)
    op = type(op)(**{**vars(op), "reciprocal": op.reciprocal * 0})
    graph = Graph("toy", 1, (source(4), op))
    seen = naive.run(graph, [[127, -128, -128, -128]])[1]["norm"]
    assert width(graph, "norm").holds(min(seen), max(seen))


def test_weights_beyond_int64_products_do_not_wrap():
    op = pick("wide", 2, 0, 1)
    op = type(op)(**{**vars(op), "weight": np.array([[1 << 62, 1 << 62]])})
    assert dot_range(op.weight, op.bias, INT8) == (-(1 << 70), 127 << 63)


def test_the_input_of_a_pool_is_counted_by_its_tokens():
    last = Pool(name="pool", source="input", channels=1, dtype=INT8, fraction_bits=4, shift=0)
    graph = case("toy", np.random.default_rng(0), 64, 1, last).graph
    assert width(graph, "pool") == Integer(14)
    assert width(graph, "input") == Integer(8)
    fours = Graph("toy", 64, (source(1), flatten("fours", "input", 4), replace(last, source="fours", channels=4)))
    assert width(fours, "pool") == Integer(12)


def test_ranges():
    assert centred_range(3, UINT8) == (-765, 765)
    assert product((-2, 3), (-5, 7)) == (-15, 21)
    assert total((-2, 3), (-5, 7)) == (-7, 10)
    assert scaled((-2, 3), 2) == (-8, 12)
    assert scaled((-2, 3), -2) == (-2, 3)
    assert scaled_by((2, 3), 4) == (0, 12)
    assert dot_range(np.array([[1, -1], [2, 0]]), np.array([5, -5]), INT8) == (-261, 260)
