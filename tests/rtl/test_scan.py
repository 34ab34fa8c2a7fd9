import numpy as np
import pytest

from cases import INT8, UINT8, border_frames, scan
from emamba.fixed import Integer
from emamba.graph import golden
from emamba.rtl.scan import LOOP, ScanStage, cycles
from streams import drive, to_beats

TYPES = {"x": INT8, "delta": UINT8, "b": INT8, "c": INT8}


def inputs(channels, states, tokens=4):
    """x, delta, b, c at and between the ends of their types."""
    sizes = {"x": channels, "delta": channels, "b": states, "c": states}
    rng = np.random.default_rng(channels)
    return {name: border_frames(rng, tokens, size, TYPES[name])[:9] for name, size in sizes.items()}


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize(("channels", "states"), [(1, 4), (2, 4), (6, 4), (1, 1), (3, 2), (6, 1)])
def test_every_folding_repeats_golden_and_keeps_its_pace(channels, states, segments, stalls):
    """(6, 4) takes one step a token, so it has to wait for its own state."""
    op = scan(np.random.default_rng(states), 6, 4, segments, Integer(12), 5)
    sources = inputs(6, 4)
    expected = golden.scan(op, *sources.values()).reshape(-1, 6)
    lanes = {"x": channels, "delta": channels, "b": 4, "c": 4}
    beats = {name: to_beats(frames, lanes[name]) for name, frames in sources.items()}
    flow = drive(ScanStage(op, TYPES, channels, states), beats, len(expected) * 6 // channels, stalls)
    assert np.array_equal(flow.tokens(6), expected)
    if not stalls:
        ends = np.array(flow.cycles[6 // channels - 1 :: 6 // channels])
        assert np.all(np.diff(ends) == cycles(op, channels, states))


@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_deep_memories_are_read_a_move_earlier(stalls):
    """96 words of rates and states: each has a register more."""
    op = scan(np.random.default_rng(1), 12, 8, False, Integer(12), 5)
    sources = inputs(12, 8)
    expected = golden.scan(op, *sources.values()).reshape(-1, 12)
    lanes = {"x": 1, "delta": 1, "b": 8, "c": 8}
    beats = {name: to_beats(frames, lanes[name]) for name, frames in sources.items()}
    flow = drive(ScanStage(op, TYPES, 1, 1), beats, expected.size, stalls)
    assert np.array_equal(flow.tokens(12), expected)


def test_the_state_loop_bounds_the_pace():
    op = scan(np.random.default_rng(0), 6, 4, False, Integer(12), 5)
    assert (cycles(op, 6, 4), cycles(op, 1, 2)) == (LOOP, 12)
