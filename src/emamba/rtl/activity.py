"""Whether an accelerator has anything to do."""

from __future__ import annotations

from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.rtl.pipeline import counter

_FRAMES_BITS = 16  # of the number of frames inside: with so many, each would have less than a register


class Activity(wiring.Component):
    """Tells when the clock of an accelerator may stop: no beat is offered, no frame is inside, no weight on its way.

    Parameters: beats of a frame at both ends. Members: `valid` and `ready` of the streams `input` and `output`;
    `written`, high when a weight is; `active`.
    Timing: `active` follows `input_valid`, `written` and the reset in the same cycle. Its own registers may stand still
    with all others.
    """

    def __init__(self, input_beats: int, output_beats: int) -> None:
        self._beats = input_beats, output_beats
        flags = ("input_valid", "input_ready", "output_valid", "output_ready", "written")
        super().__init__({**{name: In(1) for name in flags}, "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Frames that have begun to enter, less those that have left."""
        m = Module()
        taken, given = self.input_valid & self.input_ready, self.output_valid & self.output_ready
        place, _ = counter(m, self._beats[0], taken)
        _, last = counter(m, self._beats[1], given)
        inside = Signal(_FRAMES_BITS)
        arriving = Signal()  # a weight, from the port to its memory
        m.d.sync += [
            inside.eq(inside + (taken & (place == 0)) - (given & last)),
            arriving.eq(self.written),
        ]
        m.d.comb += self.active.eq(ResetSignal() | self.input_valid | (inside != 0) | self.written | arriving)
        return m
