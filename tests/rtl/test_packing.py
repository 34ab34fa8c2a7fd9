import itertools
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal
from amaranth.sim import Simulator

from cases import INT8, UINT8, linear
from emamba.fixed import Integer
from emamba.rtl.packing import multiplied, packs, plus, stored

BORDERS = (-128, -127, -1, 0, 1, 126, 127)


def every(m, signals, operands, watched):
    """`watched` for each of the `operands`."""
    seen = []

    async def bench(context):
        for values in operands:
            for signal, value in zip(signals, values, strict=True):
                context.set(signal, value)
            seen.append([context.get(it) for it in watched])

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(seen)


@pytest.mark.parametrize("factor", [INT8, UINT8], ids=str)
def test_a_multiplication_has_both_products(factor):
    """Of all borders of weights and all data; weights of nine bits, which some are when stored."""
    m = Module()
    weights = [Signal(Shape(9, True)) for _ in range(2)]
    x, product = Signal(Shape(8, factor.signed)), Signal(Shape(34, True))
    below, above = Signal(Shape(17, True)), Signal(Shape(17, True))
    word = multiplied(*weights, x)
    assert len(word) == 34
    m.d.comb += [product.eq(word), below.eq(product[:17]), above.eq(product[17:] + product[16])]
    pairs = itertools.product(BORDERS, BORDERS, range(factor.lo, factor.hi + 1))
    operands = np.array([(lower, upper, value) for lower, upper, value in pairs])
    kept = np.stack([operands[:, 0], operands[:, 1] - (operands[:, 0] < 0), operands[:, 2]], axis=1)
    found = every(m, [*weights, x], kept.tolist(), [below, above])
    assert np.array_equal(found, operands[:, :2] * operands[:, 2:])


def test_a_carry_is_added_by_the_same_adder():
    m = Module()
    a, b, free, carry = Signal(Shape(3, True)), Signal(Shape(4, True)), Signal(3), Signal()
    sums = [Signal(Shape(8, True)) for _ in range(2)]
    m.d.comb += [sums[0].eq(plus(a, b, carry)), sums[1].eq(plus(free, b, carry))]
    operands = list(itertools.product(range(-4, 4), range(-8, 8), range(8), range(2)))
    expected = [(x + y + bit, z + y + bit) for x, y, z, bit in operands]
    assert np.array_equal(every(m, [a, b, free, carry], operands, sums), expected)


@pytest.mark.parametrize("outputs", [2, 3, 6])
def test_weights_above_negative_ones_are_stored_less_one(outputs):
    op = linear(np.random.default_rng(0), 5, 6, 7)
    tiles, kept = (it.weight.reshape(-1, outputs, 5) for it in (op, stored(op, outputs)))
    assert np.array_equal(kept[:, ::2], tiles[:, ::2])
    above = tiles[:, 1::2]
    assert np.array_equal(kept[:, 1::2], above - (tiles[:, : 2 * above.shape[1] : 2] < 0))


def test_products_share_a_multiplication_where_it_is_as_wide_as_a_block():
    op = linear(np.random.default_rng(0), 6, 4, 7)  # weights of eight bits, none of which has nine when it is stored
    fitting = [bits for bits in range(1, 24) if packs(op, Integer(bits), 2)]
    assert fitting == list(range(1, 12))
    assert packs(op, Integer(11, signed=False), 2)
    assert not packs(op, INT8, 1)
    least = replace(op, weight=np.array([[-1], [-128], [0], [0]]))  # stored as -129

    assert [bits for bits in (8, 9, 10) if packs(least, Integer(bits), 2)] == [8, 9]
    unsigned = replace(op, weight=np.abs(op.weight))
    assert not packs(unsigned, INT8, 2)
