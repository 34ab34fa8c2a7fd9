import numpy as np
import pytest

from cases import UINT8, border_frames, lookup
from emamba.graph import golden
from emamba.rtl.lookup import LookupStage
from streams import drive, to_beats


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("lanes", [1, 2, 3, 6])
def test_every_folding_repeats_golden_and_keeps_its_pace(lanes, stalls):
    op = lookup(np.random.default_rng(lanes), UINT8, 6)
    frames = border_frames(np.random.default_rng(0), 2, 1, UINT8)
    expected = golden.execute(op, {"input": frames}).reshape(-1, 6)
    assert np.array_equal(expected, [op.table[index] for index in frames.ravel()])
    flow = drive(LookupStage(op, UINT8, lanes), {"source": to_beats(frames, 1)}, len(expected) * 6 // lanes, stalls)
    assert np.array_equal(flow.tokens(6), expected)
    assert [first for _, first in flow.beats[:: 6 // lanes]] == [True, False] * len(frames)
    if not stalls:
        ends = np.array(flow.cycles[6 // lanes - 1 :: 6 // lanes])
        assert np.all(np.diff(ends) == 6 // lanes)
