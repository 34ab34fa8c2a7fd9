from dataclasses import replace

import numpy as np
import pytest

from cases import INT8, UINT8, activation, scan_case, source
from emamba.config import Config, CurveConfig, ModelConfig
from emamba.curve import curve_error, exp, silu, silu_segments, tabulate
from emamba.fixed import Integer
from emamba.graph import Activation, Graph
from emamba.report import Results
from emamba.report.curves import curves

EXACT = Config(name="exact", model=ModelConfig(silu=CurveConfig(), exp=CurveConfig()))


def of(*operations):
    """The curves of a graph with these operations, in a model without approximations."""
    return curves(Results(config=EXACT, graph=Graph("g", 2, (source(6), *operations))))


def table(function, name="activation", domain=INT8):
    curve = tabulate(function, domain, 4, INT8, 4)
    return Activation(name=name, source="input", channels=6, dtype=INT8, fraction_bits=4, curve=curve)


def test_model_curves_are_those_of_the_configuration():
    model = ModelConfig(silu=CurveConfig(form="segments", segments=9), exp=CurveConfig(form="segments", knots="paper"))
    found = curves(Results(config=Config(name="m", model=model)))
    assert [(curve.title, curve.lo, curve.hi) for curve in found] == [("SiLU", -7, 7), ("exp", -4, 1)]
    error = curve_error(silu_segments(9, "optimal"), silu, -7, 7)
    assert (found[0].max, found[0].mean) == (error.max, error.mean)
    assert found[0].unit is None


def test_an_exact_model_has_no_curves():
    assert curves(Results(config=EXACT)) == []


@pytest.mark.parametrize(
    ("function", "title"), [(silu, "SiLU"), (lambda x: np.logaddexp(0, x), "softplus"), (exp, "exp")]
)
def test_the_function_of_a_table_is_recognised(function, title):
    (curve,) = of(table(function))
    assert curve.title == title
    assert curve.max <= 0.5 * curve.unit == 2.0**-5
    assert (curve.lo, curve.hi) == (-8.0, 127 / 16)
    assert len(curve.x) == 256


def test_segments_carry_their_knots_and_error_over_all_integers():
    integers = activation(table=False).curve
    (curve,) = of(activation(table=False))
    x = np.arange(-128, 128)
    limited = np.clip(silu(x / 16), integers.lo / 16, integers.hi / 16)
    distance = np.abs(integers(x) / 16 - limited)
    assert curve.max == pytest.approx(distance.max())
    assert curve.mean == pytest.approx(distance.mean())
    assert curve.knots.tolist() == (integers.knots / 16).tolist()


@pytest.mark.parametrize("segments", [False, True])
def test_the_scale_of_a_decay_is_found(segments):
    scan = scan_case("scan", 1, 6, 4, segments=segments).graph.output
    (curve,) = of(scan)
    fraction = 12 if segments else 6
    assert curve.title == "exp"
    assert curve.lo == -scan.decay.domain.hi / 2**fraction
    assert curve.hi == 0
    assert curve.exact[-1] == 1
    assert np.all(np.diff(curve.x) > 0)
    assert curve.max <= (1.2 if segments else 0.5) * curve.unit


def test_a_wide_domain_is_judged_whole_and_drawn_thin():
    (curve,) = of(scan_case("scan", 1, 6, 4, segments=True).graph.output)
    assert len(curve.x) == len(curve.exact) == len(curve.approximation) == 512


def test_equal_curves_are_shown_once():
    first, second = table(silu, "first"), table(silu, "second")
    other = replace(table(silu, "other"), curve=tabulate(silu, Integer(7), 4, INT8, 4))
    assert [curve.users for curve in of(first, other, second)] == [("first", "second"), ("other",)]


def test_an_unsigned_domain():
    (curve,) = of(table(silu, domain=UINT8))
    assert curve.lo == 0
