"""The control of each part beside the component that it is named after, in Amaranth's simulator."""

import numpy as np
import pytest

from cases import INT8, border_frames, linear, norm
from emamba.fixed import Integer
from emamba.graph.bounds import accumulator
from emamba.rtl import stream as component
from emamba.rtl import timing
from emamba.rtl.linear import LinearStage
from emamba.rtl.link import Link
from emamba.rtl.pipeline import total_cycles
from emamba.rtl.range_norm import RangeNormStage
from emamba.rtl.timing import Network, Wire
from streams import drive, to_beats

INT5 = Integer(5)
NARROW_FRAMES = np.random.default_rng(1).integers(-16, 16, (4, 2, 12))
FRAMES = border_frames(np.random.default_rng(0), 3, 6)[:5]


def modelled(parts, start, end, source_beats, beats, frames):
    """Cycles in which each frame leaves, from the first one on."""
    found = np.array(Network(parts, start, end, source_beats, beats).run(frames))
    return (found - found[0]).tolist()


def measured(circuit, frames, lanes, beats):
    flow = drive(circuit, {"source": to_beats(frames, lanes)}, len(frames) * beats)
    cycles = np.array(flow.cycles[beats - 1 :: beats])
    return (cycles - cycles[0]).tolist()


@pytest.mark.parametrize(
    ("lanes", "wanted", "depth"),
    [(1, 12, 0), (12, 1, 0), (2, 6, 0), (6, 2, 0), (3, 3, 1), (3, 3, 2), (3, 3, 7), (1, 3, 5), (6, 1, 4)],
)
def test_a_link(lanes, wanted, depth):
    start, end, parts = Wire(), Wire(), []
    middle = end if lanes == wanted else Wire()
    if depth:
        parts.append(timing.fifo(start, middle, depth))
    if lanes < wanted:
        parts.append(timing.widen(middle if depth else start, end, wanted // lanes))
    if lanes > wanted:
        parts.append(timing.narrow(middle if depth else start, end, lanes // wanted))
    circuit = measured(Link(INT5, lanes, wanted, depth), NARROW_FRAMES, lanes, 24 // wanted)
    assert modelled(parts, start, end, 24 // lanes, 24 // wanted, len(NARROW_FRAMES)) == circuit


@pytest.mark.parametrize(("lanes", "times"), [(3, 2), (12, 3), (1, 1), (4, 5)])
def test_a_replay(lanes, times):
    count, start, end = 12 // lanes, Wire(), Wire()
    replay, beats = timing.replay(start, end, count, times), 2 * count * times
    circuit = measured(component.Replay(INT5, lanes, count, times), NARROW_FRAMES, lanes, beats)
    assert modelled([replay], start, end, 2 * count, beats, len(NARROW_FRAMES)) == circuit


def test_a_fork_waits_for_its_slowest_taker():
    """Through a skid, one output is narrowed by 4; the other one is taken at once."""
    source, middle, fast, slow, end = (Wire() for _ in range(5))
    parts = [timing.skid(source, middle), timing.fork(middle, [slow, fast]), timing.narrow(slow, end, 4)]
    assert Network(parts, source, end, 1, 4).run(5) == [4, 8, 12, 16, 20]


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 1), (6, 4), (1, 4), (2, 1), (1, 1), (3, 2)])
def test_a_linear(inputs, outputs):
    op = linear(np.random.default_rng(1), 6, 4, 7)
    stage = LinearStage(op, INT8, accumulator(op, {"input": INT8}, 3), inputs, outputs)
    columns, rows, start, middle, end = 6 // inputs, 4 // outputs, Wire(), Wire(), Wire()
    behind = timing.fifo(middle, end, rows + 2) if columns > 1 and rows > 1 else timing.skid(middle, end)
    parts = [timing.linear(start, middle, total_cycles(inputs) + 4, columns, rows), behind]
    circuit = measured(stage, FRAMES, inputs, 3 * rows)
    assert modelled(parts, start, end, 3 * columns, 3 * rows, len(FRAMES)) == circuit


@pytest.mark.parametrize("lanes", [1, 2, 6])
def test_a_range_norm(lanes):
    op, beats, start, kept, middle, end = norm(6), 6 // lanes, Wire(), Wire(), Wire(), Wire()
    parts = [
        timing.fifo(start, kept, 2 * beats + 4),
        timing.range_norm(start, kept, middle, 3, beats),
        timing.skid(middle, end),
    ]
    circuit = measured(RangeNormStage(op, INT8, lanes), FRAMES, lanes, 3 * beats)
    assert modelled(parts, start, end, 3 * beats, 3 * beats, len(FRAMES)) == circuit


def test_a_pool_gives_the_beats_of_the_last_token_only():
    start, end = Wire(), Wire()
    assert Network([timing.pool(start, end, 2, 2, 3)], start, end, 6, 2).run(3) == [7, 13, 19]


def test_a_serial_scan_waits_for_slot_0():
    """Two states of one channel take six cycles; sources that come late, in the second slot, lose two more."""
    start, late, end = Wire(), Wire(), Wire()
    sources = [Wire() for _ in range(4)]
    parts = [timing.elementwise([start], late, 4), timing.fork(late, sources)]
    parts.append(timing.serial_scan(sources, end, 13, states=2, channels=1))
    assert Network(parts, start, end, 1, 1).run(3) == [6 + 3 + 13, 6 + 3 + 13 + 6, 6 + 3 + 13 + 12]
