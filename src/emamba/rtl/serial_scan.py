"""The selective scan with two multipliers: a state in three cycles, whose six products take turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.curve import IntegerCurve
from emamba.fixed import Integer
from emamba.graph import Scan
from emamba.rtl import curve
from emamba.rtl.fixed import requantize, requantize_saturated, round_shift, shape
from emamba.rtl.loading import Weights
from emamba.rtl.pipeline import counter, delayed
from emamba.rtl.stream import Exit, beats, elements
from emamba.rtl.weights import Region, scan

STEPS = 3
"""Cycles a state."""


@dataclass(frozen=True)
class Schedule:
    """In which move of a state each product gets its operands; what it gives is there two moves later.

    One multiplier takes rate (move 1), decay and readout, the other one input (1), drive (3) and skip: each in
    a slot of its own, a slot being a move modulo 3. `look_up` are the moves of the decay's curve.
    """

    look_up: int
    input: int = 1
    drive: int = 3

    @cached_property
    def decay(self) -> int:
        """The first free slot after the look-up."""
        ready = 3 + self.look_up
        return ready + (ready % STEPS == self.input % STEPS)

    @cached_property
    def readout(self) -> int:
        """The last free slot, once the new state is there, three moves after the decay."""
        return next(move for move in range(self.decay + 3, self.decay + 6) if move % STEPS not in self._taken)

    @cached_property
    def skip(self) -> int:
        """As late as the readout allows, because its result waits for that."""
        return next(move for move in range(self.readout, 0, -1) if move % STEPS == 2)

    @property
    def moves(self) -> int:
        """From the first move of a state to the exit register."""
        return self.readout + 4

    @property
    def _taken(self) -> tuple[int, int]:
        return self.input % STEPS, self.decay % STEPS


def schedule(op: Scan) -> Schedule:
    """When the products of `op` are multiplied."""
    return Schedule(curve.cycles(op.decay))


def multipliers(decay: IntegerCurve) -> int:
    """Two, and those of the decay's curve."""
    return 2 + curve.multipliers(decay)


class SerialScanStage(wiring.Component):
    """Repeats `graph.golden.scan` for two or more states in all.

    A free-running counter of three slots says whose turn a multiplier is, so a state begins in slot 0 only; then all
    sources have to be there. States lie in a memory and come round once a token.

    Parameters: `op`, element types of its sources; `regions` as those of `ScanStage`.
    Timing: `3 * channels * states` cycles a token.
    """

    def __init__(self, op: Scan, types: dict[str, Integer], regions: Mapping[str, Region] | None = None) -> None:
        self._op, self._types, self._when = op, types, schedule(op)
        ports = {name: In(beats(types[name], op.states if name in ("b", "c") else 1)) for name in types}
        self._weights = Weights(op, regions or scan(op, 1, 1), bool(regions))
        super().__init__({**ports, "output": Out(beats(op.dtype, 1)), "busy": Out(1), **self._weights.members})

    def elaborate(self, platform: object) -> Module:
        """Both multipliers by slot; rate to decay, decay and drive to the state, the state to the readout."""
        m = Module()
        op, when = self._op, self._when
        exit_ = Exit(m, self.output, op.dtype, 1)
        advance = exit_.advance
        slot, _ = counter(m, STEPS, advance)
        begins, state, channel, word = self._control(m, advance, slot)

        x, delta = elements(self.x, 1)[0], elements(self.delta, 1)[0]
        b, c = (self._chosen(name, state) for name in ("b", "c"))
        rate = self._weights.read(m, self, "rate", word, advance)[0]
        at = delayed(m, advance, channel, when.skip - 1)
        skip = self._weights.read(m, self, "skip", at, advance)[0]
        driven, other = Signal(self._driven), Signal(shape(op.state))  # products and states that come back
        decay, new = Signal(shape(Integer.between(*op.decay.limits))), Signal(shape(op.state))

        def late(value: Value, move: int) -> Value:
            return delayed(m, advance, value, move - 2)  # the ports are the state's own up to move 2

        ways = {when.input: (delta, rate), when.decay: (decay, other), when.readout: (late(c, when.readout), new)}
        first_product = self._multiplied(m, advance, slot, ways)
        ways = {when.input: (delta, x), when.drive: (late(b, when.drive), driven)}
        second_product = self._multiplied(m, advance, slot, {**ways, when.skip: (skip, late(x, when.skip))})
        m.d.comb += driven.eq(second_product)

        argument = requantize(m, Value.cast(first_product[: self._argument_bits]), op.argument_shift, op.decay.domain)
        value = curve.look_up(m, "decay", op.decay, argument, advance)
        m.d.comb += decay.eq(delayed(m, advance, value, when.decay - 3 - when.look_up))
        drive = delayed(m, advance, round_shift(second_product, op.drive_shift), when.decay - when.drive)
        total = Value.cast(first_product + drive)
        updated = delayed(m, advance, requantize_saturated(m, total, op.compute, op.decay_fraction, op.state))
        m.d.comb += new.eq(delayed(m, advance, updated, when.readout - when.decay - 3))
        self._remember(m, advance, word, begins, updated, other)
        skipped = delayed(m, advance, round_shift(second_product, op.skip_shift), when.readout - when.skip)
        self._read_out(m, exit_, begins, state, first_product, skipped)
        return m

    @property
    def _driven(self) -> Shape:
        """The product of delta, which is unsigned, and x."""
        x = self._types["x"]
        return Shape(self._types["delta"].bits + x.bits, x.signed)

    @property
    def _argument_bits(self) -> int:
        return self._types["delta"].bits + self._weights.dtype("rate").bits

    def _control(self, m: Module, advance: Value, slot: Value) -> tuple[Value, Value, Value, Value]:
        """Whether a state begins, and which: its number in the channel, its channel, its number in the token."""
        op = self._op
        begins, active, done, last_channel = Signal(), Signal(), Signal(), Signal()
        state, last_state = counter(m, op.states, done)
        channel, last = counter(m, op.channels, Value.cast(done & last_state))
        word, _ = counter(m, op.channels * op.states, done)
        sources = self.x.valid & self.delta.valid & self.b.valid & self.c.valid
        m.d.comb += [
            begins.eq((slot == 0) & sources),
            done.eq(active & (slot == STEPS - 1) & advance),
            last_channel.eq(last),
            self.x.ready.eq(done & last_state),
            self.delta.ready.eq(done & last_state),
            self.b.ready.eq(done & last_state & last_channel),
            self.c.ready.eq(done & last_state & last_channel),
            self.busy.eq(advance & (begins | active)),
        ]
        with m.If(advance & (slot == 0)):
            m.d.sync += active.eq(begins)
        with m.If(done):
            m.d.sync += active.eq(0)
        return Value.cast(begins), Value.cast(state), Value.cast(channel), Value.cast(word)

    def _multiplied(self, m: Module, advance: Value, slot: Value, ways: dict[int, tuple[Value, Value]]) -> Value:
        """One multiplier: operands by slot, and the product two moves later."""
        by_slot = [ways[move] for move in sorted(ways, key=lambda move: move % STEPS)]
        left, right = (_selected(slot, [pair[side] for pair in by_slot]) for side in (0, 1))
        operands = delayed(m, advance, [left, right])
        return delayed(m, advance, Value.cast(operands[0] * operands[1]))

    def _remember(self, m: Module, advance: Value, word: Value, begins: Value, updated: Value, old: Signal) -> None:
        """The memory of states: `old` is there for the decay, `updated` is written three moves later."""
        when = self._when
        m.submodules.state = memory = Memory(
            shape=shape(self._op.state), depth=self._op.channels * self._op.states, init=[]
        )
        write, read = memory.write_port(), memory.read_port()
        address = delayed(m, advance, word, when.decay - 1)
        first = delayed(m, advance, Value.cast(self.x.payload.first), when.decay)
        valid = delayed(m, advance, begins, when.decay + 3, reset=True)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(advance),
            old.eq(Mux(first, 0, read.data)),
            write.addr.eq(delayed(m, advance, address, 4)),
            write.data.eq(updated),
            write.en.eq(valid & advance),
        ]

    def _read_out(self, m: Module, exit_: Exit, begins: Value, state: Value, product: Value, skipped: Value) -> None:
        """Adds the readouts of a channel to its skip; after the last one the sum leaves."""
        op, advance, late = self._op, exit_.advance, self._when.readout + 2
        total = Signal(Shape(max(len(product), len(skipped)) + op.states.bit_length() + 1, True), reset_less=True)
        valid = delayed(m, advance, begins, late, reset=True)
        opening = delayed(m, advance, state == 0, late)
        closing = delayed(m, advance, state == op.states - 1, late)
        with m.If(advance & valid):
            m.d.sync += total.eq(Mux(opening, skipped, total) + product)
        done = delayed(m, advance, valid & closing, reset=True)
        first = delayed(m, advance, Value.cast(self.x.payload.first), late + 1)
        exit_.load(done, [requantize(m, Value.cast(total), op.shift, op.dtype)], first)

    def _chosen(self, name: str, state: Value) -> Value:
        """The element of `state` in the beat at port `name`."""
        values = elements(getattr(self, name), self._op.states)
        return Value.cast(Array(values)[state]) if len(values) > 1 else values[0]


def _selected(slot: Value, values: list[Value]) -> Value:
    """The value whose turn it is."""
    return Value.cast(Mux(slot == 0, values[0], Mux(slot == 1, values[1], values[2])))
