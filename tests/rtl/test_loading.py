"""A memory of weights is written element by element, at once, and kept by a reset."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from cases import linear
from emamba.fixed import Integer
from emamba.rtl import weights
from emamba.rtl.loading import Loader, Weights, members, names, port
from emamba.rtl.weights import Region

OP = linear(np.random.default_rng(0), 6, 6, 7)


class Reader(wiring.Component):
    """Weights and bias of a linear map, in tiles of `inputs` by `outputs`, as an address finds them."""

    def __init__(self, inputs, outputs):
        placed, base = {}, 0
        own = weights.linear(OP, inputs, outputs, False).values()
        for region in sorted(own, key=lambda it: -it.size):
            placed[region.array] = replace(region, base=base, dtype=Integer(max(8, region.dtype.bits + 1)))
            base += region.size
        self.weights = Weights(OP, placed, loaded=True)
        found = {name: Out(it.lanes * it.dtype.bits) for name, it in placed.items()}
        super().__init__({**found, "address": In(6), **self.weights.members})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Signal().eq(0)
        for name in ("weight", "bias"):
            address = self.address[: (self.weights.regions[name].words - 1).bit_length()]
            m.d.comb += getattr(self, name).eq(Cat(self.weights.read(m, self, name, address, Const(1, 1))))
        return m


def test_a_design_without_regions_has_no_port():
    assert (members([]), names([])) == ({}, [])
    signature = port([Region("a", "weight", (3, 5), (0, 1), 5, Integer(7), base=32)])
    assert {name: member.shape for name, member in signature.members.items()} == {"write": 1, "address": 5, "data": 7}


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 6), (2, 3), (1, 1), (3, 1)])
def test_each_element_is_written_by_itself_and_a_reset_changes_nothing(inputs, outputs):
    reader, rng = Reader(inputs, outputs), random.Random(0)
    regions = reader.weights.regions
    held = {name: region.rows(getattr(OP, name)).copy() for name, region in regions.items()}

    async def same(context):
        for name, region in regions.items():
            for word in range(region.words):
                context.set(reader.address, word)
                await context.tick()
                bits, mask = region.dtype.bits, (1 << region.dtype.bits) - 1
                found = context.get(getattr(reader, name))
                lanes = [found >> lane * bits & mask for lane in range(region.lanes)]
                assert lanes == [int(value) & mask for value in held[name][word]], (name, word)

    async def bench(context):
        await same(context)
        for _ in range(12):
            region = rng.choice([*regions.values()])
            word, lane = rng.randrange(region.words), rng.randrange(region.lanes)
            value = rng.randrange(region.dtype.lo, region.dtype.hi + 1)
            held[region.array][word, lane] = value
            context.set(reader.load.address, region.base + word * region.stride + lane)
            context.set(reader.load.data, value & 0xFFFFFFFF)
            context.set(reader.load.write, 1)
            await context.tick()
            context.set(reader.load.write, 0)
            await same(context)

    simulator = Simulator(often_reset(reader))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def often_reset(component):
    """The component with a reset in every other cycle."""
    m, reset = Module(), Signal()
    m.d.sync += reset.eq(~reset)
    m.submodules.it = ResetInserter(reset)(component)
    return m


def test_a_loader_chooses_the_stage_a_cycle_later_whatever_the_reset_does():
    regions = [
        Region("a", "weight", (5, 2), (0, 1), 2, Integer(7)),
        Region("a", "bias", (5,), (0,), 1, Integer(20), 16),
        Region("b", "weight", (8,), (0,), 1, Integer(9), 32),
    ]
    loader, seen = Loader(regions), []
    words = [(19, 0xFFFFF), (3, 5), (32, 700), (39, 9)]

    async def bench(context):
        context.set(loader.load.write, 1)
        for address, data in words:
            context.set(loader.load.address, address)
            context.set(loader.load.data, data)
            await context.tick()
            ports = {"a": loader.to_a, "b": loader.to_b}
            seen.append([
                (name, context.get(port.address), context.get(port.data))
                for name, port in ports.items()
                if context.get(port.write)
            ])  # fmt: skip
        context.set(loader.load.write, 0)
        await context.tick()
        assert not context.get(loader.to_a.write) | context.get(loader.to_b.write)

    simulator = Simulator(often_reset(loader))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [[("a", 19, 0xFFFFF)], [("a", 3, 5)], [("b", 0, 700 % 512)], [("b", 7, 9)]]
