"""The look-up stage: a table in a memory, of which each token picks a row."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Lookup
from emamba.rtl.fixed import times
from emamba.rtl.loading import Weights
from emamba.rtl.pipeline import counter, delayed
from emamba.rtl.stream import Exit, beats, moves
from emamba.rtl.weights import Region, lookup


class LookupStage(wiring.Component):
    """Repeats `graph.golden.execute` for `Lookup`: a token of one element is held while its row leaves beat by beat.

    Parameters: `op`, element type of its `source`, `lanes` elements a beat; with `regions` by array, the table lies in
    a memory with a port `load`, else it is constant.
    Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: Lookup, source: Integer, lanes: int, regions: Mapping[str, Region] | None = None) -> None:
        self._op, self._lanes, self._beats = op, lanes, op.channels // lanes
        self._table = Weights(op, regions or lookup(op, lanes), bool(regions))
        ports = {"source": In(beats(source, 1)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)}
        super().__init__({**ports, **self._table.members})

    def elaborate(self, platform: object) -> Module:
        """Hold a token; read its row, a word a step."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        advance = exit_.advance
        held = Signal.like(self.source.payload, reset_less=True)
        waiting, step = Signal(), Signal()
        place, last = counter(m, self._beats, step)
        m.d.comb += [
            step.eq(waiting & advance),
            self.busy.eq(step),
            self.source.ready.eq(~waiting | (step & last)),
        ]
        with m.If(step & last):
            m.d.sync += waiting.eq(0)
        with m.If(moves(self.source)):
            m.d.sync += [waiting.eq(1), held.eq(self.source.payload)]

        address = Value.cast(times(held.data[0], self._beats) + place)
        values = self._table.read(m, self, "table", address, advance)
        valid = delayed(m, advance, Value.cast(waiting), reset=True)
        exit_.load(valid, values, delayed(m, advance, Value.cast(held.first)))
        return m
