"""Token streams between components, and the small components that join, split and reshape them.

A beat carries `lanes` elements of a token and the flag `first`, which is high on all beats of the
first token of a frame. Ready and valid are those of `amaranth.lib.stream`.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.rtl.fixed import shape
from emamba.rtl.pipeline import counter


def beat(dtype: Integer, lanes: int) -> data.StructLayout:
    """Elements in the low bits, first element lowest; `first` on top."""
    return data.StructLayout({"data": data.ArrayLayout(shape(dtype), lanes), "first": 1})


def beats(dtype: Integer, lanes: int) -> stream.Signature:
    """A stream of beats."""
    return stream.Signature(beat(dtype, lanes))  # pyright: ignore[reportArgumentType]  a layout is a shape


def elements(port: stream.Interface, lanes: int) -> list[Value]:
    """The elements of the beat at `port`."""
    return [port.payload.data[lane] for lane in range(lanes)]


def moves(port: stream.Interface) -> Value:
    """Whether a beat passes `port` in this cycle."""
    return port.valid & port.ready


class Skid(wiring.Component):
    """A place for one beat, so that `source.ready` is a register.

    Timing: no latency while the output is ready; `source.valid` reaches `output.valid` directly.
    """

    def __init__(self, dtype: Integer, lanes: int) -> None:
        super().__init__({"source": In(beats(dtype, lanes)), "output": Out(beats(dtype, lanes))})

    def elaborate(self, platform: object) -> Module:
        """Keeps the beat that arrives while the output is blocked."""
        m = Module()
        kept = Signal.like(self.source.payload, reset_less=True)
        full = Signal()
        m.d.comb += [
            self.source.ready.eq(~full),
            self.output.valid.eq(full | self.source.valid),
            self.output.payload.eq(Mux(full, kept, self.source.payload)),
        ]
        with m.If(~full):
            m.d.sync += kept.eq(self.source.payload)
        m.d.sync += full.eq(self.output.valid & ~self.output.ready)
        return m


class Fifo(wiring.Component):
    """`depth` beats in a memory; ready and valid are registers or compares of registers."""

    def __init__(self, dtype: Integer, lanes: int, depth: int) -> None:
        self._depth = depth
        super().__init__({"source": In(beats(dtype, lanes)), "output": Out(beats(dtype, lanes))})

    def elaborate(self, platform: object) -> Module:
        """Wraps the buffered FIFO of the Amaranth library."""
        m = Module()
        m.submodules.memory = memory = SyncFIFOBuffered(width=len(Value.cast(self.source.payload)), depth=self._depth)
        m.d.comb += [
            memory.w_data.eq(self.source.payload),
            memory.w_en.eq(self.source.valid),
            self.source.ready.eq(memory.w_rdy),
            self.output.payload.eq(memory.r_data),
            self.output.valid.eq(memory.r_rdy),
            memory.r_en.eq(self.output.ready),
        ]
        return m


class Fork(wiring.Component):
    """Each beat once to each of `count` outputs, each at its own time.

    Members: `source`, `output_0` .. A beat leaves the source when its last taker took it.
    """

    def __init__(self, dtype: Integer, lanes: int, count: int) -> None:
        self._count = count
        outputs = {f"output_{index}": Out(beats(dtype, lanes)) for index in range(count)}
        super().__init__({"source": In(beats(dtype, lanes)), **outputs})

    def elaborate(self, platform: object) -> Module:
        """Remembers who has taken the beat that waits."""
        m = Module()
        outputs = [getattr(self, f"output_{index}") for index in range(self._count)]
        taken = Signal(self._count)
        takes = Signal(self._count)
        m.d.comb += takes.eq(taken | Cat(output.ready for output in outputs))
        m.d.comb += self.source.ready.eq(takes.all())
        for index, output in enumerate(outputs):
            m.d.comb += [
                output.payload.eq(self.source.payload),
                output.valid.eq(self.source.valid & ~Value.cast(taken[index])),
            ]
        with m.If(self.source.valid):
            m.d.sync += taken.eq(Mux(takes.all(), 0, takes))
        return m


class Widen(wiring.Component):
    """`ratio` beats of `lanes` elements as one; fills while the last wide beat still waits."""

    def __init__(self, dtype: Integer, lanes: int, ratio: int) -> None:
        self._ratio, self._lanes = ratio, lanes
        super().__init__({"source": In(beats(dtype, lanes)), "output": Out(beats(dtype, lanes * ratio))})

    def elaborate(self, platform: object) -> Module:
        """Shifts beats in from the top; the last one completes the wide beat in its register."""
        m = Module()
        incoming = Value.cast(self.source.payload.data)
        filled = Signal(len(incoming) * (self._ratio - 1), reset_less=True)
        count = Signal(range(self._ratio))
        last = count == self._ratio - 1
        m.d.comb += self.source.ready.eq(~Value.cast(last) | ~Value.cast(self.output.valid) | self.output.ready)
        with m.If(self.output.ready):
            m.d.sync += self.output.valid.eq(0)
        with m.If(moves(self.source)):
            m.d.sync += [count.eq(Mux(last, 0, count + 1)), filled.eq(Cat(filled, incoming)[len(incoming) :])]
            with m.If(last):
                m.d.sync += [
                    self.output.valid.eq(1),
                    Value.cast(self.output.payload.data).eq(Cat(filled, incoming)),
                    self.output.payload.first.eq(self.source.payload.first),
                ]
        return m


class Narrow(wiring.Component):
    """Each beat of `lanes * ratio` elements as `ratio` beats of `lanes`."""

    def __init__(self, dtype: Integer, lanes: int, ratio: int) -> None:
        self._ratio, self._bits = ratio, lanes * dtype.bits
        super().__init__({"source": In(beats(dtype, lanes * ratio)), "output": Out(beats(dtype, lanes))})

    def elaborate(self, platform: object) -> Module:
        """Shifts the wide beat down by one narrow beat at a time."""
        m = Module()
        rest = Signal(self._bits * self._ratio, reset_less=True)
        first = Signal(reset_less=True)
        left = Signal(range(self._ratio + 1))
        m.d.comb += [
            self.output.valid.eq(left != 0),
            Value.cast(self.output.payload.data).eq(rest[: self._bits]),
            self.output.payload.first.eq(first),
            self.source.ready.eq((left == 0) | ((left == 1) & self.output.ready)),
        ]
        with m.If(moves(self.output)):
            m.d.sync += [rest.eq(rest[self._bits :]), left.eq(left - 1)]
        with m.If(moves(self.source)):
            m.d.sync += [
                rest.eq(Value.cast(self.source.payload.data)),
                first.eq(self.source.payload.first),
                left.eq(self._ratio),
            ]
        return m


class Replay(wiring.Component):
    """Each token of `count` beats `times` times in a row, the first time as it arrives.

    A memory holds two tokens, so that the next one arrives while the last repetitions leave.
    Timing: two cycles from a beat in to that beat out.
    """

    def __init__(self, dtype: Integer, lanes: int, count: int, times: int) -> None:
        self._count, self._times = count, times
        super().__init__({"source": In(beats(dtype, lanes)), "output": Out(beats(dtype, lanes))})

    def elaborate(self, platform: object) -> Module:
        """`filled` beats lie in the memory, counted from the first one of the token that leaves."""
        m = Module()
        count, room = self._count, 2 * self._count
        m.submodules.memory = memory = Memory(shape=Shape(len(Value.cast(self.source.payload))), depth=room, init=[])
        write, read = memory.write_port(), memory.read_port()
        filled, at, base = Signal(range(room + 1)), Signal(range(count)), Signal()
        written, fetched, left = moves(self.source), Signal(), Signal()
        last_beat = at == count - 1
        place, _ = counter(m, room, Value.cast(written))
        _, last_time = counter(m, self._times, Value.cast(fetched & last_beat))
        m.d.comb += [
            self.source.ready.eq(filled != room),
            write.addr.eq(place),
            write.data.eq(Value.cast(self.source.payload)),
            write.en.eq(written),
            fetched.eq((at < filled) & (~Value.cast(self.output.valid) | self.output.ready)),
            left.eq(fetched & last_beat & last_time),
            read.addr.eq(at + Mux(base, count, 0)),
            read.en.eq(fetched),
            Value.cast(self.output.payload).eq(read.data),
        ]
        m.d.sync += [filled.eq(filled + written - Mux(left, count, 0)), base.eq(base ^ left)]
        with m.If(fetched):
            m.d.sync += [self.output.valid.eq(1), at.eq(Mux(last_beat, 0, at + 1))]
        with m.Elif(self.output.ready):
            m.d.sync += self.output.valid.eq(0)
        return m


class Exit:
    """The last register of a component, with a `Skid` or a `Fifo` behind it.

    `advance` tells the registers in front when to move; `load` says what the last one takes.
    """

    def __init__(self, m: Module, output: stream.Interface, dtype: Integer, lanes: int, depth: int = 0) -> None:
        self._m, self._dtype = m, dtype
        m.submodules.exit = buffer = Fifo(dtype, lanes, depth) if depth else Skid(dtype, lanes)
        self._port = buffer.source
        self.advance = Signal()
        m.d.comb += self.advance.eq(~self._port.valid | self._port.ready)
        wiring.connect(m, buffer.output, wiring.flipped(output))

    def load(self, valid: Value, values: list[Value], first: Value) -> None:
        """On `advance`, the register takes `values` and `first`, which count if `valid`."""
        with self._m.If(self.advance):
            self._m.d.sync += [self._port.valid.eq(valid), self._port.payload.first.eq(first)]
            self._m.d.sync += [self._port.payload.data[lane].eq(value) for lane, value in enumerate(values)]
