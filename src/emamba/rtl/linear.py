"""The linear stage: a matrix in a memory, a tile of it multiplied in each cycle."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.graph import Linear
from emamba.rtl import packing
from emamba.rtl.fixed import shape
from emamba.rtl.loading import Weights
from emamba.rtl.pipeline import counter, delayed, factor_moves, total, total_cycles
from emamba.rtl.rounding import requantize_channels
from emamba.rtl.stream import Exit, Replay, beats, moves
from emamba.rtl.weights import Region, linear

Sum = tuple[Value, Value | None]  # and a bit that has yet to be added to it


class LinearStage(wiring.Component):
    """Repeats `graph.golden.linear`.

    Beat by beat, each beat of `inputs` elements is kept while it meets every group of `outputs` rows: nothing is
    stored but the sums, all of which are complete with the last beat. With `inputs` = all channels of the
    source the sums need no store either. Row by row, the whole token meets one group of rows after the
    other: the token is stored and read again, there is one sum a lane, and output leaves all the time.

    Parameters
    ----------
    op, source, accumulator
        Operation, element type of its source, and the type that holds every sum (`graph.bounds`).
    inputs, outputs
        Columns and rows of the tile: `inputs * outputs` products a cycle.
    by_rows
        Row by row instead of beat by beat.
    regions
        By array: weights and bias lie in memories with a port `load`. Without, they are constants.
    packed
        Each two rows of the tile share multiplications, if `packing.packs` says so of them; only without `regions`.

    Timing: `(columns / inputs) * (rows / outputs)` cycles a token.
    """

    def __init__(
        self,
        op: Linear,
        source: Integer,
        accumulator: Integer,
        inputs: int,
        outputs: int,
        by_rows: bool = False,
        regions: Mapping[str, Region] | None = None,
        packed: bool = False,
    ) -> None:
        self._op, self._source, self._accumulator, self._packed = op, source, accumulator, packed
        self._inputs, self._outputs, self._by_rows = inputs, outputs, by_rows
        self._columns, self._rows = op.weight.shape[1] // inputs, op.channels // outputs
        kept = packing.stored(op, outputs) if packed else op
        self._weights = Weights(kept, regions or linear(kept, inputs, outputs, by_rows), bool(regions))
        ports = {"source": In(beats(source, inputs)), "output": Out(beats(op.dtype, outputs)), "busy": Out(1)}
        super().__init__({**ports, **self._weights.members})

    def elaborate(self, platform: object) -> Module:
        """Hold a beat; read weights; multiply; add up; accumulate over beats; round and saturate."""
        m = Module()
        bursts = self._columns > 1 and self._rows > 1 and not self._by_rows
        exit_ = Exit(m, self.output, self._op.dtype, self._outputs, depth=self._rows + 2 if bursts else 0)
        advance = exit_.advance

        source = self._replayed(m) if self._by_rows else self.source
        held = Signal.like(source.payload, reset_less=True)
        waiting = Signal()
        step, met = Signal(), Signal()  # `met`: the last step of a beat
        if self._by_rows:
            column, last_column = counter(m, self._columns, step)
            row, _ = counter(m, self._rows, step & last_column)
            m.d.comb += met.eq(step)
        else:
            row, last_row = counter(m, self._rows, step)
            column, last_column = counter(m, self._columns, met)
            m.d.comb += met.eq(step & last_row)
        address, _ = counter(m, self._rows * self._columns, step)
        m.d.comb += [step.eq(waiting & advance), self.busy.eq(step), source.ready.eq(~waiting | met)]
        with m.If(met):
            m.d.sync += waiting.eq(0)
        with m.If(moves(source)):
            m.d.sync += [waiting.eq(1), held.eq(source.payload)]

        fetch = factor_moves(self._rows * self._columns)
        weights = self._weights.read(m, self, "weight", address, advance)
        weights = delayed(m, advance, weights, fetch - 1)
        x = delayed(m, advance, [held.data[lane] for lane in range(self._inputs)], fetch)
        sums, cycles = self._products(m, advance, x, weights)
        cycles += fetch - 1
        bias_row = delayed(m, advance, Value.cast(row), cycles)
        bias = self._weights.read(m, self, "bias", bias_row, advance)
        valid = delayed(m, advance, Value.cast(waiting), cycles + 1, reset=True)
        begins = delayed(m, advance, column == 0, cycles + 1)
        ends = delayed(m, advance, last_column, cycles + 1)
        first = delayed(m, advance, Value.cast(held.first), cycles + 2)

        sums = self._accumulated(m, valid & advance, begins, sums, bias)
        done = delayed(m, advance, valid & ends, reset=True)
        shift = self._op.shift.reshape(self._rows, -1)
        exit_.load(done, requantize_channels(m, sums, shift, self._op.dtype, bias_row, advance, moves=2), first)
        return m

    def _replayed(self, m: Module) -> stream.Interface:
        """The source, each token once for every group of rows."""
        m.submodules.replay = replay = Replay(self._source, self._inputs, self._columns, self._rows)
        wiring.connect(m, wiring.flipped(self.source), replay.source)
        return replay.output

    def _products(self, m: Module, advance: Value, x: list[Value], weights: list[Value]) -> tuple[list[Sum], int]:
        """For each row of the tile the sum of its products, and the moves that takes."""
        tile = [weights[start : start + self._inputs] for start in range(0, len(weights), self._inputs)]
        pairs = self._outputs // 2 if self._packed else 0
        sums: list[Sum] = []
        for lower, upper in zip(tile[: 2 * pairs : 2], tile[1 : 2 * pairs : 2], strict=True):
            below, above = packing.dots(m, advance, lower, upper, x)
            sums += [(below, None), above]
        for row in tile[2 * pairs :]:
            products = delayed(m, advance, [Value.cast(a * b) for a, b in zip(x, row, strict=True)])
            sums.append((total(m, advance, products)[0], None))
        return sums, total_cycles(self._inputs) + 1

    def _accumulated(self, m: Module, step: Value, begins: Value, sums: list[Sum], bias: list[Value]) -> list[Value]:
        """Running sums in a ring of one place for each group of rows under way; the newest is the first place."""
        results: list[Value] = []
        count = self._rows if self._columns > 1 and not self._by_rows else 1
        for (value, carry), offset in zip(sums, bias, strict=True):
            ring = [Signal(shape(self._accumulator), reset_less=True) for _ in range(count)]
            base = Mux(begins, offset, ring[-1]) if self._columns > 1 else offset
            with m.If(step):
                m.d.sync += ring[0].eq(base + value if carry is None else packing.plus(base, value, carry))
                m.d.sync += [after.eq(before) for before, after in pairwise(ring)]
            results.append(ring[0])
        return results
