import numpy as np
import pytest

from cases import INT8, border_frames, convolution
from emamba.graph import golden
from emamba.rtl.serial_convolution import SerialConvolutionStage
from streams import drive, to_beats


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("shift", [7, [6, 7, 4, 7, 7, 5]], ids=["tensor", "channel"])
def test_every_kernel_repeats_golden_at_a_tap_a_cycle(kernel, stalls, shift):
    op = convolution(np.random.default_rng(kernel), 6, kernel, shift)
    frames = border_frames(np.random.default_rng(0), 5, 6)
    expected = golden.convolution(op, frames).reshape(-1, 6)
    flow = drive(SerialConvolutionStage(op, INT8), {"source": to_beats(frames, 1)}, expected.size, stalls)
    assert np.array_equal(flow.tokens(6), expected)
    assert [first for _, first in flow.beats[::6]] == [True, False, False, False, False] * len(frames)
    if not stalls:
        assert np.all(np.diff(flow.cycles) == kernel)
