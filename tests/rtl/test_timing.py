"""Each model of control beside the component that it is named after, in Amaranth's simulator."""

import numpy as np
import pytest

from emamba.fixed import Integer
from emamba.rtl import stream as component
from emamba.rtl.link import Link
from emamba.rtl.timing import Fifo, Fork, Narrow, Network, Replay, Skid, Widen, Wire
from streams import drive, to_beats

INT5 = Integer(5)
FRAMES = np.random.default_rng(1).integers(-16, 16, (4, 2, 12))


def ends(component, sources, beats, source_beats):
    """Cycles in which each frame left, from the first one on."""
    found = Network(component, *sources, source_beats, beats).run(len(FRAMES))
    return (np.array(found) - found[0]).tolist()


@pytest.mark.parametrize(
    ("lanes", "wanted", "depth"),
    [(1, 12, 0), (12, 1, 0), (2, 6, 0), (6, 2, 0), (3, 3, 1), (3, 3, 2), (3, 3, 7), (1, 3, 5), (6, 1, 4)],
)
def test_a_link_lets_frames_through_at_the_same_time(lanes, wanted, depth):
    flow = drive(Link(INT5, lanes, wanted, depth), {"source": to_beats(FRAMES, lanes)}, 2 * 4 * 12 // wanted)
    measured = np.array(flow.cycles[2 * 12 // wanted - 1 :: 2 * 12 // wanted])
    start, end, parts = Wire(), Wire(), []
    middle = end if lanes == wanted else Wire()
    if depth:
        parts.append(Fifo(start, middle, depth))
    if lanes < wanted:
        parts.append(Widen(middle if depth else start, end, wanted // lanes))
    if lanes > wanted:
        parts.append(Narrow(middle if depth else start, end, lanes // wanted))
    assert ends(parts, (start, end), 24 // wanted, 24 // lanes) == (measured - measured[0]).tolist()


@pytest.mark.parametrize(("lanes", "times"), [(3, 2), (12, 3), (1, 1), (4, 5)])
def test_a_replay_lets_tokens_through_at_the_same_time(lanes, times):
    count = 12 // lanes
    circuit = component.Replay(INT5, lanes, count, times)
    flow = drive(circuit, {"source": to_beats(FRAMES, lanes)}, 2 * len(FRAMES) * count * times)
    measured = np.array(flow.cycles[2 * count * times - 1 :: 2 * count * times])
    start, end = Wire(), Wire()
    replay = Replay(start, end, count, times)
    assert ends([replay], (start, end), 2 * count * times, 2 * count) == (measured - measured[0]).tolist()


def test_a_fork_waits_for_its_slowest_taker():
    """Through a skid, one output is narrowed by 4; the other one is taken at once."""
    source, middle, fast, slow, end = (Wire() for _ in range(5))
    parts = [Skid(source, middle), Fork(middle, [slow, fast]), Narrow(slow, end, 4)]
    fast.ready = True
    assert Network(parts, source, end, 1, 4).run(5) == [4, 8, 12, 16, 20]


def test_who_gets_nothing_gives_up():
    source, end = Wire(), Wire()
    assert Network([Widen(source, end, 3)], source, end, 2, 1).run(1, patience=50) == []
