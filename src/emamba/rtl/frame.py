"""Stages that make one token of a frame: pooling and flattening."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Flatten, Pool
from emamba.rtl.fixed import requantize, shape
from emamba.rtl.pipeline import counter, delayed
from emamba.rtl.stream import Exit, beats, elements


class PoolStage(wiring.Component):
    """Repeats `graph.golden.execute` for `Pool`.

    Sums circulate in a ring of one place a beat; the frame's last token sends them out.
    Parameters: `tokens` of a frame, the type `accumulator` of the sums, `lanes` elements a beat.
    Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: Pool, source: Integer, accumulator: Integer, tokens: int, lanes: int) -> None:
        self._op, self._accumulator, self._tokens, self._lanes = op, accumulator, tokens, lanes
        self._beats = op.channels // lanes
        super().__init__({"source": In(beats(source, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Add to the oldest place of the ring; the newest goes out in the last token."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        advance = exit_.advance
        step = Signal()
        m.d.comb += [self.source.ready.eq(advance), step.eq(self.source.valid & advance), self.busy.eq(step)]
        _, last_beat = counter(m, self._beats, step)
        token = Signal(range(max(self._tokens, 2)))
        now = Mux(self.source.payload.first, 0, token)
        with m.If(step & last_beat):
            m.d.sync += token.eq(now + 1)

        newest: list[Value] = []
        for x in elements(self.source, self._lanes):
            ring = [Signal(shape(self._accumulator), reset_less=True) for _ in range(self._beats)]
            with m.If(step):
                m.d.sync += ring[0].eq(Mux(self.source.payload.first, 0, ring[-1]) + x)
                m.d.sync += [after.eq(before) for before, after in pairwise(ring)]
            newest.append(ring[0])
        done = delayed(m, advance, Value.cast(self.source.valid & (now == self._tokens - 1)), reset=True)
        sums = [requantize(m, value, self._op.shift, self._op.dtype) for value in newest]
        exit_.load(done, sums, Value.cast(True))
        return m


class FlattenStage(wiring.Component):
    """Repeats `graph.golden.execute` for `Flatten`: beats already follow in order, so only `first` changes.

    Timing: no latency; `channels / lanes` cycles a frame.
    """

    def __init__(self, op: Flatten, lanes: int) -> None:
        super().__init__({"source": In(beats(op.dtype, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Every beat of the one token is in the frame's first token."""
        m = Module()
        m.d.comb += [
            self.output.payload.data.eq(self.source.payload.data),
            self.output.payload.first.eq(1),
            self.output.valid.eq(self.source.valid),
            self.source.ready.eq(self.output.ready),
            self.busy.eq(self.source.valid & self.source.ready),
        ]
        return m
