"""The AXI4-Stream top: its ends in Amaranth's simulator, all of it under Verilator, and its paths in Yosys."""

import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from cases import Case, one_element, operation_cases
from emamba.eda.simulation import simulate
from emamba.eda.simulator import build_simulator
from emamba.eda.verilog import lint, verilog
from emamba.eda.yosys import yosys
from emamba.files import write
from emamba.fixed import Integer
from emamba.graph import predict
from emamba.rtl import Port, build
from emamba.rtl.axi_stream import Egress, Ingress, stream_top
from networks import random_network

PORT = Port("input", 6, 3, Integer(5), 3)  # 6 beats a frame, 4 bytes a beat
BEATS = PORT.frame_beats
LENGTHS = [BEATS, 1, BEATS, BEATS + 1, BEATS, BEATS - 1, 2, BEATS, 2 * BEATS + 1, 2 * BEATS, 1, 1, BEATS, BEATS]


class _Loop(wiring.Component):
    """An ingress with its egress behind it: nothing changes but frames of a wrong length."""

    def __init__(self, frames):
        self.ingress, self.egress = Ingress(PORT, frames), Egress(PORT)
        super().__init__({"source": In(1), "output": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ingress, m.submodules.egress = self.ingress, self.egress
        wiring.connect(m, self.ingress.output, self.egress.source)
        wiring.connect(m, self.ingress.wrong, self.egress.wrong)
        return m


def looped(lengths, stalls, frames=3, seed=0):
    """Packets of `lengths` through a loop: what was sent, what came as (data, last, user), and the errors seen."""
    rng, loop, came, errors = random.Random(seed), _Loop(frames), [], []
    sent = [[rng.getrandbits(32) for _ in range(length)] for length in lengths]
    simulator = Simulator(loop)
    simulator.add_clock(1e-6)

    async def feed(context):
        port = loop.ingress
        for data, last in [(data, place + 1 == len(packet)) for packet in sent for place, data in enumerate(packet)]:
            while rng.random() < stalls:
                await context.tick()
            context.set(port.tdata, data)
            context.set(port.tlast, last)
            context.set(port.tvalid, 1)
            ready = False
            while not ready:
                _, _, ready = await context.tick().sample(port.tready)
            context.set(port.tvalid, 0)

    async def take(context):
        port, cycle, waiting = loop.egress, 0, None
        while len(came) < BEATS * len(lengths):
            ready, cycle = rng.random() >= stalls, cycle + 1
            context.set(port.tready, ready)
            signals = port.tvalid, loop.ingress.error, port.tdata, port.tlast, port.tuser
            _, _, valid, error, *beat = await context.tick().sample(*signals)
            errors.append(error)
            assert waiting is None or (valid and beat == waiting), "a waiting beat changed"
            waiting = beat if valid and not ready else None
            if valid and ready:
                came.append(tuple(beat))
            assert cycle < 2000, f"hangs after {len(came)} beats"
        for _ in range(3 * BEATS):
            context.set(port.tready, 1)
            _, _, valid, error = await context.tick().sample(port.tvalid, loop.ingress.error)
            errors.append(error)
            assert not valid, "a beat too many"

    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(take)
    simulator.run()
    return SimpleNamespace(sent=sent, came=came, errors=errors)


def extended(data):
    """The three elements of a beat, whose bits above the fifth and whose fourth byte are garbage, with their signs."""
    elements = [data >> 8 * lane & 31 for lane in range(3)]
    return sum(((value - (value >> 4 << 5)) & 255) << 8 * lane for lane, value in enumerate(elements))


@pytest.mark.parametrize("stalls", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("frames", [3, 9])
def test_packets_become_frames_whatever_their_length(frames, stalls):
    flow = looped(LENGTHS, stalls, frames)
    expected = []
    for packet in flow.sent:
        frame = [extended(data) for data in packet[:BEATS]] + [0] * (BEATS - len(packet))
        wrong = len(packet) != BEATS
        expected += [(data, place + 1 == BEATS, place + 1 == BEATS and wrong) for place, data in enumerate(frame)]
    assert flow.came == expected


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_each_wrong_packet_is_told_for_one_cycle(stalls):
    flow = looped(LENGTHS, stalls)
    assert sum(flow.errors) == sum(length != BEATS for length in LENGTHS)
    assert sum(looped([BEATS] * 4, stalls).errors) == 0


def test_the_ends_lose_no_cycle():
    """The first beat is taken one cycle after reset and leaves two cycles later."""
    assert len(looped([BEATS] * 8, 0.0).errors) - 3 * BEATS == 8 * BEATS + 3


def test_nothing_is_taken_in_the_cycle_after_a_reset():
    loop = _Loop(3)
    simulator = Simulator(loop)
    simulator.add_clock(1e-6)

    async def look(context):
        found = [context.get(loop.ingress.tready)]
        await context.tick()
        assert [*found, context.get(loop.ingress.tready)] == [0, 1]

    simulator.add_testbench(look)
    simulator.run()


def named(name: str) -> Case:
    return next(case for case in operation_cases() if str(case) == name)


# Beats of one and of several elements, bytes of 1, 2 and 4, unsigned outputs, outputs of one beat and of many.
WHOLE = [(one_element(), 3), (named("linear_up"), 3), (named("linear_relu"), 12), (named("linear_border"), 3),
         (named("convolution_square"), 16), (random_network(3), 9)]  # fmt: skip


def alone(it):
    """A case and its interval as a parameter, whose tests run in one worker, which builds the simulators."""
    name = str(it[0])
    return pytest.param(it, id=name, marks=pytest.mark.xdist_group(f"axi_stream {name}"))


@pytest.fixture(scope="module", params=map(alone, WHOLE))
def whole(request, simulators):
    """A case, its design, and simulators of the core and of the AXI4-Stream top."""
    case, interval_cycles = request.param
    design = build(case.graph, interval_cycles)
    core = verilog(design.rtlil, design.top)
    both = core + verilog(stream_top(design), design.stream_top)
    lint(both, design.stream_top)
    built = [
        build_simulator(design, text, simulators, False, packets) for text, packets in ((core, False), (both, True))
    ]
    return SimpleNamespace(case=case, design=design, core=built[0], top=built[1])


def test_the_top_gives_the_golden_integers_as_fast_as_the_core(whole):
    core, top = simulate(whole.core, whole.case.frames), simulate(whole.top, whole.case.frames)
    assert np.array_equal(top.outputs, predict(whole.case.graph, whole.case.frames))
    assert not top.wrong.any()
    assert top.cycles_per_frame == core.cycles_per_frame, "flags have no place"
    assert top.latency_cycles - core.latency_cycles in (2, 3)


@pytest.mark.parametrize("seed", range(3))
def test_stalls_and_a_reset_in_the_middle_change_nothing(whole, seed):
    frames, beats = whole.case.frames, whole.design.input.frame_beats
    for after in (None, 1, beats + (beats + 1) // 2):
        found = simulate(whole.top, frames, seed, trace=range(2), reset_after=after)
        assert np.array_equal(found.outputs, predict(whole.case.graph, frames))
        assert not found.wrong.any()


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_packets_of_a_wrong_length_are_marked_and_spoil_no_other_frame(whole, seed):
    """Half of the packets are wrong, several in a row too; zeros stand for what a short one left out."""
    frames, beats = whole.case.frames.copy(), whole.design.input.frame_beats
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(len(frames)) < 0.5, beats, rng.integers(1, 3 * beats + 2, len(frames)))
    lengths[1:4] = beats + 1, max(1, beats - 1), 2 * beats
    for frame, length in zip(frames.reshape(len(frames), beats, -1), lengths, strict=True):
        frame[length:] = 0
    reset_after = None if seed == 1 else int(lengths[:2].sum()) + 1
    found = simulate(whole.top, frames, seed, lengths=lengths, reset_after=reset_after)
    assert np.array_equal(found.outputs, predict(whole.case.graph, frames))
    assert np.array_equal(found.wrong, lengths != beats)
    assert found.wrong.sum() >= 2


INPUTS = ("m_axis_tready", "s_axis_tvalid", "s_axis_tlast", "s_axis_tdata")
OUTPUTS = ("s_axis_tready", "m_axis_tvalid", "m_axis_tdata", "m_axis_tlast", "m_axis_tuser", "frame_error")


def tied(text: str, top: str, inputs, outputs, folder) -> bool:
    """Whether one of the `outputs` of the Verilog `text` depends on one of the `inputs` without a register between."""
    write(folder / "design.v", text)
    sources, targets = (" ".join(f"{top}/w:{name}" for name in names) for names in (inputs, outputs))
    steps = ["read_verilog design.v", f"hierarchy -top {top}", "proc", "flatten", "opt_clean"]
    steps += [f"select -set sources {sources}", f"select -set targets {targets}"]
    printed = yosys([*steps, "select -count @sources %co*:-$dff @targets %i"], folder)
    return int(re.findall(r"^(\d+) objects", printed, re.MULTILINE)[-1]) > 0


@pytest.mark.parametrize("name", ["linear_one", "flatten_pairs"])
def test_no_output_depends_on_an_input_in_the_same_cycle(name, tmp_path):
    """A flatten is wires."""
    design = build(named(name).graph, 4)
    text = verilog(design.rtlil, design.top) + verilog(stream_top(design), design.stream_top)
    assert not tied(text, design.stream_top, INPUTS, OUTPUTS, tmp_path)
    assert tied(text, design.stream_top, ("aresetn",), ("rst",), tmp_path)
    through = text.replace("assign tready = s_axis_tready;", "assign m_axis_tlast = s_axis_tlast;")
    assert through != text
    assert tied(through, design.stream_top, INPUTS, OUTPUTS, tmp_path)
