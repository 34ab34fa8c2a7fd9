"""The selective-scan stage: all states in a memory, a few of them stepped in each cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Scan
from emamba.rtl import curve
from emamba.rtl.fixed import requantize, requantize_saturated, round_shift, unpack
from emamba.rtl.loading import Weights
from emamba.rtl.pipeline import counter, delayed, factor_moves, total
from emamba.rtl.stream import Exit, beats, elements
from emamba.rtl.weights import Region, scan

LOOP = 3
"""Moves from reading a state to the move in which its successor can be read."""


def multipliers(op: Scan, channels: int, states: int) -> int:
    """For each state lane rate, drive, decay and readout; for each channel lane input and skip."""
    return channels * (states * (4 + curve.multipliers(op.decay)) + 2)


def cycles(op: Scan, channels: int, states: int) -> int:
    """Cycles a token with `channels` by `states` lanes."""
    return max((op.channels // channels) * (op.states // states), LOOP)


@dataclass(frozen=True)
class _Control:
    """The place in the token, at the start of the pipeline: `index` counts state words, `channel`
    beats, `group` the words of one beat; `useful` is low in the steps that only wait for the loop."""

    index: Value
    channel: Value
    group: Value
    last_group: Value
    step: Signal
    useful: Value


class ScanStage(wiring.Component):
    """Repeats `graph.golden.scan`.

    One step takes `states` states of `channels` channels. The tokens of b and c wait at their ports
    until the last step of the token. States lie in a memory, one word a step; the word comes round
    only once a token, so that its read, multiply and write are pipelined.

    Parameters: `op`, element types of its sources, lanes; `regions` by array, if rates and skips lie in memories with a
    port `load` instead of ROMs.
    Timing: `cycles()` a token.
    """

    def __init__(
        self,
        op: Scan,
        types: dict[str, Integer],
        channels: int,
        states: int,
        regions: Mapping[str, Region] | None = None,
    ) -> None:
        self._op, self._types, self._channels, self._states = op, types, channels, states
        self._beats, self._groups = op.channels // channels, op.states // states
        self._weights = Weights(op, regions or scan(op, channels, states), bool(regions))
        super().__init__(
            {
                "x": In(beats(types["x"], channels)),
                "delta": In(beats(types["delta"], channels)),
                "b": In(beats(types["b"], op.states)),
                "c": In(beats(types["c"], op.states)),
                "output": Out(beats(op.dtype, channels)),
                "busy": Out(1),
                **self._weights.members,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Operands and rate in `fetch` moves; then products with delta, decay and drive, state, readout."""
        m = Module()
        op = self._op
        exit_ = Exit(m, self.output, op.dtype, self._channels)
        advance = exit_.advance
        at = self._control(m, advance)
        late = curve.cycles(op.decay)

        fetch = self._fetch
        rate = self._weights.read(m, self, "rate", at.index, advance)
        rate = delayed(m, advance, rate, fetch - 1)
        x = delayed(m, advance, elements(self.x, self._channels), fetch)
        delta = delayed(m, advance, elements(self.delta, self._channels), fetch)
        b = delayed(m, advance, self._chosen("b", at.group), fetch)
        arguments = delayed(m, advance, [Value.cast(d * r) for d, r in zip(self._spread(delta), rate, strict=True)])
        driven = delayed(m, advance, [Value.cast(d * v) for d, v in zip(delta, x, strict=True)])
        b = delayed(m, advance, b)

        drive = delayed(
            m, advance, [Value.cast(d * v) for d, v in zip(self._spread(driven), self._repeat(b), strict=True)]
        )
        drive = delayed(m, advance, [round_shift(value, op.drive_shift) for value in drive], late - 1)
        decay = [
            curve.look_up(
                m, f"decay_{lane}", op.decay, requantize(m, value, op.argument_shift, op.decay.domain), advance
            )
            for lane, value in enumerate(arguments)
        ]
        first = delayed(m, advance, Value.cast(self.x.payload.first), fetch + 1 + late)
        valid = delayed(m, advance, Value.cast(at.step & at.useful), fetch + 1 + late, reset=True)
        address = delayed(m, advance, at.index, 1 + late)
        state = self._recurrence(m, advance, address, valid, first, decay, drive)
        self._read_out(m, exit_, at, state, fetch + 1 + late + 2, x)
        return m

    @property
    def _fetch(self) -> int:
        """Moves from the address of rates and states to their values."""
        return factor_moves(self._beats * self._groups)

    def _control(self, m: Module, advance: Value) -> _Control:
        """Steps through the token as soon as all four sources are there."""
        words = self._beats * self._groups
        step, useful, last_of_beat = Signal(), Signal(), Signal()
        place, last = counter(m, max(words, LOOP), step)
        group, last_group = counter(m, self._groups, step & useful)
        channel, _ = counter(m, self._beats, last_of_beat)
        m.d.comb += [
            useful.eq(place < words),
            last_of_beat.eq(step & useful & last_group),
            step.eq(advance & self.b.valid & self.c.valid & (~useful | (self.x.valid & self.delta.valid))),
            self.x.ready.eq(last_of_beat),
            self.delta.ready.eq(last_of_beat),
            self.b.ready.eq(step & last),
            self.c.ready.eq(step & last),
            self.busy.eq(step & useful),
        ]
        return _Control(Value.cast(place), Value.cast(channel), Value.cast(group), last_group, step, useful)

    def _recurrence(
        self,
        m: Module,
        advance: Value,
        address: Value,
        valid: Value,
        first: Value,
        decay: list[Value],
        drive: list[Value],
    ) -> list[Value]:
        """`state = requantize(m, saturate(decay * state + drive))`, two moves after `decay` and `drive`."""
        op = self._op
        lanes = self._channels * self._states
        m.submodules.state = memory = Memory(
            shape=Shape(lanes * op.state.bits), depth=self._beats * self._groups, init=[]
        )
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [read.addr.eq(address), read.en.eq(advance)]
        olds = delayed(m, advance, unpack(read.data, op.state), self._fetch - 1)
        states = [Value.cast(Mux(first, 0, old)) for old in olds]
        kept = delayed(m, advance, [Value.cast(a * old) for a, old in zip(decay, states, strict=True)])
        drive = delayed(m, advance, drive)
        totals = [Value.cast(a + b) for a, b in zip(kept, drive, strict=True)]
        news = [requantize_saturated(m, value, op.compute, op.decay_fraction, op.state) for value in totals]
        m.d.comb += [
            write.addr.eq(delayed(m, advance, address, self._fetch + 1)),
            write.data.eq(Cat(news)),
            write.en.eq(delayed(m, advance, valid, reset=True) & advance),
        ]
        return delayed(m, advance, news)

    def _read_out(self, m: Module, exit_: Exit, at: _Control, state: list[Value], late: int, x: list[Value]) -> None:
        """Multiplies states with c, adds them and the skip, and leaves; `late` moves behind `at`."""
        op, advance = self._op, exit_.advance
        c = self._repeat(delayed(m, advance, self._chosen("c", at.group), late))
        products = delayed(m, advance, [Value.cast(h * v) for h, v in zip(state, c, strict=True)])
        sums, more = [], 0
        for lane in range(self._channels):
            value, more = total(m, advance, products[lane * self._states : (lane + 1) * self._states])
            sums.append(value)
        late += 1 + more
        skip = self._weights.read(m, self, "skip", at.channel, advance)
        skip = delayed(m, advance, skip, self._fetch - 1)
        skipped = delayed(m, advance, [Value.cast(s * v) for s, v in zip(skip, x, strict=True)])
        skipped = delayed(m, advance, [round_shift(value, op.skip_shift) for value in skipped], late - 1 - self._fetch)
        begins = delayed(m, advance, at.group == 0, late)
        valid = delayed(m, advance, Value.cast(at.step & at.useful), late, reset=True)
        results = self._summed(m, valid & advance, begins, sums, skipped)
        done = delayed(m, advance, valid & delayed(m, advance, at.last_group, late), reset=True)
        first = delayed(m, advance, Value.cast(self.x.payload.first), late + 1)
        exit_.load(done, [requantize(m, value, op.shift, op.dtype) for value in results], first)

    def _summed(self, m: Module, step: Value, begins: Value, sums: list[Value], skipped: list[Value]) -> list[Value]:
        """Running sums over the groups of states, one a channel lane."""
        results: list[Value] = []
        for value, skip in zip(sums, skipped, strict=True):
            width = max(len(value), len(skip)) + self._groups.bit_length() + 1
            register = Signal(Shape(width, True), reset_less=True)
            with m.If(step):
                m.d.sync += register.eq(Mux(begins, skip, register) + value)
            results.append(register)
        return results

    def _chosen(self, name: str, group: Value) -> list[Value]:
        """The states of the beat at port `name` that `group` selects."""
        port = getattr(self, name)
        word = Value.cast(port.payload.data)
        width = self._types[name].bits * self._states
        words = [word[start : start + width] for start in range(0, len(word), width)]
        return unpack(Value.cast(Array(words)[group]) if self._groups > 1 else word, self._types[name])

    def _spread(self, channel_values: list[Value]) -> list[Value]:
        """One value a channel lane, repeated for each of its state lanes."""
        return [value for value in channel_values for _ in range(self._states)]

    def _repeat(self, state_values: list[Value]) -> list[Value]:
        """One value a state lane, repeated for each channel lane."""
        return state_values * self._channels
