"""Properties of the adaptors between AXI4-Stream and the core, as circuits that `proofs.prove` proves.

A harness remembers what went in and has not left, as `proofs.Harness` does; inputs may have any value in any cycle, a
source may even withdraw what it offered, and there may be a reset at any time, which empties both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Assert, Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring

from emamba.rtl.design import Port
from proofs import lively, waits


@dataclass(eq=False)
class IngressHarness(Elaboratable):
    """Each packet is one whole frame: its beats as far as there is room, then zeros; and one flag, its length's.

    One beat is inside at most, and the flags of `frames` frames, whose last beat is at the output or has left. Where
    there is room for another flag, what is inside is offered a cycle later, and with a ready core no packet waits
    longer than a frame takes.
    """

    component: Any
    port: Port
    frames: int

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        it = self.component
        return [it.tdata, it.tvalid, it.tlast, it.output.ready, it.wrong.ready]

    def elaborate(self, platform: object) -> Module:
        """The packet that enters, the frame that leaves, and the flags."""
        m = Module()
        m.submodules.component = it = self.component
        taken, left = it.tvalid & it.tready, it.output.valid & it.output.ready
        waits(m, it.output, Assert)
        waits(m, it.wrong, Assert)
        size = self.port.frame_beats
        place, leaving = Signal(range(size + 1)), Signal(range(size))  # in the packet, in the frame
        with m.If(taken):
            m.d.sync += place.eq(Mux(it.tlast, 0, Mux(place == size, size, place + 1)))
        with m.If(left):
            m.d.sync += leaving.eq(Mux(leaving == size - 1, 0, leaving + 1))
        ends = taken & (place < size) & (it.tlast | (place == size - 1))
        wrong = it.tlast != (place == size - 1)
        owes = self._kept(m, it.output, taken & (place < size), ends, leaving)
        pending = self._flagged(m, it.wrong, ends, wrong, it.output.valid & (leaving == size - 1), left)
        error = Signal()
        m.d.sync += error.eq(ends & wrong)
        m.d.comb += Assert(it.error == error)
        room = pending < self.frames
        lively(m, it.tvalid & ~it.tready & it.output.ready & room, size)
        lively(m, ~it.output.valid & owes & room, 1)
        return m

    def _kept(self, m: Module, output: stream.Interface, enters: Value, ends: Value, leaving: Signal) -> Value:
        """What leaves is the beat inside, or zeros behind a packet's last one; whether there is something to leave."""
        lanes, bits = range(self.port.lanes), self.port.dtype.bits
        width = 8 * self.port.element_bytes
        offered = Cat(self.component.tdata[lane * width :][:bits] for lane in lanes)
        inside, full, final, filling = Signal(len(offered)), Signal(), Signal(), Signal()
        left = output.valid & output.ready
        with m.If(left):
            m.d.sync += filling.eq((filling | final) & (leaving != self.port.frame_beats - 1))
        m.d.sync += full.eq(enters | (full & ~(left & ~filling)))
        with m.If(enters):
            m.d.sync += [inside.eq(offered), final.eq(ends)]
        with m.Elif(left):
            m.d.sync += final.eq(0)
        m.d.comb += [
            Assert(~enters | ~full | (left & ~filling)),
            Assert(~output.valid | filling | full),
            Assert(~output.valid | (Value.cast(output.payload.data) == Mux(filling, 0, inside))),
            Assert(~output.valid | (output.payload.first == (leaving < self.port.beats))),
        ]
        return full | filling

    def _flagged(
        self, m: Module, port: stream.Interface, ends: Value, wrong: Value, complete: Value, left: Value
    ) -> Value:
        """Flags are there from the last beat of their frames on; for how many frames."""
        popped, room = port.valid & port.ready, self.frames + 1
        queue = [Signal(name=f"flag_{place}") for place in range(room)]
        level, gone = Signal(range(room + 1)), Signal(range(-1, room + 1))
        now = [Mux(ends & (level == place), wrong, value) for place, value in enumerate(queue)]
        for value, kept, later in zip(queue, now, [*now[1:], 0], strict=True):
            m.d.sync += value.eq(Mux(popped, later, kept))
        m.d.sync += [level.eq(level + ends - popped), gone.eq(gone + (complete & left) - popped)]
        pending = gone + complete
        m.d.comb += [
            Assert(port.valid == (pending > 0)),
            Assert(~port.valid | ((level > 0) & (port.payload == queue[0]))),
            Assert(pending <= self.frames),
            Assert(level + ends - popped <= room),
        ]
        return pending


@dataclass(eq=False)
class EgressHarness(Elaboratable):
    """Each frame is one packet: its elements extended, TLAST in its last beat only, and there its flag in TUSER.

    Two beats are inside at most, and one flag. What is inside is offered a cycle later, whether the sink is ready or
    not, a last beat when its flag is there.
    """

    component: Any
    port: Port

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        it = self.component
        return [it.source.valid, Value.cast(it.source.payload), it.wrong.valid, it.wrong.payload, it.tready]

    def elaborate(self, platform: object) -> Module:
        """The beats inside, the place in the frame, and the flag."""
        m = Module()
        m.submodules.component = it = self.component
        pushed, popped = it.source.valid & it.source.ready, it.tvalid & it.tready
        payload, before, blocked = Cat(it.tdata, it.tlast, it.tuser), Signal(len(it.tdata) + 2), Signal()
        m.d.sync += [before.eq(payload), blocked.eq(it.tvalid & ~it.tready)]
        last, level = self._placed(m, popped), Signal(range(3))
        queue = Array(Signal(len(it.source.payload.data.as_value()), name=f"inside_{place}") for place in range(2))
        now = [Mux(pushed & (level == place), it.source.payload.data.as_value(), queue[place]) for place in range(2)]
        m.d.sync += [queue[0].eq(Mux(popped, now[1], now[0])), queue[1].eq(now[1])]
        m.d.sync += level.eq(level + pushed - popped)
        has, flag = Signal(), Signal()
        flagged = it.wrong.valid & it.wrong.ready
        m.d.sync += [has.eq(flagged | (has & ~(popped & last))), flag.eq(Mux(flagged, it.wrong.payload, flag))]
        m.d.comb += [
            Assert(~blocked | (it.tvalid & (payload == before))),
            Assert(~it.tvalid | ((level > 0) & (it.tdata == self._extended(queue[0])))),
            Assert(~it.tvalid | (it.tlast == last)),
            Assert(~it.tvalid | (it.tuser == (last & flag))),
            Assert(~(it.tvalid & last) | has),
            Assert(~flagged | ~has | (popped & last)),
            Assert(level + pushed - popped <= 2),
        ]
        lively(m, ~it.tvalid & (it.source.valid | (level > 0)) & (~last | it.wrong.valid), 1)
        return m

    def _placed(self, m: Module, popped: Value) -> Value:
        """Whether the beat that leaves next is the last one of its frame."""
        place, size = Signal(range(self.port.frame_beats)), self.port.frame_beats
        with m.If(popped):
            m.d.sync += place.eq(Mux(place == size - 1, 0, place + 1))
        return place == size - 1

    def _extended(self, elements: Value) -> Value:
        """`elements` in bytes of their own, with their signs if they have any, and zeros above."""
        bits, width = self.port.dtype.bits, 8 * self.port.element_bytes
        fills = [elements[(lane + 1) * bits - 1] & self.port.dtype.signed for lane in range(self.port.lanes)]
        return Cat(
            Cat(elements[lane * bits : (lane + 1) * bits], fill.replicate(width - bits))
            for lane, fill in enumerate(fills)
        )


@dataclass(eq=False)
class EndsHarness(Elaboratable):
    """Both adaptors around a core that keeps beats for a while: they never stall each other.

    A packet that is offered while the sink is ready moves on within `patience` cycles, or something leaves.
    """

    ingress: Any
    core: Any
    egress: Any
    patience: int

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        return [self.ingress.tdata, self.ingress.tvalid, self.ingress.tlast, self.egress.tready]

    def elaborate(self, platform: object) -> Module:
        """Streams as in `AxiStreamTop`."""
        m = Module()
        m.submodules.ingress, m.submodules.core, m.submodules.egress = self.ingress, self.core, self.egress
        wiring.connect(m, self.ingress.output, self.core.source)
        wiring.connect(m, self.core.output, self.egress.source)
        wiring.connect(m, self.ingress.wrong, self.egress.wrong)
        waiting = self.ingress.tvalid & ~self.ingress.tready & self.egress.tready & ~self.egress.tvalid
        lively(m, waiting, self.patience)
        return m
