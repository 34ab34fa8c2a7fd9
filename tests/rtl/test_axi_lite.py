"""The registers, asked by a bus master in Amaranth's simulator; `integration` asks them around a whole accelerator."""

import random
import re
from pathlib import Path

import pytest
from amaranth.sim import Simulator

from emamba import __version__
from emamba.eda.verilog import lint, verilog
from emamba.fixed import Integer
from emamba.rtl import build
from emamba.rtl.axi_lite import (
    IDENTITY,
    OKAY,
    REGISTERS,
    SLAVE_ERROR,
    WEIGHT_REGISTERS,
    Registers,
    register_map,
    register_top,
)
from emamba.rtl.axi_stream import stream_top
from emamba.rtl.weights import Region
from networks import random_network

AT = {register.name: register.offset for register in REGISTERS + WEIGHT_REGISTERS}
COUNTERS = ("FRAMES", "ERRORS", "STARVED", "BLOCKED")
GRAPH = 0xC0FFEE42


class Master:
    """Writes and reads `registers`; `rng` decides how long each channel waits."""

    def __init__(self, context, registers, rng):
        self.context, self.registers, self.rng = context, registers, rng

    def _pause(self, most):
        return self.rng.randrange(most + 1)

    async def write(self, address, data, strobe=1, address_late=0, data_late=0, most=0):
        """The response; the channels are offered after so many cycles, and the response taken after up to `most`."""
        context, it, done = self.context, self.registers, {"aw": False, "w": False}
        context.set(it.s_axi_awaddr, address)
        context.set(it.s_axi_wdata, data)
        context.set(it.s_axi_wstrb, strobe)
        patience, cycle = self._pause(most), 0
        context.set(it.s_axi_bready, patience == 0)
        while True:
            context.set(it.s_axi_awvalid, not done["aw"] and cycle >= address_late)
            context.set(it.s_axi_wvalid, not done["w"] and cycle >= data_late)
            handshakes = (it.s_axi_awvalid & it.s_axi_awready, it.s_axi_wvalid & it.s_axi_wready, it.s_axi_bvalid)
            _, _, addressed, filled, answered, response = await context.tick().sample(*handshakes, it.s_axi_bresp)
            done = {"aw": done["aw"] or addressed, "w": done["w"] or filled}
            cycle += 1
            assert cycle < 100, "no response"
            if answered:
                assert all(done.values()), "a response before address and data"
                if context.get(it.s_axi_bready):
                    context.set(it.s_axi_bready, 0)
                    return response
                patience -= 1
                context.set(it.s_axi_bready, patience <= 0)

    async def read(self, address, most=0):
        """The response and the data."""
        context, it = self.context, self.registers
        context.set(it.s_axi_araddr, address)
        context.set(it.s_axi_arvalid, 1)
        ready = False
        while not ready:
            _, _, ready = await context.tick().sample(it.s_axi_arready)
        context.set(it.s_axi_arvalid, 0)
        for _ in range(self._pause(most)):
            before = context.get(it.s_axi_rdata)
            await context.tick()
            assert context.get(it.s_axi_rvalid), "the answer went before it was taken"
            assert context.get(it.s_axi_rdata) == before, "a waiting answer changed"
        context.set(it.s_axi_rready, 1)
        valid = False
        while not valid:
            _, _, valid, response, data = await context.tick().sample(it.s_axi_rvalid, it.s_axi_rresp, it.s_axi_rdata)
        context.set(it.s_axi_rready, 0)
        return response, data

    async def value(self, name):
        response, data = await self.read(AT[name])
        assert response == OKAY
        return data


def told(talk, seed=0, regions=()):
    """Lets `talk(context, registers, master)` speak with fresh registers; gives what they write to weights."""
    registers, seen = Registers(GRAPH, regions), []
    simulator = Simulator(registers)
    simulator.add_clock(1e-6)

    async def bench(context):
        await talk(context, registers, Master(context, registers, random.Random(seed)))

    async def watch(context):
        load = registers.load
        async for _, _, write, address, data in context.tick().sample(load.write, load.address, load.data):
            if write:
                seen.append((address, data))

    simulator.add_testbench(bench)
    if regions:
        simulator.add_testbench(watch, background=True)
    simulator.run()
    return seen


async def during(context, registers, **cycles):
    """Holds events for so many cycles, one after the other."""
    for name, count in cycles.items():
        context.set(getattr(registers, name), 1)
        await context.tick().repeat(count)
        context.set(getattr(registers, name), 0)


def test_what_never_changes():
    async def talk(context, registers, master):
        major, minor, patch = map(int, re.match(r"(\d+)\.(\d+)\.(\d+)", __version__).groups())
        assert await master.value("IDENTITY") == IDENTITY == 0x454D4241
        assert await master.value("VERSION") == major << 16 | minor << 8 | patch
        assert await master.value("GRAPH") == GRAPH
        for name in ("IDENTITY", "VERSION", "GRAPH", *COUNTERS):
            before = await master.value(name)
            assert await master.write(AT[name], 0xFFFFFFFF, 15) == OKAY
            assert await master.value(name) == before

    told(talk)


def test_events_are_counted_and_an_error_stays_until_a_one_is_written():
    async def talk(context, registers, master):
        assert [await master.value(name) for name in ("STATUS", *COUNTERS)] == [0] * 5
        await during(context, registers, frame=3, error=2, starved=70, blocked=5)
        assert [await master.value(name) for name in ("STATUS", *COUNTERS)] == [1, 3, 2, 70, 5]
        for data, strobe in ((0, 15), (2, 15), (1, 14)):
            assert await master.write(AT["STATUS"], data, strobe) == OKAY
            assert await master.value("STATUS") == 1
        assert await master.write(AT["STATUS"], 1) == OKAY
        assert await master.value("STATUS") == 0
        assert await master.value("ERRORS") == 2

    told(talk)


def test_an_error_while_the_flag_is_cleared_is_not_lost():
    async def talk(context, registers, master):
        context.set(registers.error, 1)
        assert await master.write(AT["STATUS"], 1) == OKAY
        context.set(registers.error, 0)
        assert await master.value("STATUS") == 1

    told(talk)


def test_a_soft_reset_lasts_16_cycles_and_clears():
    async def talk(context, registers, master):
        await during(context, registers, frame=3, error=2)
        lasting = []

        assert await master.write(AT["CONTROL"], 0) == OKAY
        assert not context.get(registers.soft_reset)
        assert await master.write(AT["CONTROL"], 1) == OKAY
        assert await master.value("CONTROL") == 1
        while context.get(registers.soft_reset):
            lasting.append(1)
            await context.tick()
        assert 10 < len(lasting) < 16, "some went by while the bus answered"
        assert [await master.value(name) for name in ("CONTROL", "STATUS", *COUNTERS)] == [0] * 6

    told(talk)


@pytest.mark.parametrize(("address_late", "data_late"), [(0, 0), (3, 0), (0, 3), (1, 0), (0, 1)])
def test_address_and_data_come_in_any_order(address_late, data_late):
    async def talk(context, registers, master):
        for _ in range(3):
            await during(context, registers, error=1)
            assert await master.value("STATUS") == 1
            late = {"address_late": address_late, "data_late": data_late}
            assert await master.write(AT["STATUS"], 1, **late) == OKAY
            assert await master.value("STATUS") == 0

    told(talk)


@pytest.mark.parametrize("seed", range(4))
def test_a_busy_bus_with_slow_answers(seed):
    """Back to back, or with answers that are taken late; the flag follows a model."""

    async def talk(context, registers, master):
        rng, flag, errors = random.Random(seed), 0, 0
        for _ in range(60):
            action, most = rng.randrange(3), rng.choice((0, 0, 4))
            if action == 0:
                await during(context, registers, error=1)
                flag, errors = 1, errors + 1
            elif action == 1:
                data = rng.randrange(2)
                late = {"address_late": rng.randrange(3), "data_late": rng.randrange(3)}
                assert await master.write(AT["STATUS"], data, most=most, **late) == OKAY
                flag &= ~data
            else:
                assert await master.read(AT["STATUS"], most) == (OKAY, flag)
                assert await master.read(AT["ERRORS"], most) == (OKAY, errors)

    told(talk, seed)


def test_a_write_and_a_read_every_two_cycles():
    async def talk(context, registers, master):
        before = await master.value("STARVED")
        context.set(registers.starved, 1)
        for _ in range(8):
            await master.read(AT["IDENTITY"])
        for _ in range(8):
            await master.write(AT["STATUS"], 1)
        context.set(registers.starved, 0)
        assert await master.value("STARVED") - before == 16 + 24, "a master that waits for each answer takes three"

    told(talk)


def test_unaligned_addresses_are_those_of_their_word_and_unknown_ones_are_refused():
    async def talk(context, registers, master):
        await during(context, registers, error=1)
        for low in (1, 2, 3):
            assert await master.read(AT["GRAPH"] + low) == (OKAY, GRAPH)
        for address in (AT["BLOCKED"] + 4, 0x3C, 0x40, 0x100 + AT["STATUS"], 0xFFC):
            assert await master.read(address) == (SLAVE_ERROR, 0)
            assert await master.write(address, 1) == SLAVE_ERROR
        assert await master.value("STATUS") == 1
        assert await master.write(AT["STATUS"] + 3, 1) == OKAY
        assert await master.value("STATUS") == 0

    told(talk)


REGIONS = [Region("a", "weight", (9, 8), (0, 1), 8, Integer(20)), Region("a", "bias", (4,), (0,), 1, Integer(7), 128)]


def test_weights_are_written_one_after_the_other():
    """Address and data as wide as they are needed; events and resets in between do not matter, strobes do."""

    async def talk(context, registers, master):
        assert [await master.value(name) for name in ("WEIGHT_ADDRESS", "WEIGHT_DATA")] == [0, 0]
        assert await master.write(AT["WEIGHT_ADDRESS"], 37) == OKAY
        assert await master.write(AT["WEIGHT_ADDRESS"], 1, strobe=14) == OKAY
        for value in (5, 0xFFFFFFFF, 0x12345678):
            assert await master.write(AT["WEIGHT_DATA"], value, data_late=value % 3, most=2) == OKAY
        assert await master.write(AT["WEIGHT_DATA"], 3, strobe=14) == OKAY
        assert await master.write(AT["CONTROL"], 1) == OKAY
        assert await master.write(AT["WEIGHT_DATA"], 2, address_late=1) == OKAY
        assert context.get(registers.soft_reset), "a soft reset is under way"
        assert await master.value("WEIGHT_ADDRESS") == 41
        assert await master.write(AT["WEIGHT_ADDRESS"], 255) == OKAY
        assert await master.write(AT["WEIGHT_DATA"], 9) == OKAY
        assert await master.value("WEIGHT_ADDRESS") == 0
        assert await master.value("STATUS") == 0

    assert told(talk, regions=REGIONS) == [(37, 5), (38, 0xFFFFF), (39, 0x45678), (40, 2), (255, 9)]


def test_without_regions_there_is_nothing_to_load():
    async def talk(context, registers, master):
        for name in ("WEIGHT_ADDRESS", "WEIGHT_DATA"):
            assert await master.read(AT[name]) == (SLAVE_ERROR, 0)
            assert await master.write(AT[name], 1) == SLAVE_ERROR

    told(talk)
    graph = random_network(3).graph
    assert register_map(build(graph, 9)) == REGISTERS
    assert register_map(build(graph, 9, loadable=True)) == REGISTERS + WEIGHT_REGISTERS


@pytest.mark.parametrize("loadable", [False, True])
def test_the_linter_has_nothing_to_say_about_the_whole(loadable):
    design = build(random_network(3).graph, 9, loadable=loadable)
    texts = {design.top: design.rtlil, design.stream_top: stream_top(design), design.register_top: register_top(design)}
    text = "".join(verilog(rtlil, top) for top, rtlil in texts.items())
    lint(text, design.register_top)
    assert f"32'd{int(design.graph_hash[:8], 16)};" in text


def test_the_documents_have_the_same_map():
    text = (Path(__file__).parents[2] / "docs" / "integration.md").read_text()
    rows = re.findall(r"^\| 0x(\w\w) \| ([A-Z_]+) \| (\S+) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(f"{it.offset:02X}", it.name, it.access, it.meaning) for it in REGISTERS + WEIGHT_REGISTERS]
