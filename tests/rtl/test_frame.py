import numpy as np
import pytest
from amaranth.hdl import Signal

from cases import INT8, border_frames, flatten
from emamba.fixed import Integer
from emamba.graph import Pool
from emamba.rtl.frame import FlattenStage, PoolStage
from streams import drive, to_beats

FRAMES = border_frames(np.random.default_rng(0), 5, 6)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("lanes", [1, 3, 6])
def test_pool_repeats_golden(lanes, stalls):
    op = Pool(name="pool", source="input", channels=6, dtype=INT8, fraction_bits=4, shift=2)
    stage = PoolStage(op, INT8, Integer(12), 5, lanes)
    flow = drive(stage, {"source": to_beats(FRAMES, lanes)}, len(FRAMES) * 6 // lanes, stalls)
    sums = FRAMES.sum(axis=1)
    assert np.array_equal(flow.tokens(6), np.clip((sums + 2) >> 2, -128, 127))
    assert all(first for _, first in flow.beats)


class _Clocked(FlattenStage):
    """A flatten stage with a clock, which Amaranth's simulator wants and wires have not."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.sync += Signal().eq(self.busy)
        return m


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize(("count", "lanes"), [(5, 2), (5, 6), (1, 3), (1, 6)])
def test_flatten_keeps_the_beats_and_marks_those_of_the_first_token(count, lanes, stalls):
    sent = to_beats(FRAMES, lanes)
    stage = _Clocked(flatten("flatten", "input", 6 * count), 5 // count, lanes)
    flow = drive(stage, {"source": sent}, len(sent), stalls)
    beats = 6 * count // lanes
    assert flow.beats == [(data, index // beats % (5 // count) == 0) for index, (data, _) in enumerate(sent)]


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("lanes", [1, 6])
def test_only_the_first_of_several_flattened_tokens_is_marked(lanes, stalls):
    frames = FRAMES.repeat(2, axis=1)[:, :6]
    sent, expected = to_beats(frames, lanes), to_beats(frames.reshape(-1, 3, 12), lanes)
    stage = FlattenStage(flatten("flatten", "input", 12), 3, lanes)
    assert drive(stage, {"source": sent}, len(sent), stalls).beats == expected
