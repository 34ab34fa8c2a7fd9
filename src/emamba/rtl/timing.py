"""When beats move: the control of streams and what joins them, cycle by cycle, without data.

Each class repeats the ready, valid and counters of the component it is named after, so that cycles and latency
are those of the Verilog, exactly (`rtl.stage_timing` does that for the stages). In a cycle, first `offer` says which
outputs are valid, from sources to the output; then `accept` says which sources are ready, the other way; then `clock`
updates the registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Wire:
    """Valid and ready of one stream in the present cycle."""

    __slots__ = ("ready", "valid")

    def __init__(self) -> None:
        self.valid = self.ready = False

    @property
    def moves(self) -> bool:
        """Whether a beat passes."""
        return self.valid and self.ready


class Skid:
    """`stream.Skid`; also the stage of an input."""

    def __init__(self, source: Wire, output: Wire) -> None:
        self.source, self.output = source, output
        self._full = False

    def offer(self) -> None:
        """Valid passes; a kept beat goes first."""
        self.output.valid = self._full or self.source.valid

    def accept(self) -> None:
        """Ready is a register."""
        self.source.ready = not self._full

    def clock(self) -> None:
        """Keeps what the output does not take."""
        self._full = self.output.valid and not self.output.ready


class Fifo:
    """`stream.Fifo` of `depth` beats: a memory, and a register that is read."""

    def __init__(self, source: Wire, output: Wire, depth: int) -> None:
        self.source, self.output = source, output
        self._room = depth - 1
        self._level, self._read = 0, False

    def offer(self) -> None:
        """The register."""
        self.output.valid = self._read

    def accept(self) -> None:
        """Room in the memory; with one place, the register is the memory."""
        self.source.ready = self._level != self._room if self._room else not self._read

    def clock(self) -> None:
        """A beat in, a beat from the memory to the register, a beat out."""
        if not self._room:
            self._read = self.source.moves or (self._read and not self.output.ready)
            return
        free = not self._read or self.output.ready
        fetched = free and self._level > 0
        self._level += self.source.moves - fetched
        self._read = fetched or not free


class Fork:
    """`stream.Fork`."""

    def __init__(self, source: Wire, outputs: Sequence[Wire]) -> None:
        self.source, self.outputs = source, tuple(outputs)
        self._waiting = list(self.outputs)  # for the beat that is there

    def offer(self) -> None:
        """To those that have not taken the beat."""
        for output in self.outputs:
            output.valid = False
        for output in self._waiting:
            output.valid = self.source.valid

    def accept(self) -> None:
        """When the last one takes it."""
        self.source.ready = all(output.ready for output in self._waiting)

    def clock(self) -> None:
        """Remembers who does not have the beat that waits."""
        if self.source.valid:
            left = [output for output in self._waiting if not output.ready]
            self._waiting = left or list(self.outputs)


class Widen:
    """`stream.Widen`."""

    def __init__(self, source: Wire, output: Wire, ratio: int) -> None:
        self.source, self.output, self._ratio = source, output, ratio
        self._count, self._valid = 0, False

    def offer(self) -> None:
        """The wide register."""
        self.output.valid = self._valid

    def accept(self) -> None:
        """All but the last beat of a group always fit."""
        self.source.ready = self._count != self._ratio - 1 or not self._valid or self.output.ready

    def clock(self) -> None:
        """The last beat of a group completes the wide one."""
        if self.output.ready:
            self._valid = False
        if self.source.moves:
            self._count = (self._count + 1) % self._ratio
            self._valid = self._valid or self._count == 0


class Narrow:
    """`stream.Narrow`."""

    def __init__(self, source: Wire, output: Wire, ratio: int) -> None:
        self.source, self.output, self._ratio = source, output, ratio
        self._left = 0

    def offer(self) -> None:
        """As long as something is left."""
        self.output.valid = self._left > 0

    def accept(self) -> None:
        """When the last narrow beat goes."""
        self.source.ready = self._left == 0 or (self._left == 1 and self.output.ready)

    def clock(self) -> None:
        """One narrow beat less, or a new wide one."""
        self._left -= self.output.moves
        if self.source.moves:
            self._left = self._ratio


class Replay:
    """`stream.Replay`: tokens of `count` beats, each `times` times."""

    def __init__(self, source: Wire, output: Wire, count: int, times: int) -> None:
        self.source, self.output = source, output
        self._count, self._times = count, times
        self._filled, self._at, self._time, self._read = 0, 0, 0, False

    def offer(self) -> None:
        """The register that is read into."""
        self.output.valid = self._read

    def accept(self) -> None:
        """Room for two tokens."""
        self.source.ready = self._filled != 2 * self._count

    def clock(self) -> None:
        """A beat in, a beat to the register; after its last time a token makes room."""
        free = not self._read or self.output.ready
        fetched = free and self._at < self._filled
        self._filled += self.source.moves
        self._read = fetched or not free
        if not fetched:
            return
        self._at = (self._at + 1) % self._count
        if self._at == 0:
            self._time = (self._time + 1) % self._times
            self._filled -= self._count * (self._time == 0)


class Component(Protocol):
    """What a network is made of: the three turns of a cycle, as above."""

    def offer(self) -> None:
        """Sets valid of the outputs."""
        ...

    def accept(self) -> None:
        """Sets ready of the sources."""
        ...

    def clock(self) -> None:
        """Moves the registers."""
        ...


@dataclass(frozen=True)
class Network:
    """Components in the order of the data, and the streams at both ends with the beats of a frame."""

    components: Sequence[Component]
    input: Wire
    output: Wire
    input_beats: int
    output_beats: int

    def run(self, frames: int = 1, patience: int = 1 << 20) -> list[int]:
        """For each frame, fed without gaps, the cycles from the first beat in to the last beat of that frame out.

        Runs once only: registers keep what they hold. Gives up after `patience` cycles.
        """
        offers, accepts, clocks = (
            [getattr(component, name) for component in self.components] for name in ("offer", "accept", "clock")
        )
        accepts.reverse()
        ends: list[int] = []
        given, taken = 0, 0
        self.output.ready = True
        for cycle in range(patience):
            self.input.valid = given < frames * self.input_beats
            for offer in offers:
                offer()
            for accept in accepts:
                accept()
            given += self.input.moves
            taken += self.output.valid
            if self.output.valid and taken % self.output_beats == 0:
                ends.append(cycle)
                if len(ends) == frames:
                    break
            for clock in clocks:
                clock()
        return ends
