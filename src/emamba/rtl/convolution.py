"""The depthwise convolution stage: a ring of tokens in a memory, read under the window a few taps at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer, Integers
from emamba.graph import Convolution
from emamba.rtl.fixed import shape, times, unpack
from emamba.rtl.loading import Weights
from emamba.rtl.pipeline import counter, delayed, rom, total
from emamba.rtl.rounding import requantize_channels
from emamba.rtl.stream import Exit, beats, elements, moves
from emamba.rtl.weights import Region, convolution

SPARE = 3  # words: the output's own, one that arrives meanwhile, and one that is read a move later than counted


class ConvolutionStage(wiring.Component):
    """Repeats `graph.golden.convolution`.

    Beats are written into a ring as they arrive. A beat of output is computed as soon as the last beat that it
    needs is there: that of `ahead` tokens later, or of the frame's last token. Nothing of the next frame is
    waited for, and nothing else is computed in between: frames follow each other at the stage's pace, and the
    last one comes out whole. Taps beyond the grid, which are those of other frames too, count as zero. Frames
    are told apart by counting tokens from the reset on.

    Parameters
    ----------
    op, source, accumulator
        Operation, element type of its source, and the type that holds every sum (`graph.bounds`).
    tokens
        Of a frame: `op.columns` in each row of the grid.
    lanes, taps
        Channels a beat, and taps of the window in each cycle: `lanes * taps` multipliers, `taps` read ports.
    regions
        By array: weights and bias lie in memories with a port `load`. Without, they are constants.

    Timing: `(channels / lanes) * (high * wide / taps)` cycles a token.
    """

    def __init__(
        self,
        op: Convolution,
        source: Integer,
        accumulator: Integer,
        tokens: int,
        lanes: int,
        taps: int,
        regions: Mapping[str, Region] | None = None,
    ) -> None:
        self._op, self._source, self._accumulator = op, source, accumulator
        self._tokens, self._lanes, self._taps = tokens, lanes, taps
        self._beats, self._groups = op.channels // lanes, op.weight[0].size // taps
        self._depth = depth(op, self._beats)
        self._weights = Weights(op, regions or convolution(op, lanes, taps), bool(regions))
        ports = {"source": In(beats(source, lanes)), "output": Out(beats(op.dtype, lanes)), "busy": Out(1)}
        super().__init__({**ports, **self._weights.members})

    def elaborate(self, platform: object) -> Module:
        """Move 1: addresses. 2: words and weights. 3: factors. Then multiply, add, accumulate; round and saturate."""
        m = Module()
        op = self._op
        exit_ = Exit(m, self.output, op.dtype, self._lanes)
        advance, step, done = exit_.advance, Signal(), Signal()
        group, last_group = counter(m, self._groups, step)
        beat, last_beat = counter(m, self._beats, done)
        index, _ = counter(m, self._groups * self._beats, step)
        column, last_column = counter(m, op.columns, done & last_beat)
        row, _ = counter(m, self._tokens // op.columns, done & last_beat & last_column)
        m.d.comb += [
            step.eq(self._enough(m, done, done & last_beat) & advance),
            done.eq(step & last_group),
            self.busy.eq(step),
        ]

        words, inside = self._window(m, advance, group, row, column, done)
        index = delayed(m, advance, Value.cast(index))
        weights = self._weights.read(m, self, "weight", index, advance)
        sums, cycles = self._products(m, advance, words, inside, weights)
        late = 4 + cycles
        place = delayed(m, advance, Value.cast(beat), late - 1)
        bias = self._weights.read(m, self, "bias", place, advance)
        begins = delayed(m, advance, group == 0, late)
        valid = delayed(m, advance, Value.cast(step), late, reset=True)
        totals = self._accumulated(m, valid & advance, begins, sums, bias)
        complete = delayed(m, advance, Value.cast(done), late + 1, reset=True)
        first = delayed(m, advance, (row == 0) & (column == 0), late + 1)
        shift = op.shift.reshape(self._beats, -1)
        exit_.load(complete, requantize_channels(m, totals, shift, op.dtype, place, advance, moves=2), first)
        return m

    def _enough(self, m: Module, done: Value, last: Value) -> Value:
        """Whether all that the next beat of output needs is in the ring; takes the source's beats while there is room.

        `done` ends a beat of output, `last` a token.
        """
        room = self._depth - self._op.behind * self._beats - 1
        stored = Signal(range(room + 1))  # beats written, less beats of output that are done
        m.d.comb += self.source.ready.eq(stored != room)
        m.d.sync += stored.eq(stored + moves(self.source) - done)
        if not self._op.ahead:
            return Value.cast(stored != 0)
        left = Signal(range(max(self._tokens, 2)), init=self._tokens - 1)  # tokens of the frame behind the output's one
        with m.If(last):
            m.d.sync += left.eq(Mux(left == 0, self._tokens - 1, left - 1))
        needed = times(Value.cast(Mux(left < self._op.ahead, left, self._op.ahead)), self._beats)
        return Value.cast(stored > needed)

    def _window(
        self, m: Module, advance: Value, group: Value, row: Value, column: Value, done: Value
    ) -> tuple[list[list[Value]], list[Value]]:
        """For each tap of `group` the elements under it, and whether it lies on the grid, two moves later."""
        bits = self._lanes * self._source.bits
        m.submodules.ring = ring = Memory(shape=Shape(bits), depth=self._depth, init=[])
        write = ring.write_port()
        m.d.comb += [write.data.eq(Cat(elements(self.source, self._lanes))), write.en.eq(moves(self.source))]
        newest, _ = counter(m, self._depth, moves(self.source))
        m.d.comb += write.addr.eq(newest)

        place, _ = counter(m, self._depth, done)
        row, column, place = delayed(m, advance, [Value.cast(value) for value in (row, column, place)])
        places = tap_places(self._op, self._beats, self._groups)
        table = rom(m, "taps", places, Integer.holding(np.array(places)), group, advance)
        words, inside = [], []
        for tap in range(self._taps):
            down, right, further = table[3 * tap : 3 * tap + 3]
            read = ring.read_port()
            m.d.comb += [read.addr.eq(_wrapped(Value.cast(place + further), self._depth)), read.en.eq(advance)]
            words.append(unpack(read.data, self._source))
            on_grid = _within(Value.cast(row + down), self._tokens // self._op.columns)
            inside.append(delayed(m, advance, on_grid & _within(Value.cast(column + right), self._op.columns)))
        return words, inside

    def _products(
        self, m: Module, advance: Value, words: list[list[Value]], inside: list[Value], weights: list[Value]
    ) -> tuple[list[Value], int]:
        """For each lane the sum of its products, and the moves that takes beyond those of the products."""
        sums, cycles = [], 0
        for lane in range(self._lanes):
            own = weights[lane * self._taps : (lane + 1) * self._taps]
            taps = zip(words, inside, own, strict=True)
            pairs = [(Value.cast(Mux(on_grid, word[lane], 0)), weight) for word, on_grid, weight in taps]
            pairs = [delayed(m, advance, [*pair]) for pair in pairs]
            value, cycles = total(m, advance, delayed(m, advance, [Value.cast(x * weight) for x, weight in pairs]))
            sums.append(value)
        return sums, cycles

    def _accumulated(self, m: Module, step: Value, begins: Value, sums: list[Value], bias: list[Value]) -> list[Value]:
        """The sum over the groups of taps, one a lane, from the bias on."""
        results: list[Value] = []
        for value, offset in zip(sums, bias, strict=True):
            register = Signal(shape(self._accumulator), reset_less=True)
            with m.If(step):
                m.d.sync += register.eq(Mux(begins, offset, register) + value)
            results.append(register)
        return results


def depth(op: Convolution, beats: int) -> int:
    """Words of the ring, when a token is so many `beats`."""
    return (op.behind + op.ahead) * beats + SPARE


def tap_places(op: Convolution, beats: int, groups: int) -> list[Integers]:
    """For each group of taps, tap by tap: rows down and columns right of the output's own token, and words
    behind its own word in the ring."""
    _, high, wide = op.weight.shape
    down, right = np.indices((high, wide)).reshape(2, -1) - np.array([[op.above], [op.left]])
    further = (down * op.columns + right) * beats % depth(op, beats)
    return list(np.stack([down, right, further], axis=1).reshape(groups, -1))


def _within(place: Value, count: int) -> Value:
    """Whether 0 <= `place` < `count`."""
    inside = Value.cast(place < count)
    return Value.cast((place >= 0) & inside) if place.shape().signed else inside


def _wrapped(address: Value, depth: int) -> Value:
    """`address` < 2 * `depth` in a ring of `depth` words."""
    return Value.cast(Mux(address >= depth, address - depth, address))
