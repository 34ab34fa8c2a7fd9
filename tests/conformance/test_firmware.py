"""The compiled firmware against the golden executor, bit for bit, every tensor, under sanitizers."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cases import INT8, Case, activation, border_frames, flatten, operation_cases, pick, source
from emamba.curve import IntegerSegments
from emamba.eda.compiler import build_firmware, run_firmware
from emamba.firmware import generate
from emamba.fixed import Integer, Integers
from emamba.graph import Add, Graph, Linear, Operation, Pool, check, run
from networks import random_network

INT32, UINT31 = Integer(32), Integer(31, signed=False)


def traced(case: Case, sources: dict[str, str], folder: Path) -> dict[str, Integers]:
    """Every tensor that the compiled `sources` make of the frames of `case`."""
    runner = build_firmware(sources, case.graph, folder, checked=True)
    outputs, tensors = run_firmware(runner, case.frames, len(case.frames))
    assert np.array_equal(outputs, tensors[case.graph.output.name])
    return tensors


def different(case: Case, tensors: dict[str, Integers]) -> list[str]:
    """Names of the tensors that are not those of the golden executor, in the order of the graph."""
    expected = run(case.graph, case.frames)
    assert list(tensors) == list(expected)
    return [name for name, tensor in expected.items() if not np.array_equal(tensor, tensors[name])]


def odd(name: str, tokens: int, *operations: Operation) -> Case:
    graph = check(Graph(name, tokens, operations))
    return Case(graph, border_frames(np.random.default_rng(7), tokens, graph.input.channels, graph.input.dtype))


def pool(name: str, source: str) -> Pool:
    return Pool(name=name, source=source, channels=3, dtype=INT8, fraction_bits=4, shift=1)


def add(name: str, left: str, right: str, dtype: Integer = INT8) -> Add:
    return Add(
        name=name, left=left, right=right, channels=3, dtype=dtype, fraction_bits=4,
        left_shift=0, right_shift=0, shift=0,
    )  # fmt: skip


def chain(*names: str) -> list[Linear]:
    """Linears that each read the one before, the first one the input."""
    sources = ("input", *names)
    return [replace(pick(name, 3, 0, 3), source=before) for before, name in zip(sources, names, strict=False)]


def odd_cases() -> list[Case]:
    """Legal graphs that a quantizer hardly makes."""
    line = IntegerSegments(INT8, np.zeros(0, int), np.array([3]), np.array([-7]), 1, -100, 90)
    straight = replace(activation(table=True), channels=3, curve=line)
    nothing = replace(pick("a", 3, 0, 3), weight=np.zeros((3, 3), int), bias=np.zeros(3, int), shift=np.full(3, -31))
    wide, natural = pick("a", 3, 0, 3, INT32), pick("b", 3, 0, 3, UINT31)
    interleaved = pool("p", "input"), *chain("a"), pool("q", "a"), add("joined", "p", "q")
    return [
        odd("only_an_input", 2, source(3)),
        odd("words_of_c", 2, source(3), *chain("int", "state", "token", "out", "linear", "linear_2", "memcpy", "x")),
        odd("flatten_at_once", 3, source(2), flatten("f", "input", 6)),
        odd("flatten_of_pool", 3, source(3), pool("pool", "input"), flatten("flat", "pool", 3)),
        odd("pool_of_pool", 3, source(3), pool("pool", "input"), pool("pool_gather", "pool")),
        odd("pools_interleaved", 3, source(3), *interleaved),
        odd("one_segment", 3, source(3), straight),
        odd("shift_of_nothing", 1, source(3), nothing),
        odd("widest_streams", 2, source(3, INT32), wide, natural, add("sum", "a", "b", INT32)),
    ]


@pytest.mark.parametrize(
    "case", [*operation_cases(), *odd_cases(), *(random_network(seed) for seed in range(6))], ids=str
)
def test_every_tensor_is_that_of_the_golden_executor(case: Case, tmp_path: Path):
    assert different(case, traced(case, generate(case.graph), tmp_path)) == []


@pytest.mark.parametrize(
    ("tensor", "pattern", "flipped_bit"),
    [
        ("block0_x", r"(block0_x__weight\[.*\] = {\s+)(-?\d+)", 6),
        ("head", r"(head__shift\[.*\] = {\s+)(-?\d+)", 0),
        ("block1_gated", r"(block1_gated__op = {[^}]*\.shift = )(-?\d+)", 0),
        ("block0_gate", r"(block0_gate__curve_values\[.*\] = {(?:\s+-?\d+,){128}\s+)(-?\d+)", 3),
        ("block0_scan", r"(block0_scan__rate\[.*\] = {\s+)(-?\d+)", 7),
        ("block0_convolution", r"(block0_convolution__op = {[^}]*\.left = )(\d+)", 0),
        ("head", r"(head__bias\[.*\] = {\s+)(-?\d+)", 2),
    ],
)
def test_a_planted_fault_is_seen_at_its_tensor(tensor: str, pattern: str, flipped_bit: int, tmp_path: Path):
    case = random_network(0)
    sources = generate(case.graph)
    name = "emamba_network0.c"
    faulty, count = re.subn(pattern, lambda found: f"{found[1]}{int(found[2]) ^ 1 << flipped_bit}", sources[name])
    assert count == 1
    assert different(case, traced(case, {**sources, name: faulty}, tmp_path))[0] == tensor
