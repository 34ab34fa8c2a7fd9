import numpy as np
import pytest

from cases import INT8, border_frames, linear
from emamba.graph import golden
from emamba.graph.bounds import accumulator
from emamba.rtl.linear import LinearStage
from streams import drive, to_beats

TILES = [(6, 4, False), (6, 1, False), (1, 4, False), (1, 1, False), (2, 2, False), (3, 4, False)]
TILES += [(1, 1, True), (2, 2, True), (3, 1, True)]


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize(("inputs", "outputs", "by_rows"), TILES)
@pytest.mark.parametrize("shift", [7, [6, 7, 9, 7]], ids=["tensor", "channel"])
def test_every_tile_repeats_golden_and_keeps_its_pace(inputs, outputs, by_rows, stalls, shift):
    op = linear(np.random.default_rng(inputs), 6, 4, shift)
    frames = border_frames(np.random.default_rng(0), 2, 6)
    stage = LinearStage(op, INT8, accumulator(op, {"input": INT8}, 2), inputs, outputs, by_rows)
    expected = golden.linear(op, frames).reshape(-1, 4)
    flow = drive(stage, {"source": to_beats(frames, inputs)}, len(expected) * 4 // outputs, stalls)
    assert np.array_equal(flow.tokens(4), expected)
    assert [first for _, first in flow.beats[:: 4 // outputs]] == [True, False] * len(frames)
    if not stalls:
        ends = np.array(flow.cycles[4 // outputs - 1 :: 4 // outputs])
        assert np.all(np.diff(ends) == (6 // inputs) * (4 // outputs))
