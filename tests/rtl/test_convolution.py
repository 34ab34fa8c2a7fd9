import numpy as np
import pytest
from amaranth.back import rtlil

from cases import INT8, border_frames, causal, convolution
from emamba.eda.synthesis import synthesize
from emamba.eda.verilog import verilog
from emamba.graph import Convolution, golden
from emamba.graph.bounds import accumulator
from emamba.rtl.convolution import ConvolutionStage
from streams import Flow, drive, to_beats

CHANNELS, MIXED = 6, [6, 7, 4, 7, 7, 5]
RNG = np.random.default_rng(3)
WINDOWS = {  # operation and tokens of a frame
    "causal": (causal(RNG, CHANNELS, 4, 5, MIXED), 5),
    "pointwise": (causal(RNG, CHANNELS, 1, 3, 6), 3),
    "around": (convolution(RNG, CHANNELS, (3, 3), (1, 1), 4, 8), 12),
    "far": (convolution(RNG, CHANNELS, (5, 5), (2, 2), 3, 9), 12),
    "row": (convolution(RNG, CHANNELS, (1, 3), (0, 1), 6, MIXED), 6),
    "column": (convolution(RNG, CHANNELS, (3, 3), (1, 1), 1, 7), 4),
    "ahead": (convolution(RNG, CHANNELS, (3, 3), (0, 0), 3, 8), 6),
    "behind": (convolution(RNG, CHANNELS, (2, 2), (1, 1), 2, 8), 6),
    "beyond": (convolution(RNG, CHANNELS, (7, 3), (3, 1), 2, 8), 4),
    "one token": (convolution(RNG, CHANNELS, (3, 3), (1, 1), 1, 7), 1),
}
FOLDINGS = [(1, 0), (6, 0), (2, 1), (3, 2), (6, 2)]  # lanes, and which of `choices` of taps


def stage(op: Convolution, tokens: int, lanes: int, taps: int) -> ConvolutionStage:
    return ConvolutionStage(op, INT8, accumulator(op, {"input": INT8}, tokens), tokens, lanes, taps)


def driven(op: Convolution, tokens: int, lanes: int, taps: int, stalls: float = 0.0) -> Flow:
    """What the stage makes of six frames; it is compared with what it should."""
    frames = border_frames(np.random.default_rng(0), tokens, CHANNELS)[3:9]
    expected = golden.convolution(op, frames)
    beats = {"source": to_beats(frames, lanes)}
    flow = drive(stage(op, tokens, lanes, taps), beats, expected.size // lanes, stalls)
    assert np.array_equal(flow.tokens(CHANNELS), expected.reshape(-1, CHANNELS))
    assert [first for _, first in flow.beats] == [first for _, first in to_beats(expected, lanes)]
    return flow


def choices(op: Convolution) -> list[int]:
    """Taps a cycle: one, some, all."""
    window = op.weight[0].size
    taps = [taps for taps in range(1, window + 1) if window % taps == 0]
    return [taps[0], taps[len(taps) // 2], taps[-1]]


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize(("lanes", "taps"), FOLDINGS)
@pytest.mark.parametrize(("op", "tokens"), WINDOWS.values(), ids=WINDOWS.keys())
def test_every_folding_repeats_golden(op, tokens, lanes, taps, stalls):
    driven(op, tokens, lanes, choices(op)[taps], stalls)


@pytest.mark.parametrize(("lanes", "taps"), FOLDINGS)
@pytest.mark.parametrize(("op", "tokens"), WINDOWS.values(), ids=WINDOWS.keys())
def test_frames_follow_each_other_at_the_pace_of_the_stage(op, tokens, lanes, taps):
    """Also from one frame to the next, which has to arrive while the end of the one before is computed."""
    taps = choices(op)[taps]
    cycles = driven(op, tokens, lanes, taps).cycles
    beats, steps = CHANNELS // lanes * tokens, op.weight[0].size // taps
    ends = cycles[2 * beats - 1 :: beats]  # the first frame fills the ring
    assert np.diff(ends).tolist() == [beats * steps] * 4


def test_the_first_beat_waits_for_the_last_one_that_it_needs():
    op, tokens = WINDOWS["around"]
    slow, fast = (driven(op, tokens, 2, taps).cycles[0] for taps in (1, 9))
    assert fast < op.ahead * 3 + 12
    assert slow - fast < 9


def test_the_ring_is_memory():
    op = convolution(RNG, 32, (3, 3), (1, 1), 8, 8)
    text = verilog(rtlil.convert(stage(op, 64, 4, 1), name="ring", emit_src=False), "ring")
    found = synthesize(text, "ring").totals
    bits = (op.behind + op.ahead) * 32 * 8
    assert found.BRAM > 0 or bits < 64 * found.LUTRAM
    assert found.FF < 470
    assert found.DSP == 4
