"""How far each stage is folded: the fewest lanes that keep the asked interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from emamba.errors import ConfigError
from emamba.graph import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Multiply,
    Operation,
    Pool,
    RangeNorm,
    Scan,
)
from emamba.rtl import curve, scan

_LANE_BITS = 2048  # of a ring: as large as what a lane of a convolution has beside its multipliers


@dataclass(frozen=True)
class Folding:
    """Lanes of a stage: elements a beat at each source and at the output; what that costs.

    `cycles` is the work of one source token; `states` are the states a cycle of a scan, `taps` those of a convolution.
    """

    sources: tuple[int, ...]
    output: int
    multipliers: int
    cycles: int
    states: int = 1
    taps: int = 1


def fold(graph: Graph, interval_cycles: int) -> dict[str, Folding]:
    """The folding of every operation for `interval_cycles` between two input tokens.

    An operation whose source has fewer tokens a frame has more cycles for each. ConfigError if a
    stage cannot be that fast.
    """
    foldings: dict[str, Folding] = {}
    for op in graph.operations:
        tokens = graph.frame_tokens(op.sources[0]) if op.sources else graph.tokens
        budget = interval_cycles * graph.tokens // tokens
        foldings[op.name] = folding = _folding(graph, op, budget)
        if folding.cycles > budget:
            raise ConfigError(
                f"stage {op.name} needs {folding.cycles} cycles a token, more than {budget}",
                f"ask for an interval of at least {-(-folding.cycles * tokens // graph.tokens)} cycles",
            )
    return foldings


def _folding(graph: Graph, op: Operation, budget: int) -> Folding:
    match op:
        case Linear():
            return _linear(graph[op.source].channels, op.channels, budget)
        case Scan():
            return _scan(op, budget)
        case Flatten():
            return _even(graph[op.source].channels, budget, sources=1, multipliers_a_lane=0)
        case Input():
            return _even(op.channels, budget, sources=0, multipliers_a_lane=0)
        case Pool() | Add():
            return _even(op.channels, budget, len(op.sources), multipliers_a_lane=0)
        case RangeNorm() | Multiply():
            return _even(op.channels, budget, len(op.sources), multipliers_a_lane=1)
        case Convolution():
            return _convolution(op, graph[op.source].dtype.bits, budget)
        case Activation():
            return _even(op.channels, budget, 1, curve.multipliers(op.curve))
        case _:
            assert_never(op)


def _even(channels: int, budget: int, sources: int, multipliers_a_lane: int) -> Folding:
    """The same lanes everywhere: the smallest divisor of `channels` that is fast enough."""
    lanes = next(lanes for lanes in _divisors(channels) if channels // lanes <= max(budget, 1))
    return Folding((lanes,) * sources, lanes, lanes * multipliers_a_lane, channels // lanes)


def _linear(columns: int, rows: int, budget: int) -> Folding:
    """The tile with the fewest multipliers; among these the one with the most inputs: fewest sums to keep."""
    tiles = [
        (inputs * outputs, -inputs, outputs)
        for inputs in _divisors(columns)
        for outputs in _divisors(rows)
        if (columns // inputs) * (rows // outputs) <= max(budget, 1)
    ]
    multipliers, negated, outputs = min(tiles)
    return Folding((-negated,), outputs, multipliers, columns * rows // multipliers)


def _convolution(op: Convolution, bits: int, budget: int) -> Folding:
    """The fewest multipliers; among these the smallest lanes and copies of the ring, of `bits` an element."""
    window, ring = op.weight[0].size, (op.behind + op.ahead) * op.channels * bits
    multipliers, _, taps, lanes = min(
        (lanes * taps, lanes * _LANE_BITS + taps * ring, taps, lanes)
        for lanes in _divisors(op.channels)
        for taps in _divisors(window)
        if (op.channels // lanes) * (window // taps) <= max(budget, 1)
    )
    return Folding((lanes,), lanes, multipliers, op.channels * window // multipliers, taps=taps)


def _scan(op: Scan, budget: int) -> Folding:
    """The fewest lanes; among these the most states: fewest passes over a channel."""
    tiles = [
        (scan.multipliers(op, channels, states), channels, states)
        for channels in _divisors(op.channels)
        for states in _divisors(op.states)
        if scan.cycles(op, channels, states) <= budget
    ] or [(0, op.channels, op.states)]
    _, channels, states = min(tiles)
    return Folding(
        (channels, channels, op.states, op.states),
        channels,
        scan.multipliers(op, channels, states),
        scan.cycles(op, channels, states),
        states,
    )


def _divisors(number: int) -> Iterator[int]:
    return (lanes for lanes in range(1, number + 1) if number % lanes == 0)
