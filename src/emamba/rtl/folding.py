"""How far each stage can be folded: the lanes to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from emamba.graph import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Lookup,
    Multiply,
    Operation,
    Pool,
    RangeNorm,
    Scan,
)
from emamba.rtl import curve, packing, scan, serial_scan


@dataclass(frozen=True)
class Folding:
    """Lanes of a stage: elements a beat at each source and at the output; what that costs.

    `cycles` is the work of one source token. `states` are the states a cycle of a scan, `taps` those of a
    convolution. A linear goes through its matrix beat by beat, or `by_rows`. With `steps` > 1 a scan has one lane,
    whose products take turns on fewer multipliers, for so many cycles. Of the products that the multipliers can do in a
    cycle, so many `pairs` share a multiplication: a pair is one DSP block.
    """

    sources: tuple[int, ...]
    output: int
    multipliers: int
    cycles: int
    states: int = 1
    taps: int = 1
    by_rows: bool = False
    steps: int = 1
    pairs: int = 0

    @property
    def dsp(self) -> int:
        """Multiplications a cycle."""
        return self.multipliers - self.pairs


def packed(graph: Graph, op: Operation, folding: Folding) -> Folding:
    """`folding` of `op` with pairs where there can be any (`rtl.packing`): each two rows of the tile of a linear."""
    if not isinstance(op, Linear) or not packing.packs(op, graph[op.source].dtype, folding.output):
        return folding
    return replace(folding, pairs=folding.sources[0] * (folding.output // 2))


def candidates(graph: Graph, op: Operation) -> list[Folding]:
    """Every folding of `op` without pairs: lanes divide channels, so that a token is whole beats."""
    match op:
        case Lookup():
            return [Folding((1,), lanes, 0, op.channels // lanes) for lanes in _divisors(op.channels)]
        case Linear():
            return _linear(graph[op.source].channels, op.channels)
        case Scan():
            return _scan(op)
        case Flatten():
            return _even(graph[op.source].channels, sources=1, multipliers_a_lane=0)
        case Input():
            return _even(op.channels, sources=0, multipliers_a_lane=0)
        case Pool() | Add():
            return _even(op.channels, len(op.sources), multipliers_a_lane=0)
        case RangeNorm() | Multiply():
            return _even(op.channels, len(op.sources), multipliers_a_lane=1)
        case Convolution():
            return _convolution(op)
        case Activation():
            return _even(op.channels, 1, curve.multipliers(op.curve))
        case _:
            assert_never(op)


def _even(channels: int, sources: int, multipliers_a_lane: int) -> list[Folding]:
    """The same lanes everywhere."""
    return [
        Folding((lanes,) * sources, lanes, lanes * multipliers_a_lane, channels // lanes)
        for lanes in _divisors(channels)
    ]


def _convolution(op: Convolution) -> list[Folding]:
    """All numbers of lanes and of taps a cycle."""
    window = op.weight[0].size
    return [
        Folding((lanes,), lanes, lanes * taps, (op.channels // lanes) * (window // taps), taps=taps)
        for lanes in _divisors(op.channels)
        for taps in _divisors(window)
    ]


def _linear(columns: int, rows: int) -> list[Folding]:
    """All tiles of the matrix, in both orders where these differ."""
    return [
        Folding((inputs,), outputs, inputs * outputs, (columns // inputs) * (rows // outputs), by_rows=by_rows)
        for inputs in _divisors(columns)
        for outputs in _divisors(rows)
        for by_rows in ((False, True) if inputs < columns and outputs < rows else (False,))
    ]


def _scan(op: Scan) -> list[Folding]:
    """All lanes of channels and states; with one of each, products may take turns."""
    states, steps = op.channels * op.states, serial_scan.STEPS
    fewest = serial_scan.multipliers(op.decay)
    serial = [Folding((1, 1, op.states, op.states), 1, fewest, steps * states, steps=steps)] if states > 1 else []
    return serial + [
        Folding(
            (channels, channels, op.states, op.states),
            channels,
            scan.multipliers(op, channels, states),
            scan.cycles(op, channels, states),
            states,
        )
        for channels in _divisors(op.channels)
        for states in _divisors(op.states)
    ]


def _divisors(number: int) -> Iterator[int]:
    return (lanes for lanes in range(1, number + 1) if number % lanes == 0)
