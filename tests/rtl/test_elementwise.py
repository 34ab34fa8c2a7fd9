import numpy as np
import pytest

from cases import INT8, activation, border_frames, two
from emamba.graph import Add, Multiply, golden
from emamba.rtl.elementwise import ActivationStage, PairStage
from streams import drive, to_beats

FRAMES = border_frames(np.random.default_rng(0), 2, 6)
OTHERS = border_frames(np.random.default_rng(1), 2, 6)[::-1]


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("table", [True, False])
def test_an_activation_repeats_golden(table, stalls):
    op = activation(table)
    flow = drive(ActivationStage(op, INT8, 3), {"source": to_beats(FRAMES, 3)}, FRAMES.size // 3, stalls)
    assert np.array_equal(flow.tokens(6), op.curve(FRAMES).reshape(-1, 6))


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize(
    "op",
    [
        two(Multiply, 6, shift=6)[-1],
        two(Add, 6, left_shift=2, right_shift=0, shift=2)[-1],
        two(Add, 6, left_shift=0, right_shift=3, shift=1)[-1],
    ],
    ids=["multiply", "add_left", "add_right"],
)
def test_a_pair_repeats_golden(op, stalls):
    expected = golden.execute(op, {"left": FRAMES, "right": OTHERS})
    sources = {"left": to_beats(FRAMES, 2), "right": to_beats(OTHERS, 2)}
    flow = drive(PairStage(op, INT8, INT8, 2), sources, FRAMES.size // 2, stalls)
    assert np.array_equal(flow.tokens(6), expected.reshape(-1, 6))
