import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Const, Module, Shape, Signal

from emamba.fixed import Integer
from emamba.rtl import pipeline
from emamba.rtl.primitives import Cost, adder_tree, constant_bits, delay, fifo, ram, registers, rom, total


def test_costs_add_up():
    one, other = Cost(3, 20, 300, 2, 4.5, 6.0, pairs=1), Cost(ff=0.5, lut=1.0)
    assert one + other == total([one, other]) == Cost(3, 20, 300, 2, 5.0, 7.0, pairs=1)
    assert one * 2 == Cost(6, 40, 600, 4, 9.0, 12.0, pairs=2)
    assert (one.multipliers, one.dsp) == (3, 2)
    assert (one.memory_bits, one.register_bits, one.area) == (320, 6.5, 12.5 + 300 / 32 - 100)


@pytest.mark.parametrize("terms", [2, 4, 5, 16, 17, 60])
def test_an_adder_tree_has_the_registers_of_the_circuit(terms):
    m = Module()
    sources = [Signal(Shape(9, True), name=f"source_{index}") for index in range(terms)]
    _, moves = pipeline.total(m, Const(1, 1), sources)
    text = rtlil.convert(m, name="tree", ports=sources)
    found = [int(width) for width in re.findall(r"wire width (\d+) .*\\value_after_\d", text)]
    cost, cycles = adder_tree(terms, 9)
    assert cycles == moves == pipeline.total_cycles(terms)
    assert cost.ff == sum(found)


def test_a_chain_of_three_registers_is_a_shift_register():
    assert delay(8, 2) == registers(16)
    assert delay(8, 3) == Cost(shift_bits=24)


def test_what_a_block_ram_reads_into_is_part_of_it():
    assert (ram(64, 8).ff, ram(2048, 18).ff) == (8, 0)
    assert (rom(64, 8).ff, rom(2048, 18).ff, rom(2048, 18).lut) == (8, 0, 0)
    assert rom(1, 999) == Cost()
    assert fifo(9, 1).ram_bits == 0
    assert fifo(9, 5).ram_bits == 36


def test_products_with_small_constants_are_narrow():
    assert constant_bits(np.array([[0, 1], [-2, 5]])) == round((0 + 1 + 2 + 3) / 4)
    assert Integer.holding(np.array([-2, 5])).bits == 4
