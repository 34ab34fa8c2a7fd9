"""Each model of a stage's control beside the stage, in Amaranth's simulator, whatever the lanes."""

import numpy as np
import pytest

from cases import INT8, border_frames, linear, norm
from emamba.graph.bounds import accumulator
from emamba.rtl import stage_timing
from emamba.rtl.linear import LinearStage
from emamba.rtl.pipeline import total_cycles
from emamba.rtl.range_norm import RangeNormStage
from emamba.rtl.timing import Fifo, Network, Wire
from streams import drive, to_beats

FRAMES = border_frames(np.random.default_rng(0), 3, 6)[:5]


def ends(parts, start, end, source_beats, beats):
    found = np.array(Network(parts, start, end, source_beats, beats).run(len(FRAMES)))
    return (found - found[0]).tolist()


def measured(stage, lanes, beats):
    flow = drive(stage, {"source": to_beats(FRAMES, lanes)}, len(FRAMES) * beats)
    cycles = np.array(flow.cycles[beats - 1 :: beats])
    return (cycles - cycles[0]).tolist()


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 1), (6, 4), (1, 4), (2, 1), (1, 1), (3, 2)])
def test_a_linear(inputs, outputs):
    op = linear(np.random.default_rng(1), 6, 4, 7)
    stage = LinearStage(op, INT8, accumulator(op, {"input": INT8}, 3), inputs, outputs)
    columns, rows, start, middle, end = 6 // inputs, 4 // outputs, Wire(), Wire(), Wire()
    bursts = columns > 1 and rows > 1
    parts = [stage_timing.Linear(start, middle if bursts else end, total_cycles(inputs) + 4, columns, rows)]
    parts += [Fifo(middle, end, rows + 2)] if bursts else []
    assert ends(parts, start, end, 3 * columns, 3 * rows) == measured(stage, inputs, 3 * rows)


@pytest.mark.parametrize("lanes", [1, 2, 6])
def test_a_range_norm(lanes):
    op, beats, start, end = norm(6), 6 // lanes, Wire(), Wire()
    part = stage_timing.RangeNorm(start, end, 3, beats, 2 * beats + 4)
    assert ends([part], start, end, 3 * beats, 3 * beats) == measured(RangeNormStage(op, INT8, lanes), lanes, 3 * beats)


def test_a_pool_gives_the_beats_of_the_last_token_only():
    start, end = Wire(), Wire()
    pool = stage_timing.Pool([start], end, 2, 2, 3)
    assert Network([pool], start, end, 6, 2).run(3) == [7, 13, 19]


def test_a_serial_scan_waits_for_slot_0():
    """Two states of one channel take six cycles; a source that comes late loses up to two more."""
    sources, end = [Wire() for _ in range(4)], Wire()
    scan = stage_timing.SerialScan(sources, end, 13, states=2, channels=1)
    end.ready, left = True, []
    for cycle in range(40):
        for wire in sources:
            wire.valid = cycle >= 4
        scan.offer()
        scan.accept()
        if end.valid:
            left.append(cycle)
        scan.clock()
    assert left == [6 + 3 + 13, 6 + 3 + 13 + 6, 6 + 3 + 13 + 12]
