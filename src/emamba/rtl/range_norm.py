"""The range-norm stage: two passes over a token, the second one multiplies by a reciprocal from a ROM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import RangeNorm
from emamba.rtl.fixed import requantize, shape, times
from emamba.rtl.pipeline import counter, delayed, rom
from emamba.rtl.stream import Exit, Fifo, beats, elements, moves


class RangeNormStage(wiring.Component):
    """Repeats `graph.golden.range_norm`.

    First pass, while a token arrives: sum, smallest and largest element; the token itself waits in a
    FIFO that two fit in. Second pass, while the next one arrives: centre, multiply with the reciprocal of the
    range, round and saturate.

    Parameters: `op`, element type of its `source`, `lanes` elements a beat and as many multipliers.
    Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: RangeNorm, source: Integer, lanes: int) -> None:
        self._op, self._source, self._lanes = op, source, lanes
        self._beats = op.channels // lanes
        self._room = 2 * self._beats + 4  # beats: two tokens, and the latency of the statistics
        super().__init__({"source": In(beats(source, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Tokens and their statistics meet again in front of the multipliers."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        advance = exit_.advance
        m.submodules.token = token = Fifo(self._source, self._lanes, self._room)
        m.d.comb += [
            token.source.payload.eq(self.source.payload),
            token.source.valid.eq(self.source.valid),
            self.source.ready.eq(token.source.ready),
        ]
        known, total, reciprocal, taken = self._statistics(m)

        step = Signal()
        _, last = counter(m, self._beats, step)
        m.d.comb += [
            step.eq(token.output.valid & known & advance),
            token.output.ready.eq(known & advance),
            taken.eq(step & last),
            self.busy.eq(step),
        ]
        kept = elements(token.output, self._lanes)
        centred = delayed(m, advance, [Value.cast(times(x, self._op.channels) - total) for x in kept])
        factor = delayed(m, advance, reciprocal)
        products = delayed(m, advance, [Value.cast(x * factor) for x in centred])
        valid = delayed(m, advance, Value.cast(step), 2, reset=True)
        first = delayed(m, advance, Value.cast(token.output.payload.first), 2)
        exit_.load(valid, [requantize(m, value, self._op.shift, self._op.dtype) for value in products], first)
        return m

    def _statistics(self, m: Module) -> tuple[Value, Value, Value, Signal]:
        """Whether a token's numbers are known, its sum and reciprocal, and the signal that takes them.

        Nothing holds this pass back: the numbers have room for all tokens that are whole in the
        other FIFO, and for one that is half read.
        """
        channels, source = self._op.channels, self._source
        moved = moves(self.source)
        _, last = counter(m, self._beats, moved)
        begin = Signal(init=1)
        with m.If(moved):
            m.d.sync += begin.eq(last)
        sums = Signal(shape(Integer.between(min(-1, channels * source.lo), channels * source.hi)), reset_less=True)
        low, high = Signal(shape(source), reset_less=True), Signal(shape(source), reset_less=True)
        beat = elements(self.source, self._lanes)
        smallest, largest = _tree(_smaller, beat), _tree(_larger, beat)
        with m.If(moved):
            m.d.sync += [
                sums.eq(Mux(begin, 0, sums) + Value.cast(sum(beat[1:], start=beat[0]))),
                low.eq(Mux(begin, smallest, _smaller(low, smallest))),
                high.eq(Mux(begin, largest, _larger(high, largest))),
            ]
        always = Value.cast(True)
        complete = delayed(m, always, moved & last, reset=True)
        spread = Value.cast(high - low)[: source.bits]
        table = Integer.holding(self._op.reciprocal)
        reciprocal = rom(m, "reciprocal", self._op.reciprocal.reshape(-1, 1), table, spread, always)[0]
        return self._queue(m, delayed(m, always, complete, reset=True), delayed(m, always, sums), reciprocal)

    def _queue(self, m: Module, push: Value, total: Value, reciprocal: Value) -> tuple[Value, Value, Value, Signal]:
        """The numbers of the tokens that are whole, oldest first."""
        m.submodules.numbers = numbers = SyncFIFO(
            width=len(total) + len(reciprocal), depth=(self._room - 1) // self._beats + 1
        )
        taken = Signal()
        m.d.comb += [
            numbers.w_data.eq(Cat(total, reciprocal)),
            numbers.w_en.eq(push),
            numbers.r_en.eq(taken),
        ]
        number = Value.cast(numbers.r_data)
        return numbers.r_rdy, number[: len(total)].as_signed(), Value.cast(number[len(total) :]), taken


def _smaller(a: Value, b: Value) -> Value:
    return Value.cast(Mux(a < b, a, b))


def _larger(a: Value, b: Value) -> Value:
    return Value.cast(Mux(a < b, b, a))


def _tree(choose: Callable[[Value, Value], Value], values: Sequence[Value]) -> Value:
    """The chosen one of all `values`, halving their number in each level."""
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    return choose(_tree(choose, values[:middle]), _tree(choose, values[middle:]))
