import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator

from emamba import fixed
from emamba.fixed import Integer
from emamba.rtl.fixed import shape
from emamba.rtl.rounding import requantize_channels

SUM, INT8 = Integer(14), Integer(8)
NUMBERS = [-8192, -2057, -2056, -1029, -1028, -515, -514, -258, -257, -9, -8, -5, -4, -3, -2, -1]
NUMBERS += [0, *(-number - 1 for number in NUMBERS), 255, 509, 510, 1019, 1020, 2039, 2040]


def circuit(shift: np.ndarray) -> tuple[Module, Signal, Signal, list[Signal]]:
    """The rounding behind registers, as in a stage: module, number of the beat, sums in front, results."""
    m = Module()
    beat, value = Signal(range(max(len(shift), 2))), Signal(shape(SUM))
    late = Signal(shape(SUM))
    m.d.sync += late.eq(value)
    sums: list[Value] = [late] * shift.shape[1]
    found = [Value.cast(it) for it in requantize_channels(m, sums, shift, INT8, beat, Const(1))]
    results = [Signal(shape(INT8), name=f"result_{lane}") for lane in range(len(found))]
    m.d.comb += [signal.eq(it) for signal, it in zip(results, found, strict=True)]
    return m, beat, value, results


@pytest.mark.parametrize(
    "shift",
    [[[4, 2]], [[1, 3], [2, 3], [4, 3]], [[-2, 0], [1, 1], [0, -1]], [[0], [3]], [[5], [6]], [[-3], [0]]],
    ids=str,
)
def test_every_channel_is_rounded_by_its_own_shift(shift):
    shift = np.array(shift)
    m, beat, value, results = circuit(shift)
    seen = []

    async def bench(context):
        for number in NUMBERS:
            for index in range(len(shift)):
                context.set(beat, index)
                context.set(value, number)
                await context.tick()
                seen.append([context.get(result) for result in results])

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    expected = [[fixed.requantize(number, int(s), INT8) for s in row] for number in NUMBERS for row in shift]
    assert seen == expected


@pytest.mark.parametrize(("shift", "choices"), [([[4, 2]], 0), ([[4, 2], [4, 2]], 0), ([[4, 2, 1], [4, 3, 3]], 2)])
def test_lanes_whose_channels_agree_choose_nothing(shift, choices):
    m, beat, value, results = circuit(np.array(shift))
    text = rtlil.convert(m, ports=[beat, value, *results])
    assert (text.count("cell $sshr"), text.count("memory width")) == (choices, int(choices > 0))
