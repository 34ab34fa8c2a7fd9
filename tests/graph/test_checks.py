"""Each rule of a legal graph, with one failing example."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cases import (
    INT8,
    UINT8,
    activation,
    causal,
    flatten,
    joined,
    linear,
    lookup,
    norm,
    operation_cases,
    pick,
    scan_case,
    source,
    two,
)
from emamba.curve import IntegerSegments, IntegerTable
from emamba.errors import GraphError
from emamba.fixed import Integer
from emamba.graph import Add, Graph, Multiply, Pool, check, checks
from emamba.graph.checks import problems

RNG = np.random.default_rng(0)
OUT = pick("out", 2, 0, 2)
SCAN = scan_case("scan", 1, 4, 2).graph
LOOKUP = lookup(RNG, UINT8, 2)
SEGMENTS = activation(table=False).curve
TABLE = activation(table=True).curve
WINDOW = causal(RNG, 2, 4, 4, 8)
POOL = Pool(name="pool", source="input", channels=2, dtype=INT8, fraction_bits=4, shift=1)
FLATTEN = flatten("flatten", "input", 8)


def toy(*operations, name="toy", tokens=4) -> Graph:
    return Graph(name, tokens, (source(2), *operations))


def picked(index=UINT8, **changes) -> Graph:
    return Graph("toy", 4, (source(1, index), replace(LOOKUP, **changes)))


def scanned(**changes) -> Graph:
    return replace(SCAN, operations=(*SCAN.operations[:-1], replace(SCAN.output, **changes)))


def curved(curve, **changes) -> Graph:
    return Graph("toy", 4, (source(6), replace(activation(table=True), curve=curve, **changes)))


def windowed(**changes) -> Graph:
    return toy(replace(WINDOW, **changes))


def added(**changes) -> Graph:
    left, right, last = two(Add, 1, left_shift=0, right_shift=0, shift=0)
    return toy(left, right, replace(last, **changes))


def signed_delta() -> Graph:
    return replace(
        SCAN, operations=tuple(replace(op, dtype=INT8) if op.name == "delta" else op for op in SCAN.operations)
    )


EXAMPLES = {
    "graph name": (toy(OUT, name="../x"), r"'\.\./x' is not a name"),
    "no tokens": (toy(OUT, tokens=0), "a frame has 0 tokens"),
    "no operations": (Graph("toy", 4, ()), "there are no operations"),
    "no input": (Graph("toy", 4, (OUT,)), "out: exactly the first operation is the Input"),
    "two inputs": (toy(source(2)), "input: exactly the first"),
    "operation name": (toy(replace(OUT, name="Out")), "'Out' is not a name"),
    "double underscore": (toy(replace(OUT, name="o__t")), "'o__t' is not a name"),
    "name used twice": (toy(replace(OUT, name="input")), "input: the name is used twice"),
    "unknown source": (toy(replace(OUT, source="nothing")), "out: source nothing is not an earlier operation"),
    "its own source": (toy(replace(OUT, source="out")), "out: source out is not an earlier operation"),
    "unread": (toy(OUT, POOL), "out: nothing reads it"),
    "no channels": (toy(replace(OUT, channels=0)), "out: 0 channels"),
    "one signed bit": (toy(replace(OUT, dtype=Integer(1))), "int1 is not a type that int32 holds"),
    "too wide": (toy(replace(OUT, dtype=Integer(33))), "int33 is not a type"),
    "unsigned and beyond int32": (toy(replace(OUT, dtype=Integer(32, signed=False))), "uint32 is not a type"),
    "fraction bits": (toy(replace(OUT, fraction_bits=65)), "65 fraction bits; at most 64"),
    "state type": (scanned(state=Integer(33)), "the state is int33"),
    "decay domain type": (
        scanned(decay=replace(SEGMENTS, domain=Integer(32, signed=False))),
        "the decay's domain is uint32",
    ),
    "compute type": (scanned(compute=Integer(49)), "compute is int49, not of 2 to 48 bits"),
    "frames of two lengths": (
        toy(POOL, joined("input", "pool", 2)),
        r"joined: the sources have \[4, 1\] tokens a frame, not equally many",
    ),
    "product of frames of two lengths": (
        toy(flatten("pairs", "input", 4), flatten("rest", "pairs", 8), Multiply(
            name="product", left="pairs", right="rest", channels=8, dtype=INT8, fraction_bits=4, shift=1)),
        r"product: the sources have \[2, 1\] tokens a frame",
    ),
    "scan of frames of two lengths": (
        replace(SCAN, operations=(
            *SCAN.operations[:-1], flatten("threes", "b", 6), replace(SCAN.output, b="threes"))),
        r"scan: the sources have \[9, 9, 3, 9\] tokens a frame",
    ),
    "array of another type": (toy(replace(OUT, weight=OUT.weight.astype(np.int8))), "weight has element type int8"),
    "array of reals": (toy(replace(OUT, bias=OUT.bias.astype(float))), "bias has element type float64"),
    "empty array": (toy(replace(OUT, bias=OUT.bias[:0])), "bias is empty"),
    "weight shape": (toy(replace(OUT, weight=OUT.weight.T[:1])), r"weight has shape \(1, 2\), not \(2, 2\)"),
    "weight of one dimension": (toy(replace(OUT, weight=OUT.bias)), r"weight has shape \(2,\), not \(2, 2\)"),
    "bias shape": (toy(replace(OUT, bias=OUT.bias[:1])), r"bias has shape \(1,\), not \(2,\)"),
    "window of one dimension": (windowed(weight=OUT.weight), r"weight has shape \(2, 2\), not \(2, rows, columns\)"),
    "windows for other channels": (windowed(weight=WINDOW.weight[:1]), r"weight has shape \(1, 1, 4\), not \(2, rows"),
    "no columns": (windowed(columns=0), "rows of 0 tokens do not make up a frame of 4"),
    "columns": (windowed(columns=3), "rows of 3 tokens do not make up a frame of 4"),
    "own token below": (windowed(above=1), "a window of 1x4 has no place 1 below its top and 3 from its left"),
    "own token above": (windowed(above=-1), "has no place -1 below its top"),
    "own token right": (windowed(left=4), "and 4 from its left"),
    "own token left": (windowed(left=-1), "and -1 from its left"),
    "half a token flattened": (toy(replace(FLATTEN, channels=9)), "9 channels do not hold whole tokens of 2"),
    "less than a token flattened": (toy(replace(FLATTEN, channels=1)), "1 channels do not hold whole tokens of 2"),
    "flattened tokens": (
        toy(replace(FLATTEN, channels=6)),
        "flatten: 6 channels hold 3 tokens of 2; 3 does not divide the 4 of a frame",
    ),
    "rate of one dimension": (scanned(rate=SCAN.output.rate[:, 0]), r"rate has shape \(4,\), not \(4, 1\)"),
    "skip shape": (scanned(skip=SCAN.output.skip[:2]), r"skip has shape \(2,\)"),
    "source channels": (toy(replace(POOL, channels=3)), r"the sources have \[2\] channels, not \[3\]"),
    "scan channels": (scanned(rate=np.ones((4, 3), int)), r"have \[4, 4, 2, 2\] channels, not \[4, 4, 3, 3\]"),
    "shift": (toy(replace(OUT, shift=np.array([32, 32]))), "shift is 32, outside -31..31"),
    "shift of a channel": (toy(replace(OUT, shift=np.array([-32, -30]))), r"shift is -32\.\.-30, outside -31\.\.31"),
    "shifts apart": (toy(replace(OUT, shift=np.array([4, 8]))), r"shift is 4\.\.8; those of two channels may"),
    "shift shape": (toy(replace(OUT, shift=OUT.shift[:1])), r"shift has shape \(1,\), not \(2,\)"),
    "shift shape of a convolution": (
        windowed(shift=OUT.shift[:1]),
        r"shift has shape \(1,\), not \(2,\)",
    ),
    "decay fraction": (scanned(decay_fraction=32), "decay_fraction is 32, outside"),
    "negative left shift": (added(left_shift=-1), "left_shift is -1, but may not be negative"),
    "curve domain": (curved(replace(TABLE, domain=UINT8)), "the curve is for uint8, the source has int8"),
    "curve beyond type": (curved(TABLE, dtype=Integer(6)), "which int6 cannot hold"),
    "signed decay": (scanned(decay=replace(SCAN.output.decay, domain=INT8)), "the decay's domain is signed"),
    "decay above one": (scanned(decay_fraction=6), r"the decay gives \(.*, 128\), outside 0\.\.1 in 6 fraction bits"),
    "reciprocals missing": (toy(replace(norm(2), reciprocal=norm(2).reciprocal[:255])), "255 entries; int8 has 256"),
    "negative reciprocal": (toy(replace(norm(2), reciprocal=-norm(2).reciprocal)), "a reciprocal is negative"),
    "table too short": (curved(replace(TABLE, values=TABLE.values[:-1])), "a table of 255 values does not cover int8"),
    "table too wide": (
        scanned(decay=IntegerTable(Integer(13, signed=False), np.zeros(1 << 13, np.int64))),
        "8192 values does not cover uint13",
    ),
    "slopes missing": (curved(replace(SEGMENTS, slopes=SEGMENTS.slopes[:-1])), "18 slopes, 19 intercepts for 19"),
    "knots descend": (curved(replace(SEGMENTS, knots=SEGMENTS.knots[::-1].copy())), "the knots do not ascend"),
    "knots out of reach": (curved(replace(SEGMENTS, knots=SEGMENTS.knots + 100)), "lie outside int8"),
    "curve limits": (curved(replace(SEGMENTS, lo=5, hi=4)), r"limits 5\.\.4 are impossible"),
    "curve shift": (curved(replace(SEGMENTS, shift=40)), "shift 40 or limits"),
    "delta signed": (signed_delta(), "delta delta is signed"),
    "negative rate": (scanned(rate=-1 - SCAN.output.rate), "a rate is negative"),
    "unsigned state": (scanned(state=Integer(17, signed=False)), "the state has to be signed"),
    "table of another index": (picked(Integer(4, signed=False)), r"table has shape \(256, 2\), not \(16, 2\)"),
    "table of other channels": (picked(channels=3), r"table has shape \(256, 2\), not \(256, 3\)"),
    "several indices": (toy(LOOKUP), r"the sources have \[2\] channels, not \[1\]"),
    "signed index": (picked(INT8), "lookup: the index input is signed"),
    "table beyond type": (picked(dtype=Integer(7)), r"the table holds -128\.\.127, which int7 cannot hold"),
    "flatten to another type": (toy(replace(FLATTEN, dtype=Integer(9))), "int8 becomes int9"),
    "accumulator": (toy(replace(OUT, weight=OUT.weight << 41)), "out: an accumulator needs 49 bits; 48 are exact"),
}  # fmt: skip


@pytest.mark.parametrize(("graph", "fact"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_a_broken_rule_is_a_graph_error(graph, fact):
    with pytest.raises(GraphError, match=fact) as caught:
        check(graph)
    assert caught.value.message.startswith(f"graph {graph.name}: ")


def raised_at(graph: Graph) -> int:
    """The line of the rule that reports the first problem of `graph`."""
    lines = []

    def trace(frame, event, value):
        if frame.f_code.co_filename != checks.__file__:
            return None
        if event == "return" and isinstance(value, str):
            lines.append(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        next(problems(graph))
    finally:
        sys.settrace(before)
    return lines[0]


def test_every_rule_has_a_failing_example():
    tree = ast.parse(Path(checks.__file__).read_text())
    rules = {
        range(node.lineno, (node.end_lineno or 0) + 1)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name != "problems"
        for node in ast.walk(function)
        if isinstance(node, ast.Yield)
    }
    broken = {raised_at(graph) for graph, _ in EXAMPLES.values()}
    assert len(rules) > 30
    assert [rule for rule in rules if not broken & set(rule)] == []


@pytest.mark.parametrize("it", operation_cases(), ids=str)
def test_legal_graphs_pass_and_come_back(it):
    assert check(it.graph) is it.graph
    assert list(problems(it.graph)) == []


def test_the_widest_legal_values_pass():
    widest = replace(OUT, weight=OUT.weight << 39, shift=np.array([31, 28]), dtype=Integer(32))
    check(toy(widest))
    check(toy(replace(OUT, dtype=Integer(31, signed=False))))
    check(curved(IntegerSegments(INT8, TABLE.values[:0], np.array([1]), np.array([0]), 0, -128, 127)))


def test_an_input_alone_is_a_graph():
    check(Graph("toy", 1, (source(1),)))


def test_two_problems_are_both_reported():
    found = list(problems(toy(replace(linear(RNG, 2, 2, 40), fraction_bits=99))))
    assert found == ["linear: 99 fraction bits; at most 64 are possible", "linear: shift is 40, outside -31..31"]


def test_products_of_wide_streams_are_refused():
    wide = Integer(25)
    left, right, last = two(Multiply, 1, shift=20)
    graph = toy(replace(left, dtype=wide), replace(right, dtype=wide), last)
    with pytest.raises(GraphError, match="joined: an accumulator needs 50 bits"):
        check(graph)
