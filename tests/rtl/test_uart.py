"""Receiver and transmitter in Amaranth's simulator; the serial top at its pins, under Verilator."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from cases import Case, one_element, operation_cases
from emamba.eda.verilog import lint, verilog
from emamba.graph import predict
from emamba.rtl import build, serial_room, serial_top, stream_top
from emamba.rtl.uart import Receiver, Transmitter
from lines import Talk, answers
from networks import random_network

CYCLE = 1e-6


def received(bit_cycles, rate, bits):
    """Bytes that a receiver takes from `bits` of a line, and in how many of its cycles it was broken."""
    receiver, found, broken = Receiver(bit_cycles), [], []
    simulator = Simulator(receiver)
    simulator.add_clock(CYCLE)

    async def speak(context):
        for bit in bits:
            context.set(receiver.line, bit)
            await context.delay(CYCLE * bit_cycles * rate)

    async def listen(context):
        async for _, _, valid, data, now in context.tick().sample(receiver.valid, receiver.data, receiver.broken):
            broken.append(now)
            if valid:
                found.append(data)

    simulator.add_testbench(speak)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    return bytes(found), sum(broken)


def framed(data, gap=0):
    return [bit for byte in data for bit in (0, *(byte >> place & 1 for place in range(8)), 1, *[1] * gap)]


@pytest.mark.parametrize("rate", [0.97, 1.0, 1.03])
@pytest.mark.parametrize(("bit_cycles", "gap"), [(25, 0), (8, 1), (8, 0)])
def test_bytes_arrive_from_a_line_that_is_a_little_fast_or_slow(bit_cycles, gap, rate):
    data = bytes([0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80]) + random.Random(0).randbytes(60)
    found, broken = received(bit_cycles, rate, [1] * 3 + framed(data, gap) + [1] * 3)
    assert found == data
    assert broken <= 2 + bit_cycles // 2 + 1, "only in the beginning"


def test_a_break_is_no_byte_and_lasts_until_the_line_is_one():
    before, after = b"ab", b"cd"
    found, broken = received(25, 1.0, [1] * 3 + framed(before) + [0] * 30 + [1] * 2 + framed(after) + [1] * 3)
    assert found == before + after
    assert broken == pytest.approx(25 * 20.5 + 2 * 13, abs=3), "half a bit each in the beginning and behind it"


def test_a_line_that_is_zero_from_the_beginning_is_broken():
    found, broken = received(25, 1.0, [0] * 40)
    assert found == b""
    assert broken == pytest.approx(40 * 25, abs=2)


def test_a_spike_is_no_start_bit():
    found, _ = received(25, 0.1, [1] * 30 + [0] * 3 + [1] * 300)
    assert found == b""


def test_the_transmitter_holds_each_bit_for_its_time():
    transmitter, data, line = Transmitter(5), b"\x00\xff\xa5", []
    simulator = Simulator(transmitter)
    simulator.add_clock(CYCLE)

    async def feed(context):
        for byte in data:
            context.set(transmitter.source.payload, {"data": [byte], "first": 0})
            context.set(transmitter.source.valid, 1)
            await context.tick().until(transmitter.source.ready)
        context.set(transmitter.source.valid, 0)
        await context.tick().repeat(60)

    async def watch(context):
        async for _, _, now in context.tick().sample(transmitter.line):
            line.append(now)

    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    expected = [1] + [bit for byte in data for bit in [*np.repeat(framed([byte]), 5).tolist(), 1]]
    assert line[: len(expected)] == expected
    assert set(line[len(expected) :]) == {1}


def named(name: str) -> Case:
    return next(case for case in operation_cases() if str(case) == name)


# Bytes of 1 and 4 an element, one lane and three with a spare byte beside them, weights that could be loaded.
WHOLE = [(one_element(), 2, False), (named("linear_border"), 3, False), (random_network(3), 9, True)]


@pytest.mark.parametrize(("case", "interval", "loadable"), WHOLE, ids=lambda value: str(value))
def test_results_at_the_pins_are_the_golden_ones_whatever_was_before(case, interval, loadable, tmp_path):
    """From power-up, at both ends of the rates, with gaps, behind garbage of any length and rate."""
    design = build(case.graph, interval, loadable=loadable)
    texts = {design.top: design.rtlil, design.stream_top: stream_top(design), design.serial_top: serial_top(design, 8)}
    files = {f"{top}.v": verilog(text, top) for top, text in texts.items()}
    lint("".join(files.values()), design.serial_top)
    frames = case.frames[:12]
    data = frames.astype(f"<i{design.input.element_bytes}").tobytes()
    expected = predict(case.graph, frames).astype(f"<i{design.output.element_bytes}").tobytes()
    assert len(data) == len(frames) * design.input.frame_bytes < serial_room(design)
    garbage, count = random.Random(2).randbytes(3 * design.input.frame_bytes + 1), len(expected)
    talks = [
        Talk(data, count, pause=0),
        Talk(data, count, slow=1.02, gaps=0.3),
        Talk(data, count, slow=0.98, gaps=0.3),
        Talk(data, count, garbage=garbage, gaps=0.1, pause=10),
        Talk(data, count, garbage=garbage, babble=0.6),
        Talk(data[:-1], count - design.output.frame_bytes),
        Talk(data[-1:], design.output.frame_bytes, pause=0),
    ]
    found = answers(files, design.serial_top, 8, talks, tmp_path)
    assert found[:5] == [expected] * 5
    assert found[5] + found[6] == expected


def test_there_is_room_for_two_frames_and_at_least_for_a_block():
    design = build(one_element().graph, 12)
    assert design.input.frame_bytes == 18
    assert serial_room(design) == 2048
    for tokens, room in ((341, 4096), (1365, 16384), (170, 2048)):
        assert serial_room(replace(design, input=replace(design.input, tokens=tokens))) == room
