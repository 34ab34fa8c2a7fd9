import numpy as np
import pytest

from emamba.fixed import Integer
from emamba.fuzz.operations import INT8, UINT8, border_frames, causal, linear, norm, scan


@pytest.mark.parametrize("dtype", [INT8, UINT8, Integer(4)])
def test_frames_reach_both_ends_and_stay_within_the_type(dtype):
    frames = border_frames(np.random.default_rng(0), 3, 5, dtype)
    assert (frames.min(), frames.max()) == (dtype.lo, dtype.hi)
    assert frames.shape[1:] == (3, 5)


def test_weights_reach_the_lower_end_and_patterns_of_shifts_repeat():
    op = linear(np.random.default_rng(0), 4, 5, [7, 6])
    assert op.weight.min() == -128
    assert op.shift.tolist() == [7, 6, 7, 6, 7]


def test_a_causal_convolution_looks_back_only():
    op = causal(np.random.default_rng(0), 2, 3, 9, 0)
    assert (op.ahead, op.behind) == (0, 2)


def test_a_norm_has_a_reciprocal_for_each_range_and_a_scan_an_argument_beyond_its_decay():
    assert norm(3, Integer(6)).reciprocal.size == 64
    op = scan(np.random.default_rng(0), 3, 2, True, Integer(12), 7)
    assert op.rate.max() == 1023
    assert op.compute.bits == 19
