import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Const, Module, Shape, Signal
from amaranth.sim import Simulator

from emamba.curve import IntegerSegments, exp_segments, integer_segments, mirrored, silu, silu_segments, tabulate
from emamba.eda.synthesis import synthesize
from emamba.eda.verilog import verilog
from emamba.fixed import Integer
from emamba.rtl import curve, primitives

INT8 = Integer(8)
SEGMENTS = integer_segments(silu_segments(17, "optimal"), INT8, 4, INT8, 4)
DECAY = integer_segments(mirrored(exp_segments(11, "paper")), Integer(10, signed=False), 7, (0, 128), 7)
NONE = np.array([], dtype=np.int64)
LINE = IntegerSegments(INT8, NONE, np.array([3]), np.array([-7]), 2, -50, 60)
TABLES = [tabulate(silu, domain, 4, INT8, 4) for domain in (INT8, Integer(6, signed=False))]


def looked_up(function):
    """The value for every integer of the domain, pipelined, from Amaranth's simulator."""
    m = Module()
    x = Signal(Shape(function.domain.bits, function.domain.signed))
    y = curve.look_up(m, "curve", function, x, Const(1, 1))
    domain = range(function.domain.lo, function.domain.hi + 1)
    found = []

    async def bench(context):
        for number in [*domain, *[0] * curve.cycles(function)]:
            context.set(x, number)
            await context.tick()
            found.append(context.get(y))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found[curve.cycles(function) - 1 :][: len(domain)]


@pytest.mark.parametrize(
    "function", [SEGMENTS, DECAY, LINE, *TABLES], ids=["silu", "decay", "line", "table", "unsigned"]
)
def test_every_value_of_the_domain(function):
    assert looked_up(function) == function(np.arange(function.domain.lo, function.domain.hi + 1)).tolist()


def test_only_segments_multiply():
    assert (curve.multipliers(TABLES[0]), curve.multipliers(SEGMENTS)) == (0, 1)


@pytest.mark.parametrize("function", [SEGMENTS, DECAY], ids=["silu", "decay"])
def test_segments_take_the_registers_and_luts_of_the_model(function):
    """A count of knots that is wider than it can become would take one register for each knot."""
    m, x = Module(), Signal(Shape(function.domain.bits, function.domain.signed))
    y = Signal(8)
    m.d.comb += y.eq(curve.look_up(m, "curve", function, x, Const(1, 1)))
    text = verilog(rtlil.convert(m, name="segments", ports=[x, y], emit_src=False), "segments")
    mapped, estimated = synthesize(text, "segments").totals, primitives.look_up(function)
    assert estimated.ff == pytest.approx(mapped.FF, abs=2)
    assert estimated.lut == pytest.approx(mapped.LUT, rel=0.15)
