"""The depthwise causal convolution stage: a delay line of tokens, tapped once a token."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Convolution
from emamba.rtl.pipeline import counter, delayed, rom, total
from emamba.rtl.rounding import requantize_channels
from emamba.rtl.stream import Exit, beats, elements


class ConvolutionStage(wiring.Component):
    """Repeats `graph.golden.convolution`.

    The same channel of the token before lies as many beats back as a token has, so the window is a
    plain shift register. Taps older than the frame are zero by a count of tokens.

    Parameters: `op`, element type of its `source`, and `lanes` channels a beat; `lanes * kernel`
    multipliers. Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: Convolution, source: Integer, lanes: int) -> None:
        self._op, self._source, self._lanes = op, source, lanes
        self._beats = op.channels // lanes
        super().__init__({"source": In(beats(source, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Shift the window; multiply taps; add them and the bias; round and saturate."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        advance = exit_.advance
        kernel = self._op.weight.shape[1]
        step = Signal()
        m.d.comb += [self.source.ready.eq(advance), step.eq(self.source.valid & advance), self.busy.eq(step)]
        place, last = counter(m, self._beats, step)
        age = self._age(m, step, last, kernel)

        window = self._window(m, step, kernel)
        weights = rom(
            m,
            "weight",
            list(self._op.weight.reshape(self._beats, -1)),
            Integer.holding(self._op.weight),
            place,
            advance,
        )
        fresh = [delayed(m, advance, age >= back) for back in range(1, kernel)]
        sums, cycles = [], 0
        for lane in range(self._lanes):
            older = [Mux(valid, tap[lane], 0) for valid, tap in zip(fresh, window[1:], strict=True)]
            taps = [window[0][lane], *older]
            row = weights[lane * kernel : (lane + 1) * kernel][::-1]
            products = delayed(m, advance, [Value.cast(a * b) for a, b in zip(taps, row, strict=True)])
            value, cycles = total(m, advance, products)
            sums.append(value)
        bias_place = delayed(m, advance, Value.cast(place), cycles + 1)
        bias = rom(
            m, "bias", list(self._op.bias.reshape(self._beats, -1)), Integer.holding(self._op.bias), bias_place, advance
        )
        sums = [value + offset for value, offset in zip(sums, bias, strict=True)]
        valid = delayed(m, advance, Value.cast(self.source.valid), cycles + 2, reset=True)
        first = delayed(m, advance, Value.cast(self.source.payload.first), cycles + 2)
        shift = self._op.shift.reshape(self._beats, -1)
        exit_.load(valid, requantize_channels(m, sums, shift, self._op.dtype, bias_place, advance), first)
        return m

    def _age(self, m: Module, step: Value, last: Value, kernel: int) -> Value:
        """Tokens of this frame before the one at the input, as far as the kernel looks back."""
        count = Signal(range(max(kernel, 2)))
        age = Mux(self.source.payload.first, 0, count)
        with m.If(step & last & (age != kernel - 1)):
            m.d.sync += count.eq(age + 1)
        with m.If(step & last & (age == kernel - 1)):
            m.d.sync += count.eq(age)
        return Value.cast(age)

    def _window(self, m: Module, step: Value, kernel: int) -> list[list[Value]]:
        """For each step back in tokens, the elements of the beat's channels, one move late."""
        line: list[list[Value]] = [elements(self.source, self._lanes)]
        for _ in range((kernel - 1) * self._beats + 1):
            line.append(delayed(m, step, line[-1]))
        return line[1 :: self._beats]
