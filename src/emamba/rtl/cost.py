"""What a component costs, without building it: the formulas repeat the components' structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import assert_never

import numpy as np

from emamba.fixed import Integer
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
from emamba.rtl import curve, serial_scan, weights
from emamba.rtl.convolution import depth, tap_places
from emamba.rtl.fixed import narrows
from emamba.rtl.folding import Folding
from emamba.rtl.pipeline import factor_moves
from emamba.rtl.primitives import (
    Cost,
    adder,
    adder_tree,
    constant_bits,
    counter,
    delay,
    exit_,
    fifo,
    loadable,
    look_up,
    multiplier,
    queue,
    ram,
    registers,
    rom,
    rounded,
    shifts,
    skid,
    total,
)
from emamba.rtl.weights import Region


@dataclass(frozen=True)
class _Tables:
    """The memories of an operation's arrays, which are `loaded` or constant."""

    regions: Mapping[str, Region]
    loaded: bool

    def bits(self, name: str) -> int:
        """Of an element."""
        return self.regions[name].dtype.bits

    @property
    def cost(self) -> Cost:
        """All of them."""
        return total([self._cost(it) for it in self.regions.values()])

    def _cost(self, it: Region) -> Cost:
        if self.loaded:
            return loadable(it.words, it.lanes, it.dtype.bits)
        return rom(it.words, it.lanes * it.dtype.bits)


def fork(readers: int) -> Cost:
    """A `Fork`: who has taken the beat that waits."""
    return Cost(ff=readers, lut=2.5 * readers) if readers > 1 else Cost()


def stage(graph: Graph, op: Operation, folding: Folding, regions: Mapping[str, Region] | None = None) -> Cost:
    """The component of `op` when folded so; with `regions` by array, weights can be loaded."""
    types = [graph[name].dtype for name in op.sources]
    lanes = folding.output
    tables = _Tables(regions or weights.regions(op, folding), bool(regions))
    match op:
        case Input():
            return skid(op.dtype, lanes)
        case Lookup():
            return _lookup(op, types[0], lanes, tables)
        case Linear():
            return _linear(op, types[0], weights.sums(graph, op, regions), folding, tables)
        case Convolution():
            tokens = graph.frame_tokens(op.source)
            return _convolution(op, types[0], weights.sums(graph, op, regions), tokens, folding, tables)
        case RangeNorm():
            return _range_norm(op, types[0], lanes)
        case Activation():
            return exit_(op.dtype, lanes) + look_up(op.curve) * lanes + delay(1, curve.cycles(op.curve))
        case Scan():
            if folding.steps > 1:
                return _serial_scan(op, types, tables)
            return _scan(op, types, lanes, folding.states, tables)
        case Multiply():
            bits = types[0].bits + types[1].bits
            product = multiplier(types[0].bits, types[1].bits) + registers(2 * bits) + rounded(bits, op.shift, op.dtype)
            return exit_(op.dtype, lanes) + product * lanes + registers(4)
        case Add():
            bits = max(types[0].bits + op.left_shift, types[1].bits + op.right_shift) + 1
            summed = adder(bits) + registers(bits) + rounded(bits, op.shift, op.dtype)
            held = registers(types[0].bits + types[1].bits)
            return exit_(op.dtype, lanes) + (held + summed) * lanes + registers(4)
        case Pool():
            return _pool(op, weights.sums(graph, op), lanes)
        case Flatten():
            return Cost()
        case _:
            assert_never(op)


def loader(regions: Sequence[Region]) -> Cost:
    """A `Loader` of `regions`: its registers, and the choice of a stage."""
    tensors = {region.tensor for region in regions}
    return registers(1 + sum(weights.widths(regions))) + Cost(lut=1.5 * len(tensors))


def link(dtype: Integer, lanes: int, wanted: int, depth: int) -> Cost:
    """A `Link`: `depth` beats of FIFO, and a change from `lanes` to `wanted`."""
    wide = lcm(lanes, wanted)
    cost = fifo(lanes * dtype.bits + 1, depth) if depth else Cost()
    if wide > lanes:
        cost += registers((2 * wide - lanes) * dtype.bits + 2) + counter(wide // lanes) + Cost(lut=4)
    if wide > wanted:
        cost += registers(wide * dtype.bits + 1) + counter(wide // wanted + 1) + Cost(lut=wide * dtype.bits + 4)
    return cost


def _lookup(op: Lookup, source: Integer, lanes: int, tables: _Tables) -> Cost:
    beats = op.channels // lanes
    words = len(op.table) * beats
    return (
        registers(source.bits + 2)
        + counter(beats)
        + (adder((words - 1).bit_length()) if beats & (beats - 1) else Cost())
        + tables.cost
        + registers(2)
        + exit_(op.dtype, lanes)
    )


def _linear(op: Linear, source: Integer, sums: Integer, folding: Folding, tables: _Tables) -> Cost:
    inputs, outputs = folding.sources[0], folding.output
    columns, rows = op.weight.shape[1] // inputs, op.channels // outputs
    weight, constant = tables.bits("weight"), rows * columns == 1 and not tables.loaded
    product = source.bits + (constant_bits(op.weight) if constant else weight)
    factor = constant_bits(op.weight) / 2 if constant else weight
    bursts = columns > 1 and rows > 1 and not folding.by_rows
    tree, moves = adder_tree(inputs, product)
    fetch = factor_moves(rows * columns)
    late = moves + fetch - 1
    ring = registers(sums.bits) + delay(sums.bits, rows - 1 if bursts else 0) + adder(sums.bits)
    ring += Cost(lut=0.4 * sums.bits) if columns > 1 else Cost()
    lane = tree + ring + rounded(sums.bits, int(op.shift.min()), op.dtype)
    carries = registers(_carries(inputs)) + Cost(lut=inputs) if folding.pairs else Cost()
    control = counter(rows) + counter(columns) + counter(rows * columns) + registers(late + 2)
    control += (delay(1, late + 2) + delay(1, late + 2)) if columns > 1 else Cost()
    control += delay(1, late + 3) + delay((rows - 1).bit_length(), late + 1)
    return (
        (_replay(inputs * source.bits + 1, columns, rows) if folding.by_rows else Cost())
        + registers(inputs * source.bits * (1 + fetch) + 2)
        + tables.cost
        + registers(inputs * outputs * weight * (fetch - 1))
        + (multiplier(source.bits, factor) + registers(product)) * (inputs * outputs)
        + lane * outputs
        + Cost(pairs=folding.pairs)
        + carries * (outputs // 2)
        + control
        + shifts(op.shift.reshape(rows, outputs), sums.bits)
        + exit_(op.dtype, outputs, rows + 2 if bursts else 0)
    )


def _carries(terms: int) -> int:
    """Registers of the bits that ride with the sums of `packing.dots`, one for each group in each level."""
    return -(-terms // 4) + _carries(-(-terms // 4)) if terms > 1 else 0


def _replay(bits: int, count: int, times: int) -> Cost:
    control = counter(2 * count) * 2 + counter(2 * count + 1) * 2 + counter(count) + counter(times) + registers(2)
    return ram(2 * count, bits) + control


def _convolution(
    op: Convolution, source: Integer, sums: Integer, tokens: int, folding: Folding, tables: _Tables
) -> Cost:
    lanes, taps, window = folding.output, folding.taps, op.weight[0].size
    beats, groups = op.channels // lanes, window // taps
    words, product = depth(op, beats), source.bits + tables.bits("weight")
    places, grid = Integer.holding(np.array(tap_places(op, beats, groups))).bits, (tokens // op.columns, op.columns)
    address, around = (words - 1).bit_length(), sum((side - 1).bit_length() for side in grid)
    tree, moves = adder_tree(taps, product)
    lane = (
        multiplier(source.bits, product - source.bits) + registers(2 * product) + Cost(lut=source.bits)
    ) * taps + tree
    lane += registers(sums.bits) + adder(sums.bits) + rounded(sums.bits, int(op.shift.min()), op.dtype)
    tap = Cost(lut=3 * address + 2 * around) + registers(1)
    return (
        lane * lanes
        + tap * taps
        + ram(words, lanes * source.bits, ports=taps)
        + rom(groups, 3 * taps * places)
        + tables.cost
        + total([counter(it) for it in (groups, beats, groups * beats, words, words, tokens, words, *grid)])
        + registers(address + around + (groups * beats - 1).bit_length())
        + delay((beats - 1).bit_length(), moves + 3)
        + delay(1, moves + 4)
        + delay(1, moves + 5)
        + registers(2 * moves + 9)
        + shifts(op.shift.reshape(beats, lanes), sums.bits)
        + exit_(op.dtype, lanes)
    )


def _range_norm(op: RangeNorm, source: Integer, lanes: int) -> Cost:
    beats = op.channels // lanes
    room = 2 * beats + 4
    sums = Integer.between(min(-1, op.channels * source.lo), op.channels * source.hi).bits
    factor = Integer.holding(op.reciprocal).bits
    centred = sums + 2
    statistics = registers(2 * sums + 2 * source.bits + 3) + adder(sums) + Cost(lut=2 * source.bits * lanes)
    statistics += adder(source.bits) * lanes + Cost(lut=sums)
    product = multiplier(centred, factor) + registers(centred + factor) + rounded(centred + factor, op.shift, op.dtype)
    return (
        fifo(lanes * source.bits + 1, room)
        + statistics
        + rom(len(op.reciprocal), factor)
        + queue(sums + factor, (room - 1) // beats + 1)
        + counter(beats) * 2
        + registers(factor + 2)
        + (adder(2 * centred) + registers(centred) + product) * lanes
        + exit_(op.dtype, lanes)
    )


def _scan(op: Scan, types: Sequence[Integer], channels: int, states: int, tables: _Tables) -> Cost:
    x, delta, b, c = (dtype.bits for dtype in types)
    beats, groups, lanes = op.channels // channels, op.states // states, channels * states
    words, late = beats * groups, curve.cycles(op.decay)
    fetch = factor_moves(words)
    rate, skip = tables.bits("rate"), tables.bits("skip")
    decay = Integer.between(*op.decay.limits).bits
    drive = delta + x + b - max(op.drive_shift, 0) + 1
    kept = decay + op.state.bits + 1
    factors = (delta, rate), (delta + x, b), (decay, op.state.bits), (op.state.bits, c)
    readout = op.state.bits + c
    tree, moves = adder_tree(states, readout)
    lane = (
        registers(delta + rate + (rate + op.state.bits) * (fetch - 1))
        + rounded(delta + rate, op.argument_shift, op.decay.domain)
        + look_up(op.decay)
        + registers(delta + x + b)
        + delay(drive, late)
        + registers(kept + op.state.bits + readout)
        + adder(max(kept, drive) + 1)
        + Cost(lut=2 * op.state.bits + (op.compute.bits if narrows(op.compute, op.decay_fraction, op.state) else 0))
    )
    result = max(readout + (states - 1).bit_length(), skip + x) + groups.bit_length() + 1
    channel = (
        registers(x + 2 * delta + x + skip + x + (x + delta + skip) * (fetch - 1))
        + delay(skip + x, late + moves + 3)
        + adder(result)
        + registers(result)
        + rounded(result, op.shift, op.dtype)
    )
    return (
        (lane + total([multiplier(*it) for it in factors])) * lanes
        + (channel + tree + multiplier(delta, x) + multiplier(skip, x)) * channels
        + tables.cost
        + ram(words, lanes * op.state.bits)
        + delay(states * b, 1 + fetch)
        + delay(states * c, late + 3 + fetch)
        + Cost(lut=states * (b + c) * (groups - 1) / 2 + 20)
        + counter(max(words, 3))
        + counter(groups)
        + counter(beats)
        + registers(2 * late + 8 + 2 * fetch + moves)
        + delay((words - 1).bit_length(), late + 2 + fetch)
        + exit_(op.dtype, channels)
    )


def _serial_scan(op: Scan, types: Sequence[Integer], tables: _Tables) -> Cost:
    x, delta, b, c = (dtype.bits for dtype in types)
    when, words = serial_scan.schedule(op), op.channels * op.states
    rate, skip = tables.bits("rate"), tables.bits("skip")
    decay, state = Integer.between(*op.decay.limits).bits, op.state.bits
    factors = (max(delta + 1, decay + 1, c), max(rate, state)), (max(delta + 1, b, skip), delta + x)
    operands = [sum(it) for it in factors]
    products = sum(operands)
    result = operands[0] + op.states.bit_length() + 1
    index, channel = (words - 1).bit_length(), (op.channels - 1).bit_length()
    return (
        total([multiplier(*it) for it in factors])
        + registers(2 * products)
        + Cost(lut=1.2 * products + 2 * state + op.states * (b + c) / 2 + result)
        + Cost(lut=op.compute.bits if narrows(op.compute, op.decay_fraction, op.state) else 0)
        + tables.cost
        + ram(words, state)
        + look_up(op.decay)
        + delay(decay, when.decay - 3 - when.look_up)
        + delay(delta + x + b, when.decay - when.drive)
        + registers(state)
        + delay(state, when.readout - when.decay - 3)
        + delay(x, when.skip - 2)
        + delay(b, when.drive - 2)
        + delay(c, when.readout - 2)
        + delay(skip + x, when.readout - when.skip)
        + delay(index, when.decay - 1)
        + delay(index, 4)
        + delay(channel, when.skip - 1)
        + registers(when.moves + when.decay + 6)
        + delay(4, when.readout)
        + rounded(delta + rate, op.argument_shift, op.decay.domain)
        + adder(max(operands) + 1)
        + adder(result)
        + registers(result)
        + rounded(result, op.shift, op.dtype)
        + counter(3)
        + counter(words)
        + counter(op.channels)
        + counter(op.states)
        + exit_(op.dtype, 1)
    )


def _pool(op: Pool, sums: Integer, lanes: int) -> Cost:
    beats = op.channels // lanes
    ring = (
        adder(sums.bits) + registers(sums.bits) + delay(sums.bits, beats - 1) + rounded(sums.bits, op.shift, op.dtype)
    )
    return ring * lanes + counter(beats) + registers(6) + Cost(lut=sums.bits * lanes) + exit_(op.dtype, lanes)
