"""Properties of stream components, as circuits, and their proof for all inputs and any number of cycles.

A harness plays source and sink, which may do anything that the rules of streams allow, and remembers the elements
that are inside. Yosys makes an and-inverter graph of it, ABC proves by property-directed reachability that no
reachable state breaks an assertion: no bound, no invariant given by hand.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Any

import pyosys
from amaranth.back import rtlil
from amaranth.hdl import Array, Assert, Assume, Cat, Elaboratable, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from emamba import files
from emamba.eda.process import run
from emamba.eda.yosys import yosys
from emamba.fixed import Integer
from emamba.rtl.stream import Exit, beats, elements

BIT = Integer(1, signed=False)

_PASSES = (
    "read_rtlil proof.il",
    "hierarchy -auto-top",
    "proc",
    "flatten",
    "memory -nomap",
    "memory_map",
    "opt_clean",
    "async2sync",
    "chformal -lower",
    "techmap",
    "setundef -anyseq",
    "dffunmap",
    "opt_clean",
    "aigmap",
    "write_aiger -zinit proof.aig",
)


@dataclass(frozen=True)
class Verdict:
    """Whether every assertion holds in every reachable state, and what ABC said."""

    proved: bool
    said: str


def prove(harness: Any, seconds: int = 60) -> Verdict:
    """The verdict of ABC on the assertions of `harness`; an error if it is none within `seconds`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / "proof.il", rtlil.convert(harness, name="proof", ports=harness.free, emit_src=False))
        yosys(_PASSES, folder)
        abc = str(Path(pyosys.__file__).parent / "yosys-abc")
        said = run(
            [abc, "-c", f"read_aiger proof.aig; fold; strash; pdr -T {seconds}"], folder, "", timeout_s=2 * seconds
        )
    proved, broken = "Property proved" in said, re.search(r"was asserted in frame", said)
    assert proved != bool(broken), said
    return Verdict(proved, said)


@dataclass(eq=False)
class Harness(Elaboratable):
    """A component with one source and one output, between which nothing but the size of beats changes.

    Elements enter `lanes` and leave `wanted` a beat; at most `room` are inside. With a ready sink, an output beat is
    there after `patience` cycles in which the source offers something, or enough for it is inside.
    """

    component: Any
    lanes: int
    wanted: int
    room: int
    patience: int

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        source = self.component.source
        return [source.valid, Value.cast(source.payload), self.component.output.ready]

    def elaborate(self, platform: object) -> Module:
        """Free ports, assumptions about the source, assertions about the output, and the elements inside."""
        m = Module()
        m.submodules.component = component = self.component
        m.d.comb += Assume(~ResetSignal())
        source, output = component.source, component.output
        self._offered(m, source)
        waits(m, source, Assume)
        waits(m, output, Assert)
        self._kept(m, source, output)
        return m

    def _offered(self, m: Module, source: stream.Interface) -> None:
        """All beats of a token have the same `first`; a token is at least what both sizes of beats divide."""
        place, first = Signal(range(self._group)), Signal()
        with m.If(source.valid & source.ready):
            m.d.sync += [
                place.eq(Mux(place + self.lanes == self._group, 0, place + self.lanes)),
                first.eq(source.payload.first),
            ]
        m.d.comb += Assume((place == 0) | (source.payload.first == first))

    @property
    def _group(self) -> int:
        return lcm(self.lanes, self.wanted)

    def _kept(self, m: Module, source: stream.Interface, output: stream.Interface) -> None:
        """What leaves is what entered first and has not left."""
        pushed, popped = source.valid & source.ready, output.valid & output.ready
        queue = [Signal(2, name=f"inside_{place}") for place in range(self.room)]
        level = Signal(range(self.room + 1))
        entering = [Cat(source.payload.data[lane], source.payload.first) for lane in range(self.lanes)]
        entered = level + Mux(pushed, self.lanes, 0)
        now = [Signal(2, name=f"now_{place}") for place in range(self.room + self.lanes)]
        for place, value in enumerate(now):
            arriving = Array(entering)[place - level] if self.lanes > 1 else entering[0]
            m.d.comb += value.eq(Mux(place < level, queue[min(place, self.room - 1)], arriving))
        left = Mux(popped, self.wanted, 0)
        for place, value in enumerate(queue):
            later = now[place + self.wanted] if place + self.wanted < len(now) else 0
            m.d.sync += value.eq(Mux(popped, later, now[place]))
        m.d.sync += level.eq(entered - left)
        expected = Cat(value[0] for value in now[: self.wanted])
        m.d.comb += [
            Assert(~output.valid | (entered >= self.wanted)),
            Assert(~output.valid | (Value.cast(output.payload.data) == expected)),
            Assert(~output.valid | (output.payload.first == now[0][1])),
            Assert(entered - left <= self.room),
        ]
        across = self._group > max(self.lanes, self.wanted)  # then only whole groups go on
        enough = level >= (self._group if across else self.wanted)
        lively(m, output.ready & ~output.valid & (source.valid | enough), self.patience)


@dataclass(eq=False)
class ReplayHarness(Harness):
    """Each token of `count` beats leaves `times` times, and makes room when it left for the last time."""

    count: int
    times: int

    @property
    def _group(self) -> int:
        return self.count

    def _kept(self, m: Module, source: stream.Interface, output: stream.Interface) -> None:
        pushed, popped = source.valid & source.ready, output.valid & output.ready
        queue = [Signal(2, name=f"inside_{place}") for place in range(self.room)]
        level, place, time = Signal(range(self.room + 1)), Signal(range(self.count)), Signal(range(self.times))
        with m.If(popped):
            m.d.sync += place.eq(Mux(place == self.count - 1, 0, place + 1))
            with m.If(place == self.count - 1):
                m.d.sync += time.eq(Mux(time == self.times - 1, 0, time + 1))
        leaves = popped & (place == self.count - 1) & (time == self.times - 1)
        now = [Mux(pushed & (level == index), Value.cast(source.payload), value) for index, value in enumerate(queue)]
        for value, kept, later in zip(queue, now, [*now[self.count :], *[0] * self.count], strict=True):
            m.d.sync += value.eq(Mux(leaves, later, kept))
        m.d.sync += level.eq(level + pushed - Mux(leaves, self.count, 0))
        m.d.comb += [
            Assert(~output.valid | (place < level)),
            Assert(~output.valid | (Value.cast(output.payload) == Array(queue)[place])),
            Assert(~pushed | (level < self.room)),
        ]
        lively(m, output.ready & ~output.valid & (source.valid | (place < level)), self.patience)


@dataclass(eq=False)
class ForkHarness(Elaboratable):
    """Each beat of the source once to each of two outputs, while it waits there."""

    component: Any

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        source, outputs = self.component.source, (self.component.output_0, self.component.output_1)
        return [source.valid, Value.cast(source.payload), *(output.ready for output in outputs)]

    def elaborate(self, platform: object) -> Module:
        """Who has the beat that waits is remembered here too; nobody gets it twice, and it goes when all have it."""
        m = Module()
        m.submodules.component = component = self.component
        m.d.comb += Assume(~ResetSignal())
        source = component.source
        waits(m, source, Assume)
        goes = source.valid & source.ready
        for index, output in enumerate((component.output_0, component.output_1)):
            has, takes = Signal(name=f"has_{index}"), output.valid & output.ready
            waits(m, output, Assert)
            m.d.sync += has.eq((has | takes) & ~goes)
            m.d.comb += [
                Assert(output.valid == (source.valid & ~has)),
                Assert(~output.valid | (Value.cast(output.payload) == Value.cast(source.payload))),
                Assert(~goes | has | takes),
            ]
        lively(m, source.valid & ~source.ready & component.output_0.ready & component.output_1.ready, 0)
        return m


@dataclass(eq=False)
class FlattenHarness(Elaboratable):
    """Beats pass as they are, but all `count` beats of a token have the `first` of the first one (`single`: 1)."""

    component: Any
    count: int
    single: bool

    @property
    def free(self) -> list[Value]:
        """What may have any value in any cycle."""
        source = self.component.source
        return [source.valid, Value.cast(source.payload), self.component.output.ready]

    def elaborate(self, platform: object) -> Module:
        """A count of beats, and what the first of them said."""
        m = Module()
        m.submodules.component = component = self.component
        m.d.comb += Assume(~ResetSignal())
        source, output = component.source, component.output
        waits(m, source, Assume)
        waits(m, output, Assert)
        place, said = Signal(range(self.count)), Signal()
        first = Mux(place == 0, source.payload.first, said)
        with m.If(source.valid & source.ready):
            m.d.sync += [place.eq(Mux(place == self.count - 1, 0, place + 1)), said.eq(first)]
        m.d.comb += [
            Assert(output.valid == source.valid),
            Assert(source.ready == output.ready),
            Assert(Value.cast(output.payload.data) == Value.cast(source.payload.data)),
            Assert(~output.valid | (output.payload.first == (1 if self.single else first))),
        ]
        return m


class Register(wiring.Component):
    """Nothing but an exit of the given depth."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        super().__init__({"source": In(beats(BIT, 1)), "output": Out(beats(BIT, 1))})

    def elaborate(self, platform: object) -> Module:
        """A beat a move."""
        m = Module()
        exit_ = Exit(m, self.output, BIT, 1, self._depth)
        m.d.comb += self.source.ready.eq(exit_.advance)
        exit_.load(self.source.valid, elements(self.source, 1), self.source.payload.first)
        return m


def waits(m: Module, port: stream.Interface, kind: Any) -> None:
    """A beat that is not taken stays, as it is."""
    payload = Value.cast(port.payload)
    before, blocked = Signal(len(payload)), Signal()
    m.d.sync += [before.eq(payload), blocked.eq(port.valid & ~port.ready)]
    m.d.comb += kind(~blocked | (port.valid & (payload == before)))


def lively(m: Module, waiting: Value, patience: int) -> None:
    """`waiting` never lasts longer than `patience` cycles in a row."""
    cycles = Signal(range(patience + 2))
    with m.If(~waiting):
        m.d.sync += cycles.eq(0)
    with m.Elif(cycles <= patience):
        m.d.sync += cycles.eq(cycles + 1)
    m.d.comb += Assert(cycles <= patience)
