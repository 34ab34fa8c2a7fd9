from dataclasses import replace

import numpy as np
import pytest

from cases import INT8, UINT8, border_frames, linear
from emamba.fixed import Integer
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


BORDERS = np.array([-128, -127, -1, 0, 1, 127])
PACKED = [(6, 4, False), (1, 4, False), (2, 2, False), (3, 3, False), (18, 12, False), (2, 3, True), (9, 2, True)]


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize(("inputs", "outputs", "by_rows"), PACKED)
@pytest.mark.parametrize("source", [INT8, UINT8, Integer(9)], ids=str)
def test_products_that_share_multiplications_repeat_golden(inputs, outputs, by_rows, source, stalls):
    """Every weight at a border above every other one, in tiles with odd rows too, and data at the borders."""
    op = linear(np.random.default_rng(inputs), 18, 12, 9)
    both = np.stack(np.meshgrid(BORDERS, BORDERS)).reshape(2, 36)  # each pair of borders, 18 to two rows
    op = replace(op, weight=np.concatenate([both[:, :18], both[:, 18:], op.weight[4:]]))
    frames = border_frames(np.random.default_rng(0), 2, 18, source)
    sums = accumulator(op, {"input": source}, 2)
    stage = LinearStage(op, source, sums, inputs, outputs, by_rows, packed=True)
    expected = golden.linear(op, frames).reshape(-1, 12)
    flow = drive(stage, {"source": to_beats(frames, inputs)}, len(expected) * 12 // outputs, stalls)
    assert np.array_equal(flow.tokens(12), expected)
