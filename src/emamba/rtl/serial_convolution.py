"""The depthwise causal convolution with one multiplier: a tap a cycle, older tokens in a memory."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Convolution
from emamba.rtl.fixed import shape
from emamba.rtl.pipeline import counter, delayed, rom
from emamba.rtl.rounding import requantize_channels
from emamba.rtl.stream import Exit, beats


class SerialConvolutionStage(wiring.Component):
    """Repeats `graph.golden.convolution` for kernels of at least two taps.

    An element is held for `kernel` cycles, in which it meets the elements of its channel in the tokens before,
    oldest first. They lie side by side in a memory, in a ring; the element takes the place of the oldest.

    Parameters: `op`, element type of its `source`. Timing: `channels * kernel` cycles a token.
    """

    def __init__(self, op: Convolution, source: Integer) -> None:
        self._op, self._source, self._kernel = op, source, op.weight.shape[1]
        super().__init__({"source": In(beats(source, 1)), "output": Out(beats(op.dtype, 1)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Read a tap and its weight; multiply; accumulate from the bias on; round and saturate."""
        m = Module()
        op, kernel = self._op, self._kernel
        exit_ = Exit(m, self.output, op.dtype, 1)
        advance = exit_.advance
        step = Signal()
        m.d.comb += [step.eq(self.source.valid & advance), self.busy.eq(step)]
        tap, last_tap = counter(m, kernel, step)
        last = Value.cast(step & last_tap)
        m.d.comb += self.source.ready.eq(advance & last_tap)
        channel, last_channel = counter(m, op.channels, last)
        place, _ = counter(m, op.channels * kernel, step)

        element = self.source.payload.data[0]
        old = self._memory(m, advance, tap, channel, last, Value.cast(last & last_channel))
        fresh = self._fresh(m, tap, Value.cast(last & last_channel))
        now = delayed(m, advance, last_tap)
        x = Mux(now, delayed(m, advance, element), Mux(delayed(m, advance, fresh), old, 0))
        weights = op.weight.reshape(-1, 1)
        weight = rom(m, "weight", weights, Integer.holding(op.weight), place, advance)[0]
        product = delayed(m, advance, Value.cast(x * weight))
        at = delayed(m, advance, Value.cast(channel))
        bias = rom(m, "bias", op.bias.reshape(-1, 1), Integer.holding(op.bias), at, advance)[0]
        total = Signal(Shape(len(product) + kernel.bit_length() + 1, True), reset_less=True)
        begins = delayed(m, advance, tap == 0, 2)
        with m.If(advance & delayed(m, advance, Value.cast(step), 2, reset=True)):
            m.d.sync += total.eq(Mux(begins, bias, total) + product)
        valid = delayed(m, advance, last, 3, reset=True)
        first = delayed(m, advance, Value.cast(self.source.payload.first), 3)
        values = requantize_channels(m, [total], op.shift.reshape(-1, 1), op.dtype, at, advance, moves=2)
        exit_.load(valid, values, first)
        return m

    def _memory(self, m: Module, advance: Value, tap: Value, channel: Value, last: Value, whole: Value) -> Value:
        """The element of `channel` that the tap meets, a move later; on `last` the oldest is replaced."""
        older = self._kernel - 1
        m.submodules.older = memory = Memory(shape=shape(self._source), depth=self._op.channels * older, init=[])
        write, read = memory.write_port(), memory.read_port()
        base, oldest = Signal(range(self._op.channels * older)), Signal(range(max(older, 2)))
        with m.If(last):
            m.d.sync += base.eq(Mux(whole, 0, base + older))
        with m.If(whole):
            m.d.sync += oldest.eq(Mux(oldest == older - 1, 0, oldest + 1))
        ahead = Value.cast(oldest + tap)
        m.d.comb += [
            read.addr.eq(base + Mux(ahead >= older, ahead - older, ahead)),
            read.en.eq(advance),
            write.addr.eq(base + oldest),
            write.data.eq(self.source.payload.data[0]),
            write.en.eq(last),
        ]
        return Value.cast(read.data)

    def _fresh(self, m: Module, tap: Value, whole: Value) -> Value:
        """Whether the token that the tap meets belongs to this frame: whether so many came before."""
        older = self._kernel - 1
        count = Signal(range(max(older + 1, 2)))
        age = Mux(self.source.payload.first, 0, count)
        with m.If(whole):
            m.d.sync += count.eq(Mux(age == older, older, age + 1))
        return Value.cast(older - tap <= age)
