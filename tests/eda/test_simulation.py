"""The harness on a design small enough to know every cycle of, and on its planted faults."""

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.eda.simulation import Simulation, simulate
from emamba.eda.simulator import Simulator, build_simulator
from emamba.eda.verilog import verilog
from emamba.errors import DataError, MismatchError, ToolError
from emamba.fixed import Integer
from emamba.rtl.activity import Activity
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.stream import beats, moves

DTYPE, LANES, CHANNELS, TOKENS = Integer(12), 9, 18, 3  # beats of 109 bits: more than a machine word
FRAME_BEATS = TOKENS * CHANNELS // LANES
DEAF, MUTE, RESTLESS, SHY, UNMARKED, TALKATIVE, OUTLASTING, SLEEPY, SLEEPLESS = range(2001, 2010)


class Plus(wiring.Component):
    """Adds 1 to the elements of even beats and 2 to those of odd beats, in one register.

    A first element from 2001 on plants a fault, for good.
    """

    def __init__(self) -> None:
        super().__init__({"input": In(beats(DTYPE, LANES)), "output": Out(beats(DTYPE, LANES)), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.activity = activity = Activity(FRAME_BEATS, FRAME_BEATS)
        full, first, odd, blink = Signal(), Signal(), Signal(reset_less=True), Signal()
        held = [Signal(DTYPE.bits, name=f"held_{lane}") for lane in range(LANES)]
        fault = Signal(12, reset_less=True)
        accepts = moves(self.input)
        m.d.sync += blink.eq(~blink)
        with m.If(self.output.ready):
            m.d.sync += full.eq(fault == TALKATIVE)
        with m.If(accepts):
            m.d.sync += [full.eq(fault != MUTE), odd.eq(~odd), first.eq(self.input.payload.first)]
            m.d.sync += [element.eq(self.input.payload.data[lane] + 1 + odd) for lane, element in enumerate(held)]
            with m.If(self.input.payload.data[0] > 2000):
                m.d.sync += fault.eq(self.input.payload.data[0])
        with m.If(ResetSignal() & (fault != OUTLASTING)):
            m.d.sync += odd.eq(0)
        m.d.comb += [
            self.input.ready.eq((~full | self.output.ready) & (fault != DEAF)),
            self.output.valid.eq(full & ~((fault == SHY) & blink)),
            self.output.payload.first.eq(first & (fault != UNMARKED)),
            Value.cast(self.output.payload.data).eq(Cat(held) ^ ((fault == RESTLESS) & blink)),
        ]
        m.d.comb += [
            activity.input_valid.eq(self.input.valid),
            activity.input_ready.eq(self.input.ready),
            activity.output_valid.eq(self.output.valid),
            activity.output_ready.eq(self.output.ready),
            self.active.eq((activity.active & (fault != SLEEPY)) | (fault == SLEEPLESS)),
        ]
        for name, port in (("input", self.input), ("plus", self.output)):
            wires = {"valid": port.valid, "ready": port.ready, "payload": Value.cast(port.payload.data)}
            for wire, value in wires.items():
                m.d.comb += Signal(len(value), name=f"tap_{name}_{wire}").eq(value)
            m.d.comb += Signal(name=f"busy_{name}").eq(moves(port))
        return m


def expected(frames):
    """What the design makes of `frames`; beats count on over frames."""
    flat = frames.reshape(-1, LANES)
    return (flat + 1 + np.arange(len(flat))[:, None] % 2).reshape(frames.shape)


@pytest.fixture(scope="module")
def plus(simulators) -> Simulator:
    text = rtlil.convert(Plus(), name="emamba_plus", emit_src=False)
    ports = [Port(name, CHANNELS, LANES, DTYPE, TOKENS) for name in ("input", "plus")]
    stages = (Stage("input", "Input", LANES, 0, 2, ()), Stage("plus", "Plus", LANES, 0, 2, ("input",)))
    design = Design("plus", "emamba_plus", text, 2, ports[0], ports[1], stages, tuple(ports), "")
    return build_simulator(design, verilog(text, design.top), simulators, optimised=False)


@pytest.fixture(scope="module")
def frames():
    """Ends and random values, none of which plants a fault."""
    drawn = np.random.default_rng(0).integers(DTYPE.lo, 2001, (40, TOKENS, CHANNELS))
    drawn[0], drawn[1] = DTYPE.lo, 2000
    return drawn


def test_every_beat_moves_at_once_without_stalls(plus, frames):
    found = simulate(plus, frames)
    assert np.array_equal(found.outputs, expected(frames))
    assert found.tensors == {}
    assert found.first_input.tolist() == [FRAME_BEATS * frame for frame in range(len(frames))]
    assert found.last_output.tolist() == [FRAME_BEATS * (frame + 1) for frame in range(len(frames))]
    assert (found.latency_cycles, found.cycles_per_frame) == (FRAME_BEATS, FRAME_BEATS)


def test_a_single_frame_has_a_latency(plus, frames):
    found = simulate(plus, frames[:1])
    assert (found.latency_cycles, found.cycles_per_frame) == (FRAME_BEATS, FRAME_BEATS)


def test_occupancy_covers_three_frames(plus, frames):
    occupancy = simulate(plus, frames).occupancy
    end = 3 * FRAME_BEATS + 1
    assert occupancy.cycles == end
    assert occupancy.busy == {"input": ((0, end),), "plus": ((1, end),)}


def test_idle_stages_end_their_interval(plus, frames):
    busy = simulate(plus, frames[:1]).occupancy.busy
    assert busy == {"input": ((0, FRAME_BEATS),), "plus": ((1, FRAME_BEATS + 1),)}


@pytest.mark.parametrize("trace", [range(2), range(5, 9), range(39, 40)])
@pytest.mark.parametrize("seed", [None, 4])
def test_every_tensor_of_the_traced_frames_is_recorded(plus, frames, trace, seed):
    tensors = simulate(plus, frames, seed, trace).tensors
    assert list(tensors) == ["input", "plus"]
    assert np.array_equal(tensors["input"], frames[trace.start : trace.stop])
    assert np.array_equal(tensors["plus"], expected(frames)[trace.start : trace.stop])


@pytest.mark.parametrize("seed", range(5))
def test_random_stalls_change_the_time_only(plus, frames, seed):
    found, again = simulate(plus, frames, seed), simulate(plus, frames, seed)
    assert np.array_equal(found.outputs, expected(frames))
    assert found.last_output[-1] > 1.5 * FRAME_BEATS * len(frames)
    assert found.last_output.tolist() == again.last_output.tolist()
    assert found.last_output.tolist() != simulate(plus, frames, seed + 1).last_output.tolist()


@pytest.mark.parametrize("beats_before", [1, FRAME_BEATS, 2 * FRAME_BEATS + 1])
@pytest.mark.parametrize("seed", [None, 1])
def test_a_reset_in_the_middle_starts_over(plus, frames, beats_before, seed):
    found = simulate(plus, frames, seed, range(2), reset_after=beats_before)
    assert np.array_equal(found.outputs, expected(frames))
    assert np.array_equal(found.tensors["plus"], expected(frames)[:2])
    assert len(found.last_output) == len(frames)


def test_what_outlasts_a_reset_is_seen(plus, frames):
    planted = frames.copy()
    planted[0, 0, 0] = OUTLASTING
    assert np.array_equal(simulate(plus, planted).outputs[:, 1:], expected(planted)[:, 1:])
    assert not np.array_equal(simulate(plus, planted, reset_after=1).outputs[:, 1:], expected(planted)[:, 1:])


@pytest.mark.parametrize(
    ("fault", "seed", "message"),
    [
        (DEAF, None, r"no output for \d+ cycles after 2 frames and 1 beats; valid but not ready: input; ready but"),
        (MUTE, None, r"after 2 frames and 1 beats; valid but not ready: none; ready but not valid: input plus"),
        (RESTLESS, 1, r"output changed beat \d+ while it waited for ready"),
        (SHY, 1, r"output changed beat \d+: valid fell before ready came"),
        (UNMARKED, None, r"output beat 0 of frame \d has the flag `first` clear"),
        (SLEEPY, 1, r"output beat 2 of frame 2 has the flag `first` set"),
        (SLEEPLESS, None, r"the design stays active after the last frame"),
        (TALKATIVE, None, r"an output frame without an input frame|goes on after the last frame"),
    ],
)
def test_a_broken_stream_is_a_mismatch(plus, frames, fault, seed, message):
    planted = frames[:4].copy()
    planted[2, 0, 0] = fault
    with pytest.raises(MismatchError, match=message):
        simulate(plus, planted, seed)


def test_a_tap_that_breaks_its_stream_is_named(plus, frames):
    planted = frames[:4].copy()
    planted[2, 0, 0] = RESTLESS
    with pytest.raises(MismatchError, match="plus changed beat"):
        simulate(plus, planted, 1, range(4))


def test_progress_ends_with_all_frames(plus, frames):
    steps = []
    simulate(plus, frames, progress=lambda *step: steps.append(step))
    assert steps[-1] == (len(frames), len(frames), "simulated frames")
    assert all(0 <= done <= total == len(frames) for done, total, _ in steps)


@pytest.mark.parametrize("shape", [(0, TOKENS, CHANNELS), (2, TOKENS, CHANNELS + 1), (TOKENS, CHANNELS)])
def test_frames_of_a_wrong_shape_are_refused(plus, shape):
    with pytest.raises(DataError, match="frames have shape"):
        simulate(plus, np.zeros(shape, np.int64))


def test_a_simulator_that_fails_is_a_tool_error(plus, frames, tmp_path):
    (tmp_path / "simulator").write_text("#!/bin/sh\necho no space >&2\nexit 1\n")
    (tmp_path / "simulator").chmod(0o755)
    with pytest.raises(ToolError, match="no space"):
        simulate(Simulator(plus.design, tmp_path / "simulator"), frames)


def test_speed_is_read_from_the_cycles_of_the_frames(plus, frames):
    found = simulate(plus, frames)
    times = {"first_input": np.array([3, 9, 20]), "last_output": np.array([17, 30, 43])}
    other = Simulation(found.outputs, {}, **times, wrong=found.wrong, occupancy=found.occupancy, seconds=1.0)
    assert (other.latency_cycles, other.cycles_per_frame) == (14, 13)
