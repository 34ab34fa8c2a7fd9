"""What a component costs, without building it: the formulas repeat the components' structure.

Multipliers and memory bits are exact. Flip-flops and LUTs are those that Yosys maps to on AMD UltraScale+,
estimated: a register bit is one flip-flop, a bit of an adder one LUT, and the rest by the constants below,
which were fitted to syntheses. Shift registers of three places and more become memory there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import ceil, lcm
from typing import assert_never

import numpy as np

from emamba.curve import IntegerCurve, IntegerTable
from emamba.fixed import Integer, Integers
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
from emamba.graph.bounds import accumulator
from emamba.rtl import curve
from emamba.rtl.folding import Folding

_SHORTEST_SHIFTER = 3  # registers in a row without reset that become a shift register in LUTs
# What Yosys weighs when it places a memory: half a block RAM, 64 bits of RAM in LUTs, 64 bits of ROM in LUTs (1).
_BLOCK_COST, _LUTRAM_COST = 129, 16 / 7


@dataclass(frozen=True)
class Cost:
    """Exact: multipliers, bits of ROMs and of RAMs. Estimated: flip-flops, and LUTs for logic."""

    multipliers: int = 0
    rom_bits: int = 0
    ram_bits: int = 0
    ff: float = 0
    lut: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def __mul__(self, count: int) -> Cost:
        return Cost(*(getattr(self, field.name) * count for field in fields(self)))

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return self.rom_bits + self.ram_bits

    @property
    def area(self) -> float:
        """What the folding solver makes small among designs with equally many multipliers: LUTs and flip-flops."""
        return self.lut + self.ff


def total(costs: Sequence[Cost]) -> Cost:
    """The sum of `costs`."""
    return sum(costs, start=Cost())


def fork(readers: int) -> Cost:
    """A `Fork`: who has taken the beat that waits."""
    return Cost(ff=readers, lut=2.5 * readers) if readers > 1 else Cost()


def stage(graph: Graph, op: Operation, folding: Folding) -> Cost:
    """The component of `op` when folded so."""
    types = [graph[name].dtype for name in op.sources]
    lanes = folding.output
    match op:
        case Input():
            return _skid(op.dtype, lanes)
        case Linear():
            sums = accumulator(op, {op.source: types[0]}, graph.frame_tokens(op.source))
            return _linear(op, types[0], sums, folding.sources[0], lanes)
        case Convolution():
            return _convolution(op, types[0], lanes)
        case RangeNorm():
            return _range_norm(op, types[0], lanes)
        case Activation():
            return _exit(op.dtype, lanes) + _curve(op.curve) * lanes + _delay(1, curve.cycles(op.curve))
        case Scan():
            return _scan(op, types, lanes, folding.states)
        case Multiply():
            product = Cost(multipliers=1) + _registers(types[0].bits + types[1].bits)
            return (
                _exit(op.dtype, lanes) + (product + _rounded(types[0].bits + types[1].bits, op.shift, op.dtype)) * lanes
            )
        case Add():
            bits = max(types[0].bits + op.left_shift, types[1].bits + op.right_shift) + 1
            summed = _adder(bits) + _registers(bits) + _rounded(bits, op.shift, op.dtype)
            return _exit(op.dtype, lanes) + summed * lanes
        case Pool():
            return _pool(op, accumulator(op, {op.source: types[0]}, graph.frame_tokens(op.source)), lanes)
        case Flatten():
            return Cost()
        case _:
            assert_never(op)


def link(dtype: Integer, lanes: int, wanted: int, depth: int) -> Cost:
    """A `Link`: `depth` beats of FIFO, and a change from `lanes` to `wanted`."""
    wide = lcm(lanes, wanted)
    cost = _fifo(lanes * dtype.bits + 1, depth) if depth else Cost()
    if wide > lanes:
        cost += _registers((2 * wide - lanes) * dtype.bits + 2) + _counter(wide // lanes) + Cost(lut=4)
    if wide > wanted:
        cost += _registers(wide * dtype.bits + 1) + _counter(wide // wanted + 1) + Cost(lut=wide * dtype.bits + 4)
    return cost


def _linear(op: Linear, source: Integer, sums: Integer, inputs: int, outputs: int) -> Cost:
    columns, rows = op.weight.shape[1] // inputs, op.channels // outputs
    weight, bias = Integer.holding(op.weight).bits, Integer.holding(op.bias).bits
    product = source.bits + (weight if rows * columns > 1 else _constant_bits(op.weight))
    depth = rows + 2 if columns > 1 and rows > 1 else 0
    tree, moves = _tree(inputs, product)
    held = _registers(inputs * source.bits * 2 + 2)
    kept = rows if columns > 1 else 1
    ring = _registers(sums.bits) + _delay(sums.bits, kept - 1) + _adder(sums.bits)
    ring += Cost(lut=0.4 * sums.bits) if columns > 1 else Cost()
    lane = tree + ring + _rounded(sums.bits, int(op.shift.min()), op.dtype)
    control = _counter(rows) + _counter(columns) + _counter(rows * columns) + _registers(moves + 2)
    control += (_delay(1, moves + 2) + _delay(1, moves + 2)) if columns > 1 else Cost()
    control += _delay(1, moves + 3) + _delay((rows - 1).bit_length(), moves + 1)
    return (
        held
        + _rom(rows * columns, inputs * outputs * weight)
        + _rom(rows, outputs * bias)
        + (Cost(multipliers=1) + _registers(product)) * (inputs * outputs)
        + lane * outputs
        + control
        + _shifts(op.shift.reshape(rows, outputs), sums.bits)
        + _exit(op.dtype, outputs, depth)
    )


def _convolution(op: Convolution, source: Integer, lanes: int) -> Cost:
    beats, kernel = op.channels // lanes, op.weight.shape[1]
    weight, bias = Integer.holding(op.weight).bits, Integer.holding(op.bias).bits
    product = source.bits + weight
    tree, moves = _tree(kernel, product)
    window = _registers(source.bits) + _delay(source.bits, beats) * (kernel - 1)
    lane = window + (Cost(multipliers=1) + _registers(product)) * kernel + tree + Cost(lut=source.bits * (kernel - 1))
    bits = product + (kernel - 1).bit_length() + 1
    return (
        (lane + _adder(bits) + _rounded(bits, int(op.shift.min()), op.dtype)) * lanes
        + _rom(beats, lanes * kernel * weight)
        + _rom(beats, lanes * bias)
        + _counter(beats)
        + _delay((beats - 1).bit_length(), moves + 1)
        + _registers(moves + 2 + kernel)
        + _delay(1, moves + 2)
        + _shifts(op.shift.reshape(beats, lanes), bits)
        + _exit(op.dtype, lanes)
    )


def _range_norm(op: RangeNorm, source: Integer, lanes: int) -> Cost:
    beats = op.channels // lanes
    room = 2 * beats + 4
    sums = Integer.between(min(-1, op.channels * source.lo), op.channels * source.hi).bits
    factor = Integer.holding(op.reciprocal).bits
    centred = sums + 2
    statistics = _registers(2 * sums + 2 * source.bits + 3) + _adder(sums) + Cost(lut=2 * source.bits * lanes)
    statistics += _adder(source.bits) * lanes + Cost(lut=sums)
    product = Cost(multipliers=1) + _registers(centred + factor) + _rounded(centred + factor, op.shift, op.dtype)
    return (
        _fifo(lanes * source.bits + 1, room)
        + statistics
        + _rom(len(op.reciprocal), factor)
        + _queue(sums + factor, (room - 1) // beats + 1)
        + _counter(beats) * 2
        + _registers(factor + 2)
        + (_adder(2 * centred) + _registers(centred) + product) * lanes
        + _exit(op.dtype, lanes)
    )


def _scan(op: Scan, types: Sequence[Integer], channels: int, states: int) -> Cost:
    x, delta, b, c = (dtype.bits for dtype in types)
    beats, groups, lanes = op.channels // channels, op.states // states, channels * states
    words, late = beats * groups, curve.cycles(op.decay)
    rate, skip = Integer.holding(op.rate).bits, Integer.holding(op.skip).bits
    decay = Integer.between(*op.decay.limits).bits
    drive = delta + x + b - max(op.drive_shift, 0) + 1
    kept = decay + op.state.bits + 1
    readout = op.state.bits + c
    tree, moves = _tree(states, readout)
    lane = (
        _registers(delta + rate)
        + _rounded(delta + rate, op.argument_shift, op.decay.domain)
        + _curve(op.decay)
        + _registers(delta + x + b)
        + _delay(drive, late)
        + _registers(kept + op.state.bits + readout)
        + _adder(max(kept, drive) + 1)
        + Cost(lut=op.compute.bits + 2 * op.state.bits)
    )
    result = max(readout + (states - 1).bit_length(), skip + x) + groups.bit_length() + 1
    channel = (
        _registers(x + 2 * delta + x + skip + x)
        + _delay(skip + x, late + moves + 3)
        + _adder(result)
        + _registers(result)
        + _rounded(result, op.shift, op.dtype)
    )
    return (
        (lane + Cost(multipliers=4)) * lanes
        + (channel + tree + Cost(multipliers=2)) * channels
        + _rom(words, lanes * rate)
        + _rom(beats, channels * skip)
        + _ram(words, lanes * op.state.bits)
        + _registers(2 * states * b)
        + _delay(states * c, late + 4)
        + Cost(lut=states * (b + c) * (groups - 1) / 2 + 20)
        + _counter(max(words, 3))
        + _counter(groups)
        + _counter(beats)
        + _registers(2 * late + 10 + moves)
        + _delay((words - 1).bit_length(), late + 3)
        + _exit(op.dtype, channels)
    )


def _pool(op: Pool, sums: Integer, lanes: int) -> Cost:
    beats = op.channels // lanes
    ring = (
        _adder(sums.bits)
        + _registers(sums.bits)
        + _delay(sums.bits, beats - 1)
        + _rounded(sums.bits, op.shift, op.dtype)
    )
    return ring * lanes + _counter(beats) + _registers(6) + Cost(lut=sums.bits * lanes) + _exit(op.dtype, lanes)


def _exit(dtype: Integer, lanes: int, depth: int = 0) -> Cost:
    """The last register, and the `Skid` or `Fifo` behind it."""
    buffer = _fifo(lanes * dtype.bits + 1, depth) if depth else _skid(dtype, lanes)
    return _registers(lanes * dtype.bits + 2) + buffer


def _skid(dtype: Integer, lanes: int) -> Cost:
    bits = lanes * dtype.bits + 1
    return _registers(bits + 1) + Cost(lut=bits + 2)


def _fifo(bits: int, depth: int) -> Cost:
    """A `Fifo`; what it reads goes through a register."""
    if depth == 1:
        return _registers(bits + 1) + Cost(lut=3)
    return _ram(depth - 1, bits) + _registers(1) + _counter(depth) * 3 + Cost(lut=4)


def _queue(bits: int, depth: int) -> Cost:
    """A `SyncFIFO`, which is read without a register."""
    return Cost(ram_bits=depth * bits) + _counter(depth) * 2 + _counter(depth + 1) + Cost(lut=4)


def _rom(words: int, bits: int) -> Cost:
    """A ROM with a register behind it; one word is a constant."""
    if words == 1:
        return Cost()
    if words * bits > _BLOCK_COST * 64 * _half_blocks(words, bits):
        return Cost(rom_bits=words * bits)
    tables = ceil(words / 64)
    lut = bits * (tables + (tables - 1) / 2 if words > 4 else 0.3)
    return Cost(rom_bits=words * bits, ff=bits, lut=lut)


def _ram(words: int, bits: int) -> Cost:
    """A RAM with a register behind it, which is part of a block RAM."""
    in_blocks = _LUTRAM_COST * bits * ceil(words / 64) > _BLOCK_COST * _half_blocks(words, bits)
    return Cost(ram_bits=words * bits, ff=0 if in_blocks else bits)


def _constant_bits(weight: Integers) -> int:
    """By how much products with constants are wider than their operand, on average."""
    return round(np.mean(np.ceil(np.log2(np.abs(weight) + 1))))


def _half_blocks(words: int, bits: int) -> int:
    """Block RAMs of 18 kbit."""
    return min(ceil(words / (1 << place)) * ceil(bits / width) for place, width in ((9, 36), (10, 18), (11, 9)))


def _curve(function: IntegerCurve) -> Cost:
    """One look-up."""
    if isinstance(function, IntegerTable):
        return _rom(len(function.values), Integer.between(*function.limits).bits)
    slope, intercept = Integer.holding(function.slopes).bits, Integer.holding(function.intercepts).bits
    pieces, domain = len(function.slopes), function.domain.bits
    line = max(slope + domain, intercept) + 1
    out = Integer.between(function.lo, function.hi).bits
    return (
        Cost(multipliers=1, lut=pieces * (domain / 4 + 1) + (slope + intercept) * pieces / 8 + 2 * line)
        + _registers(pieces.bit_length() + domain + slope + domain + intercept + out)
        + _adder(line)
    )


def _tree(terms: int, bits: int) -> tuple[Cost, int]:
    """`pipeline.total`: its cost, and the moves it takes."""
    cost, moves = Cost(), 0
    while terms > 1:
        groups = [min(4, terms - start) for start in range(0, terms, 4)]
        wide = bits + (max(groups) - 1).bit_length()
        cost += total([_adder(wide) * (size - 1) + _registers(bits + (size - 1).bit_length()) for size in groups])
        terms, bits, moves = len(groups), wide, moves + 1
    return cost, moves


def _rounded(bits: int, shift: int, dtype: Integer) -> Cost:
    """`fixed.requantize`: what is left of the constant's adder, and the choice between value and limits."""
    return Cost(lut=max(bits - max(shift, 0), 1) + dtype.bits / 4)


def _shifts(shift: Integers, bits: int) -> Cost:
    """`rounding.requantize_channels`, beyond what a fixed shift costs; `shift` [beats, lanes]."""
    further = shift - shift.min(axis=0)
    varying = int(np.count_nonzero(further.any(axis=0)))
    if not varying:
        return Cost()
    return _rom(len(shift), varying * Integer.holding(further).bits) + Cost(lut=bits) * varying


def _delay(bits: int, moves: int) -> Cost:
    """Registers in a row without reset."""
    return _registers(bits * moves) if moves < _SHORTEST_SHIFTER else Cost()


def _registers(bits: int) -> Cost:
    return Cost(ff=bits)


def _adder(bits: int) -> Cost:
    return Cost(lut=bits)


def _counter(count: int) -> Cost:
    bits = (count - 1).bit_length()
    return Cost(ff=bits, lut=1.5 * bits)
