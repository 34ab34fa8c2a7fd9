"""Registers that move together: what components build their pipelines from.

All registers of a component move when `advance` is high, which is when its last register is empty
or taken. Data registers are not reset; valid flags are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

from amaranth.hdl import Const, Module, Shape, Signal, Value
from amaranth.lib.memory import Memory

from emamba.fixed import Integer, Integers
from emamba.rtl.fixed import pack, unpack


@overload
def delayed(m: Module, advance: Value, value: Value, cycles: int = 1, reset: bool = False) -> Value: ...
@overload
def delayed(m: Module, advance: Value, value: list[Value], cycles: int = 1, reset: bool = False) -> list[Value]: ...
def delayed(m: Module, advance: Value, value: Any, cycles: int = 1, reset: bool = False) -> Any:
    """`value` (or each of a list) as it was `cycles` moves ago. `reset` is for valid flags."""
    if not isinstance(value, list):
        return delayed(m, advance, [value], cycles, reset)[0]
    for _ in range(cycles):
        registers = [_register(Value.cast(item), reset) for item in value]
        with m.If(advance):
            m.d.sync += [register.eq(item) for register, item in zip(registers, value, strict=True)]
        value = registers
    return value


def _register(value: Value, reset: bool) -> Signal:
    """A register for `value`; the name tells what it holds and how late."""
    name, late = "value", ""
    if isinstance(value, Signal):
        name, _, late = value.name.partition("_after_")
    return Signal(value.shape(), name=f"{name}_after_{int(late or 0) + 1}", reset_less=not reset)


def total(m: Module, advance: Value, terms: Sequence[Value]) -> tuple[Value, int]:
    """The sum of `terms`, four to one a register, and the number of moves that it takes."""
    cycles = 0
    terms = list(terms)
    while len(terms) > 1:
        groups = [terms[start : start + 4] for start in range(0, len(terms), 4)]
        terms = delayed(m, advance, [_sum(group) for group in groups])
        cycles += 1
    return terms[0], cycles


def total_cycles(terms: int) -> int:
    """The moves that `total` takes for so many terms."""
    cycles = 0
    while terms > 1:
        terms, cycles = -(-terms // 4), cycles + 1
    return cycles


def _sum(terms: Sequence[Value]) -> Value:
    """The sum of up to four `terms`, as wide as it can become: chained additions would be wider."""
    wide = max(len(term) for term in terms) + (len(terms) - 1).bit_length()
    value = Value.cast(sum(terms[1:], start=terms[0]))
    return value[:wide].as_signed() if value.shape().signed else value[:wide]


def rom(m: Module, name: str, rows: Iterable[Integers], dtype: Integer, address: Value, advance: Value) -> list[Value]:
    """The elements of `rows[address]`, one move later; `rows` is a constant [depth, elements]."""
    rows = [row.tolist() for row in rows]
    words = [pack(row, dtype.bits) for row in rows]
    width = dtype.bits * len(rows[0])
    if len(words) == 1:
        return unpack(Const(words[0], width), dtype)
    memory = Memory(shape=Shape(width), depth=len(words), init=words)
    m.submodules[name] = memory
    port = memory.read_port()
    m.d.comb += [port.addr.eq(address), port.en.eq(advance)]
    return unpack(port.data, dtype)


def factor_moves(words: int) -> int:
    """The moves from an address in a memory of so many `words` to a factor of a product.

    A deep memory may become a block RAM, which gives its words so late in the cycle that they need a register first.
    On ECP5, Yosys leaves up to 48 words in logic, however wide they are.
    """
    return 1 if words <= 48 else 2


def counter(m: Module, count: int, step: Value) -> tuple[Signal, Value]:
    """A counter 0 .. count - 1 that moves on `step` and wraps, and whether it is at its end."""
    value = Signal(range(max(count, 2)))
    last = value == count - 1
    with m.If(step):
        m.d.sync += value.eq(0) if count == 1 else value.eq(value + 1)
        with m.If(last):
            m.d.sync += value.eq(0)
    return value, last
