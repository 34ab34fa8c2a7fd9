import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator

from emamba.fixed import Integer
from emamba.rtl.pipeline import counter, delayed, factor_moves, rom, total


def history(m, drives, watched):
    """`watched` after each clock edge; `drives` sets signals before each of them."""
    seen = []

    async def bench(context):
        for values in drives:
            for signal, value in values:
                context.set(signal, value)
            await context.tick()
            seen.append(context.get(watched))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def test_delayed_moves_only_on_advance():
    m, x, advance = Module(), Signal(4), Signal()
    y = delayed(m, advance, x, 2)
    drives = [[(x, value), (advance, move)] for value, move in [(1, 1), (2, 1), (3, 0), (4, 1), (5, 1)]]
    assert history(m, drives, y) == [0, 1, 1, 2, 4]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 17])
def test_total_adds_four_a_move(count):
    m = Module()
    inputs = [Signal(4) for _ in range(count)]
    value, moves = total(m, Const(1, 1), inputs)
    m.d.sync += Signal().eq(0)
    assert moves == next(levels for levels in range(9) if 4**levels >= count)
    assert history(m, [[(item, 15) for item in inputs]] * (moves + 1), value)[-1] == 15 * count


@pytest.mark.parametrize("depth", [1, 3])
def test_a_rom_gives_the_elements_of_a_row(depth):
    rows = np.arange(-3, 3 * depth - 3).reshape(depth, 3)
    m, address = Module(), Signal(2)
    found = rom(m, "rom", rows, Integer(5), address, Const(1, 1))
    m.d.sync += Signal().eq(0)
    middle = Signal.like(found[1])
    m.d.comb += middle.eq(found[1])
    assert history(m, [[(address, row)] for row in range(depth)], middle) == rows[:, 1].tolist()


def test_only_deep_memories_have_a_register_more():
    assert [factor_moves(words) for words in (1, 48, 49, 400)] == [1, 1, 2, 2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_counter_wraps(count):
    m, step = Module(), Signal()
    value, last = counter(m, count, step)
    both = Signal(4)
    m.d.comb += both.eq(Value.cast(value) + (last << 3))
    expected = [(index + 1) % count + 8 * ((index + 1) % count == count - 1) for index in range(5)]
    assert history(m, [[(step, 1)]] * 5, both) == expected
