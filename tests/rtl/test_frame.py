import numpy as np
import pytest
from amaranth.hdl import Signal

from cases import INT8, border_frames
from emamba.fixed import Integer
from emamba.graph import Flatten, Pool
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


def test_flatten_keeps_the_beats_and_marks_them_all_first():
    op = Flatten(name="flatten", source="input", channels=30, dtype=INT8, fraction_bits=4)
    sent = to_beats(FRAMES, 2)
    assert drive(_Clocked(op, 2), {"source": sent}, len(sent)).beats == [(data, True) for data, _ in sent]
