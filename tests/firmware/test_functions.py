from dataclasses import replace

import numpy as np
import pytest

from cases import INT8, convolution, linear, operation_cases, pick, scan_case, source
from emamba.firmware.functions import Function, array_type, computed, function, named, ordered, parameters
from emamba.fixed import Integer
from emamba.graph import Graph, Linear, check

RNG = np.random.default_rng(0)


def dense(weight: list[list[int]], bias: int = 0, shift: int = 0, dtype: Integer = INT8) -> Linear:
    matrix = np.array(weight)
    return Linear(
        name="linear", source="input", channels=len(matrix), dtype=dtype, fraction_bits=0,
        weight=matrix, bias=np.full(len(matrix), bias), shift=np.full(len(matrix), shift),
    )  # fmt: skip


def width(op: Linear, inputs: Integer) -> int:
    graph = check(Graph("g", 1, (source(op.weight.shape[1], inputs), op)))
    return function(graph, op).width


@pytest.mark.parametrize(
    ("op", "inputs", "bits"),
    [
        (dense([[-1]], bias=-1), Integer(31, signed=False), 32),  # down to -2**31
        (dense([[-1]], bias=-2), Integer(31, signed=False), 64),
        (dense([[1]]), Integer(31, signed=False), 32),  # up to 2**31 - 1
        (dense([[1]], shift=1), Integer(31, signed=False), 64),  # and one for rounding
        (dense([[1]], shift=-24), INT8, 32),
        (dense([[1]], shift=-25), INT8, 64),
        (dense([[0]], shift=-30), INT8, 32),
        (dense([[0]], shift=-31), INT8, 64),  # 2**31 is not an int32_t
    ],
)
def test_int64_from_the_first_sum_on_that_int32_cannot_hold(op, inputs, bits):
    assert width(op, inputs) == bits


def test_functions_are_shared_by_types_and_told_apart_by_them():
    same = pick("a", 6, 0, 3), pick("b", 6, 3, 2)
    narrow = pick("c", 6, 0, 3, Integer(20))
    graph = Graph("g", 1, (source(6), *same, narrow))
    functions = [function(graph, op) for op in (*same, narrow)]
    assert functions[0] == functions[1] != functions[2]
    assert list(named(ordered(functions)).values()) == ["", "linear", "linear_2"]


def test_types_are_those_of_sources_arrays_and_results():
    it = scan_case("scan", 1, 4, 2).graph
    scan = function(it, it.output)
    expected = {"x": "int8_t", "delta": "uint8_t", "rate": "int16_t", "state": "int32_t", "acc": "int32_t"}
    assert expected.items() <= scan.type.items()
    assert scan.curve
    assert scan.curve.type == {"values": "uint8_t", "acc": "int32_t"}


def test_an_array_has_the_narrowest_type_but_for_biases():
    assert array_type("weight", np.array([3])) == "int8_t"
    assert [array_type("bias", np.array([top])) for top in (3, 32767, 32768)] == ["int16_t", "int16_t", "int32_t"]


def test_a_curve_comes_before_the_function_that_calls_it():
    curve = Function("table", (), 32)
    caller = Function("activation", (), 32, curve)
    other = Function("scan", (), 32, curve)
    assert ordered([caller, other, caller]) == [curve, caller, other]


def test_parameters_are_all_that_an_operation_knows():
    op, limits = linear(RNG, 5, 3, 7), {"lo": -128, "hi": 127}
    arrays = {"weight": op.weight, "bias": op.bias, "shift": op.shift}
    graph = Graph("g", 1, (source(5), op))
    assert parameters(graph, op) == {"inputs": 5, "outputs": 3, **arrays, **limits}
    assert parameters(graph, replace(op, dtype=Integer(4, signed=False)))["hi"] == 15


def test_a_convolution_knows_its_grid_and_the_ring_that_its_source_lies_in():
    op = convolution(RNG, 3, (3, 2), (1, 0), 4, 7)
    found = parameters(Graph("g", 8, (source(3), op)), op)
    grid = {"high": 3, "wide": 2, "above": 1, "left": 0, "rows": 2, "columns": 4, "kept": 8}
    assert grid.items() <= found.items()
    assert np.array_equal(found["weight"], op.weight.reshape(3, 6))


@pytest.mark.parametrize("it", operation_cases(), ids=str)
def test_parameters_of_curves_have_dotted_paths(it):
    dotted = [path for op in computed(it.graph) for path in parameters(it.graph, op) if "." in path]
    assert bool(dotted) == (it.graph.name.split("_")[0] in ("activation", "scan"))
