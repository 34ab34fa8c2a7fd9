"""What costs, and what the pieces that components are made of cost: registers, adders, memories, streams' buffers.

Multipliers, memory bits and register bits are exact. Flip-flops and LUTs are those that Yosys maps to on AMD
UltraScale+, estimated: a register bit is one flip-flop, a bit of an adder one LUT, and the rest by constants that
were fitted to syntheses. Shift registers of three places and more become memory there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import ceil
from operator import add, attrgetter

import numpy as np

from emamba.curve import IntegerCurve, IntegerTable
from emamba.fixed import Integer, Integers

_SHORTEST_SHIFTER = 3  # registers in a row without reset that become a shift register in LUTs
# What Yosys weighs when it places a memory: half a block RAM, 64 bits of RAM in LUTs, 64 bits of ROM in LUTs (1).
_BLOCK_COST, _LUTRAM_COST = 129, 16 / 7
_DSP = 100  # LUTs that a DSP block is worth: about as many as large UltraScale+ have for each of theirs


@dataclass(frozen=True)
class Cost:
    """Exact: multipliers, bits of ROMs, RAMs and shift registers. Estimated: flip-flops, and LUTs for logic.

    Of the products that `multipliers` can do in a cycle, so many `pairs` share a multiplication. `product_bits` is the
    size of all multipliers, bits of one factor times bits of the other; of a constant, half the bits count.

    A RAM with several read ports is mapped to a copy for each; `copied_bits` are those of all copies but one.
    Flip-flops are registers that are not part of a shift register (of three places and more) or of a block RAM.
    """

    multipliers: int = 0
    rom_bits: int = 0
    ram_bits: int = 0
    shift_bits: int = 0
    ff: float = 0
    lut: float = 0
    copied_bits: int = 0
    pairs: int = 0
    product_bits: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(add, _values(self), _values(other)))

    def __mul__(self, count: int) -> Cost:
        return Cost(*(value * count for value in _values(self)))

    @property
    def dsp(self) -> int:
        """Multiplications a cycle: DSP blocks, if none is wider than a block."""
        return self.multipliers - self.pairs

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return self.rom_bits + self.ram_bits

    @property
    def register_bits(self) -> float:
        """Registers on a technology that has no shift registers in LUTs, as ECP5 and ASICs have none."""
        return self.ff + self.shift_bits

    @property
    def area(self) -> float:
        """What the folding solver makes small: LUTs and registers, and RAM in LUTs of ECP5 (32 bits in one).

        All designs that it compares have the same multipliers; a DSP block that pairs save is taken off.
        """
        return self.lut + self.register_bits + (self.ram_bits + self.copied_bits) / 32 - _DSP * self.pairs


_values = attrgetter(*(field.name for field in fields(Cost)))  # as tuples: the solver adds costs very often


def total(costs: Sequence[Cost]) -> Cost:
    """The sum of `costs`."""
    return sum(costs, start=Cost())


def multiplier(left: int, right: float) -> Cost:
    """One, of factors with so many bits; what it gives goes to registers of its own."""
    return Cost(multipliers=1, product_bits=left * right)


def exit_(dtype: Integer, lanes: int, depth: int = 0) -> Cost:
    """The last register, and the `Skid` or `Fifo` behind it."""
    buffer = fifo(lanes * dtype.bits + 1, depth) if depth else skid(dtype, lanes)
    return registers(lanes * dtype.bits + 2) + buffer


def skid(dtype: Integer, lanes: int) -> Cost:
    """A `Skid`."""
    bits = lanes * dtype.bits + 1
    return registers(bits + 1) + Cost(lut=bits + 2)


def fifo(bits: int, depth: int) -> Cost:
    """A `Fifo`; what it reads goes through a register."""
    if depth == 1:
        return registers(bits + 1) + Cost(lut=3)
    return ram(depth - 1, bits) + registers(1) + counter(depth) * 3 + Cost(lut=4)


def queue(bits: int, depth: int) -> Cost:
    """A `SyncFIFO`, which is read without a register."""
    return Cost(ram_bits=depth * bits) + counter(depth) * 2 + counter(depth + 1) + Cost(lut=4)


def rom(words: int, bits: int) -> Cost:
    """A ROM with a register behind it; one word is a constant."""
    if words == 1:
        return Cost()
    if words * bits > _BLOCK_COST * 64 * _half_blocks(words, bits):
        return Cost(rom_bits=words * bits)
    tables = ceil(words / 64)
    lut = bits * (tables + (tables - 1) / 2 if words > 4 else 0.3)
    return Cost(rom_bits=words * bits, ff=bits, lut=lut)


def loadable(words: int, lanes: int, bits: int) -> Cost:
    """A memory of weights of which each element is written by itself; one word is registers."""
    enables = Cost(lut=lanes)
    if words == 1:
        return registers(lanes * bits) + enables
    return ram(words, lanes * bits) + enables


def ram(words: int, bits: int, ports: int = 1) -> Cost:
    """A RAM with a register behind each of its read ports, which is part of a block RAM."""
    in_blocks = _LUTRAM_COST * bits * ceil(words / 64) > _BLOCK_COST * _half_blocks(words, bits)
    size = words * bits
    return Cost(ram_bits=size, copied_bits=(ports - 1) * size, ff=0 if in_blocks else ports * bits)


def constant_bits(weight: Integers) -> int:
    """By how much products with constants are wider than their operand, on average."""
    return round(np.mean(np.ceil(np.log2(np.abs(weight) + 1))))


def _half_blocks(words: int, bits: int) -> int:
    """Block RAMs of 18 kbit."""
    return min(ceil(words / (1 << place)) * ceil(bits / width) for place, width in ((9, 36), (10, 18), (11, 9)))


def look_up(function: IntegerCurve) -> Cost:
    """One look-up."""
    if isinstance(function, IntegerTable):
        return rom(len(function.values), Integer.between(*function.limits).bits)
    slope, intercept = Integer.holding(function.slopes).bits, Integer.holding(function.intercepts).bits
    pieces, domain = len(function.slopes), function.domain.bits
    line = max(slope + domain, intercept) + 1
    out = Integer.between(function.lo, function.hi).bits
    return (
        multiplier(slope, domain)
        + Cost(lut=pieces * max(domain - 4, 1) / 2 + 2.5 * line)
        + registers(pieces.bit_length() + domain + slope + domain + intercept + out)
        + adder(line)
    )


def adder_tree(terms: int, bits: int) -> tuple[Cost, int]:
    """`pipeline.total` of `terms` of `bits` bits: its cost, and the moves it takes."""
    cost, moves, widths = Cost(), 0, [bits] * terms
    while len(widths) > 1:
        groups = [widths[start : start + 4] for start in range(0, len(widths), 4)]
        widths = [max(group) + (len(group) - 1).bit_length() for group in groups]
        cost += registers(sum(widths))
        cost += total([adder(wide) * (len(group) - 1) for wide, group in zip(widths, groups, strict=True)])
        moves += 1
    return cost, moves


def rounded(bits: int, shift: int, dtype: Integer) -> Cost:
    """`fixed.requantize`: what is left of the constant's adder, and the choice between value and limits."""
    return Cost(lut=max(bits - max(shift, 0), 1) + dtype.bits / 4)


def shifts(shift: Integers, bits: int) -> Cost:
    """`rounding.requantize_channels`, beyond what a fixed shift costs; `shift` [beats, lanes]."""
    further = shift - shift.min(axis=0)
    varying = int(np.count_nonzero(further.any(axis=0)))
    if not varying:
        return Cost()
    return rom(len(shift), varying * Integer.holding(further).bits) + Cost(lut=bits) * varying


def delay(bits: int, moves: int) -> Cost:
    """Registers in a row without reset."""
    return registers(bits * moves) if moves < _SHORTEST_SHIFTER else Cost(shift_bits=bits * moves)


def registers(bits: int) -> Cost:
    """Registers that stay flip-flops."""
    return Cost(ff=bits)


def adder(bits: int) -> Cost:
    """An adder whose sum has so many bits."""
    return Cost(lut=bits)


def counter(count: int) -> Cost:
    """A counter from 0 to `count` - 1."""
    bits = (count - 1).bit_length()
    return Cost(ff=bits, lut=1.5 * bits)
