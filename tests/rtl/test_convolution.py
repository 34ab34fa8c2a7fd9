import numpy as np
import pytest

from cases import INT8, border_frames, convolution
from emamba.graph import golden
from emamba.rtl.convolution import ConvolutionStage
from streams import drive, to_beats


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize(("kernel", "lanes"), [(4, 1), (4, 6), (3, 2), (1, 3), (2, 6)])
@pytest.mark.parametrize("shift", [7, [6, 7, 4, 7, 7, 5]], ids=["tensor", "channel"])
def test_every_folding_repeats_golden(kernel, lanes, stalls, shift):
    op = convolution(np.random.default_rng(kernel), 6, kernel, shift)
    frames = border_frames(np.random.default_rng(0), 5, 6)
    expected = golden.convolution(op, frames).reshape(-1, 6)
    flow = drive(
        ConvolutionStage(op, INT8, lanes), {"source": to_beats(frames, lanes)}, len(expected) * 6 // lanes, stalls
    )
    assert np.array_equal(flow.tokens(6), expected)
