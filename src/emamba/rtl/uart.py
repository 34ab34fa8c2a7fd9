"""The accelerator behind a serial line: bytes in are frames, and results are bytes out.

A byte is 8N1: a start bit, eight bits, lowest first, a stop bit. What goes over the line are elements and nothing else,
each in `Port.element_bytes` bytes, lowest first, in the order of the tensor: each frame has as many bytes, and so has
each result. A byte without its stop bit, as a break is one, resets all but the receiver: behind it a frame begins.
"""

from __future__ import annotations

from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.rtl import loading
from emamba.rtl.design import Design
from emamba.rtl.link import Link
from emamba.rtl.pipeline import counter
from emamba.rtl.stream import beats, moves

_BYTE = Integer(8, signed=False)
_ERRORS = "frame_error", "frame_error_sticky"  # There are none: beats are counted here.
_BLOCK_BYTES = 2048  # of block RAM, of which there is no less than one block


def serial_top(design: Design, bit_cycles: int) -> str:
    """RTLIL of the module `design.serial_top`, which has an instance of the module `design.stream_top`."""
    return rtlil.convert(SerialTop(design, bit_cycles), name=design.serial_top, emit_src=False)


def serial_room(design: Design) -> int:
    """Bytes that may be on their way, sent and without an answer: two frames at least, so that the line never rests."""
    return max(_BLOCK_BYTES, 1 << (2 * design.input.frame_bytes - 1).bit_length())


class SerialTop(wiring.Component):
    """The AXI4-Stream top of `design` between two wires, with a bit in `bit_cycles` cycles.

    Members: `clk`; `rx`, asynchronous, and `tx`, which are 1 at rest; `alive`, which is 1. It begins in reset, and
    leaves that when `rx` is 1.
    Timing: a line has no ready. So there is a FIFO of `serial_room` bytes; a byte beyond is lost. Weights that could be
    loaded stay those of the design.
    """

    def __init__(self, design: Design, bit_cycles: int) -> None:
        self._design, self._bit_cycles = design, bit_cycles
        super().__init__({"clk": In(1), "rx": In(1), "tx": Out(1), "alive": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Receiver, FIFO, beats, core, bytes, transmitter. `pins` is the same clock without the reset."""
        m = Module()
        m.domains.sync, m.domains.pins = ClockDomain("sync"), ClockDomain("pins", reset_less=True)
        source, sink = self._design.input, self._design.output
        m.submodules.receiver = receiver = DomainRenamer("pins")(Receiver(self._bit_cycles))
        m.submodules.widen = widen = Link(_BYTE, 1, source.lanes * source.element_bytes, serial_room(self._design))
        m.submodules.narrow = narrow = Link(_BYTE, sink.lanes * sink.element_bytes, 1, 0)
        m.submodules.transmitter = transmitter = Transmitter(self._bit_cycles)
        wiring.connect(m, narrow.output, transmitter.source)
        _, last = counter(m, source.frame_beats, moves(widen.output))
        result = Signal(8 * sink.beat_bytes)
        unused: dict[str, Any] = {f"i_load__{name}": Const(0) for name in loading.names(self._design.regions)}
        m.submodules.streams = Instance(
            self._design.stream_top,
            i_aclk=ClockSignal(),
            i_aresetn=~ResetSignal(),
            i_s_axis_tdata=Cat(widen.output.payload.data, Const(0, 8 * source.beat_bytes))[: 8 * source.beat_bytes],
            i_s_axis_tvalid=widen.output.valid,
            o_s_axis_tready=widen.output.ready,
            i_s_axis_tlast=last,
            o_m_axis_tdata=result,
            o_m_axis_tvalid=narrow.source.valid,
            i_m_axis_tready=narrow.source.ready,
            **{f"o_{name}": Signal(name=name) for name in ("m_axis_tlast", "m_axis_tuser", *_ERRORS)},
            **unused,
        )
        m.d.comb += [
            ClockSignal().eq(self.clk),
            ClockSignal("pins").eq(self.clk),
            ResetSignal().eq(receiver.broken),
            receiver.line.eq(self.rx),
            widen.source.payload.data[0].eq(receiver.data),
            widen.source.valid.eq(receiver.valid),
            Value.cast(narrow.source.payload.data).eq(result),
            self.tx.eq(transmitter.line),
            self.alive.eq(1),
        ]
        return m


class Receiver(wiring.Component):
    """Bytes from a line.

    Parameter: `bit_cycles`, 4 or more. Members: `line`, asynchronous; `data`, a byte while `valid`, for one cycle;
    `broken`, from the beginning and from a byte without stop bit, until the line is 1 for half a bit.
    Timing: bits are looked at in their middle; the next byte may begin half a bit early.
    """

    def __init__(self, bit_cycles: int) -> None:
        self._bit_cycles = bit_cycles
        super().__init__(
            {"line": In(1), "data": Out(8), "valid": Out(1), "broken": Out(1, init=1)},
        )

    def elaborate(self, platform: object) -> Module:
        """`left` bits are to come, the next one in `wait` cycles."""
        m = Module()
        line, left, wait, half = Signal(), Signal(range(11)), Signal(range(self._bit_cycles)), self._bit_cycles // 2 - 1
        m.submodules.synchronizer = FFSynchronizer(self.line, line, init=0)
        m.d.sync += [self.valid.eq(0), wait.eq(wait - 1)]
        with m.If(self.broken):
            with m.If(~line):
                m.d.sync += wait.eq(half)
            with m.Elif(wait == 0):
                m.d.sync += self.broken.eq(0)
        with m.Elif(left == 0):
            m.d.sync += wait.eq(half)
            with m.If(~line):
                m.d.sync += left.eq(10)
        with m.Elif(wait == 0):
            m.d.sync += [wait.eq(self._bit_cycles - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [self.valid.eq(line), self.broken.eq(~line)]
            with m.Elif((left == 10) & line):  # a spike, not a start bit
                m.d.sync += left.eq(0)
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class Transmitter(wiring.Component):
    """Bytes onto a line.

    Parameter: `bit_cycles`. Members: `source`, beats of a byte; `line`.
    Timing: ten bits a byte, and one cycle more.
    """

    def __init__(self, bit_cycles: int) -> None:
        self._bit_cycles = bit_cycles
        super().__init__({"source": In(beats(_BYTE, 1)), "line": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """`rest` are the bits behind the one on the line, with ones behind them; `left` bits have not ended."""
        m = Module()
        rest, left, wait = Signal(8), Signal(range(11)), Signal(range(self._bit_cycles))
        m.d.comb += self.source.ready.eq(left == 0)
        m.d.sync += wait.eq(wait - 1)
        with m.If(moves(self.source)):
            m.d.sync += [self.line.eq(0), rest.eq(self.source.payload.data[0]), left.eq(10)]
            m.d.sync += wait.eq(self._bit_cycles - 1)
        with m.Elif((left != 0) & (wait == 0)):
            m.d.sync += [self.line.eq(rest[0]), rest.eq(Cat(rest[1:], Const(1, 1))), left.eq(left - 1)]
            m.d.sync += wait.eq(self._bit_cycles - 1)
        return m
