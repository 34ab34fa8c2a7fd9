"""Stages that make one token of several: pooling and flattening."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Flatten, Pool
from emamba.rtl.fixed import requantize, shape
from emamba.rtl.pipeline import counter, delayed
from emamba.rtl.stream import Exit, beats, elements, moves


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

    Parameters: `op`, `tokens` of a frame that leave, `lanes` elements a beat.
    Timing: no latency; `channels / lanes` cycles a token that leaves.
    """

    def __init__(self, op: Flatten, tokens: int, lanes: int) -> None:
        self._beats, self._tokens = op.channels // lanes, tokens
        super().__init__({"source": In(beats(op.dtype, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The frame's only token is its first; otherwise a token's first beat tells for all of them."""
        m = Module()
        m.d.comb += [
            self.output.payload.data.eq(self.source.payload.data),
            self.output.payload.first.eq(self._first(m) if self._tokens > 1 else 1),
            self.output.valid.eq(self.source.valid),
            self.source.ready.eq(self.output.ready),
            self.busy.eq(moves(self.source)),
        ]
        return m

    def _first(self, m: Module) -> Value:
        """`first` of the beat with which the token began."""
        place, _ = counter(m, self._beats, moves(self.source))
        begun = Signal()
        first = Mux(place == 0, self.source.payload.first, begun)
        with m.If(moves(self.source)):
            m.d.sync += begun.eq(first)
        return Value.cast(first)
