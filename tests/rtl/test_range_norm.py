import numpy as np
import pytest

from cases import INT8, border_frames, norm
from emamba.graph import golden
from emamba.rtl.range_norm import RangeNormStage
from streams import drive, to_beats


@pytest.mark.parametrize("stalls", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("lanes", [1, 2, 5, 10])
def test_every_folding_repeats_golden(lanes, stalls):
    """With stalls of 0.4 a norm whose queue of numbers had room for two tokens lost a third one."""
    op, frames = norm(10), border_frames(np.random.default_rng(0), 3, 10)
    expected = golden.range_norm(op, frames).reshape(-1, 10)
    flow = drive(
        RangeNormStage(op, INT8, lanes), {"source": to_beats(frames, lanes)}, len(expected) * 10 // lanes, stalls
    )
    assert np.array_equal(flow.tokens(10), expected)
    if not stalls:
        assert np.diff(flow.cycles).max() == 1
