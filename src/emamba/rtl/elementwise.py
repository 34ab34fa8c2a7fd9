"""Stages that work element by element: activation, product, sum."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Activation, Add, Multiply
from emamba.rtl import curve
from emamba.rtl.fixed import requantize
from emamba.rtl.pipeline import delayed
from emamba.rtl.stream import Exit, beats, elements


class ActivationStage(wiring.Component):
    """Repeats `graph.golden.execute` for `Activation`: one look-up a lane.

    Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: Activation, source: Integer, lanes: int) -> None:
        self._op, self._lanes = op, lanes
        super().__init__({"source": In(beats(source, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Look up each element."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        advance = exit_.advance
        cycles = curve.cycles(self._op.curve)
        values = [
            curve.look_up(m, f"lane_{lane}", self._op.curve, x, advance)
            for lane, x in enumerate(elements(self.source, self._lanes))
        ]
        valid = delayed(m, advance, Value.cast(self.source.valid), cycles, reset=True)
        m.d.comb += [self.source.ready.eq(advance), self.busy.eq(self.source.valid & advance)]
        exit_.load(valid, values, delayed(m, advance, Value.cast(self.source.payload.first), cycles))
        return m


class PairStage(wiring.Component):
    """Repeats `graph.golden.execute` for `Multiply` (one multiplier a lane) and `graph.golden.add`.

    Timing: `channels / lanes` cycles a token.
    """

    def __init__(self, op: Multiply | Add, left: Integer, right: Integer, lanes: int) -> None:
        self._op, self._lanes = op, lanes
        ports = {"left": In(beats(left, lanes)), "right": In(beats(right, lanes))}
        super().__init__({**ports, "output": Out(beats(op.dtype, lanes)), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Take a beat of each when both are there; hold both; combine; round and saturate."""
        m = Module()
        exit_ = Exit(m, self.output, self._op.dtype, self._lanes)
        both = Signal()
        m.d.comb += [
            both.eq(self.left.valid & self.right.valid & exit_.advance),
            self.left.ready.eq(both),
            self.right.ready.eq(both),
            self.busy.eq(both),
        ]
        held = [delayed(m, exit_.advance, elements(port, self._lanes)) for port in (self.left, self.right)]
        combined = delayed(m, exit_.advance, [_combined(self._op, a, b) for a, b in zip(*held, strict=True)])
        valid = delayed(m, exit_.advance, Value.cast(both), 2, reset=True)
        first = delayed(m, exit_.advance, Value.cast(self.left.payload.first), 2)
        exit_.load(valid, [requantize(m, value, self._op.shift, self._op.dtype) for value in combined], first)
        return m


def _combined(op: Multiply | Add, left: Value, right: Value) -> Value:
    """The exact product, or the exact sum at the common scale."""
    if isinstance(op, Multiply):
        return Value.cast(left * right)
    return Value.cast(Value.cast(left.shift_left(op.left_shift)) + right.shift_left(op.right_shift))
