import numpy as np
import pytest

from cases import INT8, UINT8, border_frames, scan
from emamba.fixed import Integer
from emamba.graph import golden
from emamba.rtl.serial_scan import STEPS, Schedule, SerialScanStage, multipliers
from streams import drive, to_beats

TYPES = {"x": INT8, "delta": UINT8, "b": INT8, "c": INT8}


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("segments", [False, True], ids=["table", "segments"])
@pytest.mark.parametrize(("channels", "states"), [(6, 4), (5, 2), (3, 1), (1, 2)])
def test_every_size_repeats_golden_and_keeps_its_pace(channels, states, segments, stalls):
    """(1, 2) takes two states a token, so that each comes round as soon as it can."""
    op = scan(np.random.default_rng(states), channels, states, segments, Integer(12), 5)
    sizes = {"x": channels, "delta": channels, "b": states, "c": states}
    rng = np.random.default_rng(channels)
    sources = {name: border_frames(rng, 4, size, TYPES[name])[:9] for name, size in sizes.items()}
    expected = golden.scan(op, *sources.values()).reshape(-1, channels)
    lanes = {"x": 1, "delta": 1, "b": states, "c": states}
    beats = {name: to_beats(frames, lanes[name]) for name, frames in sources.items()}
    flow = drive(SerialScanStage(op, TYPES), beats, expected.size, stalls)
    assert np.array_equal(flow.tokens(channels), expected)
    assert [first for _, first in flow.beats[::channels]] == [True, False, False, False] * 9
    if not stalls:
        assert np.all(np.diff(flow.cycles) == STEPS * states)


def test_an_unsigned_x_times_delta_may_need_all_bits():
    op = scan(np.random.default_rng(2), 3, 2, False, Integer(12), 5)
    types = {**TYPES, "x": UINT8}
    rng = np.random.default_rng(3)
    sources = {name: border_frames(rng, 4, 3 if name in ("x", "delta") else 2, types[name])[:9] for name in types}
    beats = {name: to_beats(frames, 1 if name in ("x", "delta") else 2) for name, frames in sources.items()}
    expected = golden.scan(op, *sources.values()).reshape(-1, 3)
    flow = drive(SerialScanStage(op, types), beats, expected.size)
    assert np.array_equal(flow.tokens(3), expected)


@pytest.mark.parametrize("look_up", range(1, 9))
def test_no_two_products_meet_and_each_finds_what_it_needs(look_up):
    when = Schedule(look_up)
    assert {move % STEPS for move in (when.input, when.decay, when.readout)} == {0, 1, 2}
    assert {move % STEPS for move in (when.input, when.drive, when.skip)} == {0, 1, 2}
    assert when.drive >= when.input + 2
    assert when.decay >= max(when.input + 2 + look_up, when.drive)
    assert when.decay + 3 <= when.readout
    assert 2 < when.skip <= when.readout


def test_only_segments_need_a_third_multiplier():
    table, segments = (scan(np.random.default_rng(0), 3, 2, kind, Integer(12), 5).decay for kind in (False, True))
    assert (multipliers(table), multipliers(segments)) == (2, 3)
