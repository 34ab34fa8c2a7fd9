"""The control of streams, of what joins them and of stages as parts, which `rtl.control` runs cycle by cycle.

Each function gives the part that repeats the component it is named after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emamba.rtl import control
from emamba.rtl.convolution import SPARE


class Wire:
    """Valid and ready of one stream."""


@dataclass(frozen=True)
class Part:
    """A kind of `rtl.control`, the stream at its one end, those at the other, its sizes and how it begins."""

    kind: int
    one: Wire
    many: tuple[Wire, ...]
    values: dict[str, int]


def skid(source: Wire, output: Wire) -> Part:
    """`stream.Skid`; also the stage of an input."""
    return Part(control.SKID, output, (source,), {})


def fifo(source: Wire, output: Wire, depth: int) -> Part:
    """`stream.Fifo` of `depth` beats: a memory, and a register that is read."""
    return Part(control.FIFO, output, (source,), {"room": depth - 1})


def fork(source: Wire, outputs: Sequence[Wire]) -> Part:
    """`stream.Fork`."""
    readers = len(outputs)
    return Part(control.FORK, source, tuple(outputs), {"readers": readers, "waiting": (1 << readers) - 1})


def widen(source: Wire, output: Wire, ratio: int) -> Part:
    """`stream.Widen`."""
    return Part(control.WIDEN, output, (source,), {"ratio": ratio})


def narrow(source: Wire, output: Wire, ratio: int) -> Part:
    """`stream.Narrow`."""
    return Part(control.NARROW, output, (source,), {"ratio": ratio})


def replay(source: Wire, output: Wire, count: int, times: int) -> Part:
    """`stream.Replay`: tokens of `count` beats, each `times` times."""
    return Part(control.REPLAY, output, (source,), {"count": count, "times": times})


def _stage(kind: int, sources: Sequence[Wire], output: Wire, moves: int, **sizes: int) -> Part:
    """A stage of `moves` registers, without the `Skid` behind them."""
    registers = {"end": 1 << (moves - 1), "most": (1 << moves) - 1, "sources": len(sources)}
    return Part(kind, output, tuple(sources), {**registers, **sizes})


def elementwise(sources: Sequence[Wire], output: Wire, moves: int) -> Part:
    """`ActivationStage`, `PairStage`: one beat of each source for each of the output."""
    return _stage(control.ELEMENTWISE, sources, output, moves)


def pool(source: Wire, output: Wire, moves: int, beats: int, tokens: int) -> Part:
    """`PoolStage`: the beats of the last of `tokens` tokens go on."""
    return _stage(control.POOL, [source], output, moves, silent=beats * (tokens - 1), frame=beats * tokens)


def convolution(source: Wire, output: Wire, moves: int, steps: int, beats: int, tokens: int, ahead: int) -> Part:
    """`ConvolutionStage`: a beat of output takes `steps`; a frame has `tokens` of `beats`.

    The last tap is `ahead` tokens after the output's own.
    """
    sizes = {"steps": steps, "token_beats": beats, "tokens": tokens, "ahead": ahead, "left": tokens - 1}
    return _stage(control.CONVOLUTION, [source], output, moves, room=ahead * beats + SPARE - 1, **sizes)


def linear(source: Wire, output: Wire, moves: int, columns: int, rows: int) -> Part:
    """`LinearStage`: a beat is held for `rows` steps, and `columns` of them make a token. A look-up has one column."""
    return _stage(control.LINEAR, [source], output, moves, columns=columns, rows=rows)


def range_norm(source: Wire, kept: Wire, output: Wire, moves: int, beats: int) -> Part:
    """`RangeNormStage`: tokens of `beats` are looked at in `source`, and taken from `kept`, the FIFO behind it."""
    return _stage(control.RANGE_NORM, [kept, source], output, moves, token_beats=beats)


def scan(sources: Sequence[Wire], output: Wire, moves: int, words: int, groups: int, period: int) -> Part:
    """`ScanStage`: `words` useful steps of `period` a token; a beat of x and delta goes with `groups` of them."""
    return _stage(control.SCAN, sources, output, moves, words=words, groups=groups, period=period)


def serial_scan(sources: Sequence[Wire], output: Wire, moves: int, states: int, channels: int) -> Part:
    """`SerialScanStage`: a state begins in slot 0 of three, when all sources are there."""
    return _stage(control.SERIAL_SCAN, sources, output, moves, states=states, channels=channels)


@dataclass(frozen=True)
class Network:
    """Parts in the order of the data, and the streams at both ends with the beats of a frame."""

    parts: Sequence[Part]
    input: Wire
    output: Wire
    input_beats: int
    output_beats: int

    def run(self, frames: int = 1, patience: int = 1 << 20) -> list[int]:
        """For each frame, fed without gaps, the cycles from the first beat in to the last beat of that frame out.

        What no part takes is taken at once. Gives up after `patience` cycles.
        """
        places: dict[Wire, int] = {}
        for wire in (self.input, self.output, *(wire for part in self.parts for wire in (part.one, *part.many))):
            places.setdefault(wire, len(places))
        parts = np.zeros(len(self.parts), control.PART)
        many = np.zeros((len(parts), max(len(part.many) for part in self.parts)), np.int64)
        ready = np.ones(len(places), np.bool_)
        for index, part in enumerate(self.parts):
            for name, value in {"kind": part.kind, "one": places[part.one], **part.values}.items():
                parts[name][index] = value
            many[index, : len(part.many)] = [places[wire] for wire in part.many]
        finished = np.zeros(frames, np.int64)
        ends, beats = (0, places[self.output]), (frames * self.input_beats, self.output_beats)
        left = control.run(parts, many, np.zeros_like(ready), ready, ends, beats, finished, patience)
        return finished[:left].tolist()
