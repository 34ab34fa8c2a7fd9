import numpy as np
import pytest
from amaranth.hdl import Const, Module, Shape, Signal, Value
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from emamba import fixed
from emamba.fixed import Integer
from emamba.rtl import fixed as rtl

NUMBERS = [-2049, -513, -512, -511, -257, -256, -129, -128, -127, -65, -64, -63, -5, -4, -3, -2, -1]
NUMBERS += [0, *(-number for number in NUMBERS), 255, 510, 511, 2047]


WIDE = Integer(13)


def results(expression, numbers, dtype=WIDE):
    """`expression` of each number, from Amaranth's simulator."""
    m = Module()
    x = Signal(Shape(dtype.bits, dtype.signed))
    result = Value.cast(expression(m, x))
    y = Signal(result.shape())
    m.d.comb += y.eq(result)
    found = []

    async def bench(context):
        for number in numbers:
            context.set(x, int(number))
            found.append(context.get(y))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 7])
@pytest.mark.parametrize("dtype", [Integer(8), Integer(8, signed=False), Integer(3), Integer(20), Integer(13)], ids=str)
def test_requantize_repeats_fixed(shift, dtype):
    expected = [fixed.requantize(number, shift, dtype) for number in NUMBERS]
    assert results(lambda m, x: rtl.requantize(m, x, shift, dtype), NUMBERS) == expected


@pytest.mark.parametrize("shift", [0, 1, 4])
@pytest.mark.parametrize("within", [Integer(6), Integer(9), Integer(10), Integer(11)], ids=str)
@pytest.mark.parametrize("dtype", [Integer(6), Integer(6, signed=False)], ids=str)
def test_a_saturation_that_cannot_matter_is_left_out(shift, within, dtype):
    expected = [fixed.requantize(fixed.saturate(number, within), shift, dtype) for number in NUMBERS]
    assert results(lambda m, x: rtl.requantize_saturated(m, x, within, shift, dtype), NUMBERS) == expected
    alone = [fixed.requantize(number, shift, dtype) for number in range(-4096, 4096)]
    both = [fixed.requantize(fixed.saturate(number, within), shift, dtype) for number in range(-4096, 4096)]
    assert rtl.narrows(within, shift, dtype) == (alone != both)


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 5])
@pytest.mark.parametrize("dtype", [Integer(8), Integer(8, signed=False), Integer(20)], ids=str)
def test_requantize_further_repeats_fixed(shift, dtype):
    for further in range(4):
        signal = Const(further, 2)
        expected = [fixed.requantize(number, shift + further, dtype) for number in NUMBERS]
        assert results(lambda m, x, s=signal: rtl.requantize_further(m, x, shift, s, dtype), NUMBERS) == expected


@pytest.mark.parametrize("dtype", [Integer(4), Integer(4, signed=False), Integer(7), Integer(6, signed=False)], ids=str)
def test_saturate_of_an_unsigned_value_repeats_fixed(dtype):
    source = Integer(6, signed=False)
    expected = [fixed.saturate(number, dtype) for number in range(64)]
    assert results(lambda m, x: rtl.saturate(m, x, dtype), range(64), source) == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(-2000, 2000), st.integers(0, 2000))
def test_clip_repeats_numpy(lo, span):
    expected = np.clip(NUMBERS, lo, lo + span).tolist()
    assert results(lambda m, x: rtl.clip(m, x, lo, lo + span), NUMBERS) == expected


@pytest.mark.parametrize("factor", [0, 1, 2, 3, 7, 20, 23, 40, 119, 255])
def test_times_multiplies_with_a_constant(factor):
    assert results(lambda m, x: rtl.times(x, factor), NUMBERS) == [number * factor for number in NUMBERS]


def test_unpack_finds_what_pack_put_in():
    values, dtype = [-3, 7, -8, 0, 1], Integer(4)
    word = rtl.pack(values, dtype.bits)
    source = Integer(20, signed=False)
    found = [results(lambda m, x, index=index: rtl.unpack(x, dtype)[index], [word], source)[0] for index in range(5)]
    assert found == values
