from dataclasses import replace

import numpy as np
import pytest

from cases import activation, scan_case, source
from emamba.config import Config, CurveConfig, LstmConfig, MambaConfig
from emamba.curve import curve_error, silu, silu_segments
from emamba.errors import ArtifactError, GraphError
from emamba.graph import Graph, Scan
from emamba.report import Results
from emamba.report.curves import curves
from emamba.report.results import LoweredCurve, Quantization

EXACT = Config(name="exact", model=MambaConfig(silu=CurveConfig(), exp=CurveConfig()))


def lowered(name, lo=-8.0, hi=127 / 16):
    return LoweredCurve(name, "some form", lo, hi, 0.25, 0.125)


def of(graph, *measured):
    """The curves of `graph`, in a model without approximations."""
    return curves(Results(config=EXACT, graph=graph, quantization=Quantization({}, {}, {}, "", measured, ())))


def graph(*operations):
    return Graph("g", 2, (source(6), *operations))


def test_model_curves_are_those_of_the_configuration():
    model = MambaConfig(silu=CurveConfig(form="segments", segments=9), exp=CurveConfig(form="segments", knots="paper"))
    found = curves(Results(config=Config(name="m", model=model)))
    assert [(curve.title, curve.lo, curve.hi) for curve in found] == [("SiLU", -7, 7), ("exp", -4, 1)]
    error = curve_error(silu_segments(9, "optimal"), silu, -7, 7)
    assert (found[0].max, found[0].mean) == (error.max, error.mean)
    assert found[0].unit is None


def test_an_exact_model_has_no_curves():
    assert curves(Results(config=EXACT)) == []


def test_a_graph_without_measurements_shows_none():
    assert curves(Results(config=EXACT, graph=graph(activation(table=True)))) == []


def test_a_table_over_its_whole_domain():
    (curve,) = of(graph(activation(table=True)), lowered("activation"))
    assert curve.x.tolist() == [value / 16 for value in range(-128, 128)]
    assert np.abs(curve.approximation - curve.exact).max() <= curve.unit / 2 == 1 / 32
    assert (curve.title, curve.max, curve.mean, curve.knots.size) == ("SiLU", 0.25, 0.125, 0)


def test_segments_carry_their_knots_and_the_function_is_limited_as_they_are():
    integers = activation(table=False).curve
    (curve,) = of(graph(activation(table=False)), lowered("activation"))
    assert curve.knots.tolist() == (integers.knots / 16).tolist()
    assert curve.approximation.tolist() == (integers(np.arange(-128, 128)) / 16).tolist()
    assert (curve.exact.min(), curve.exact.max()) == (integers.lo / 16, integers.hi / 16)


def test_a_baseline_has_no_curves():
    assert curves(Results(Config(name="small", model=LstmConfig(kind="lstm")))) == []


@pytest.mark.parametrize("segments", [False, True])
def test_a_decay_is_drawn_over_its_negative_argument(segments):
    network = scan_case("scan", 1, 6, 4, segments=segments).graph
    scan = network.output
    assert isinstance(scan, Scan)
    hi = scan.decay.domain.hi / 2 ** (12 if segments else 6)
    (curve,) = of(network, lowered("scan", 0.0, hi))
    assert curve.title == "exp"
    assert (curve.lo, curve.x[0], curve.hi, curve.x[-1]) == (-hi, -hi, 0, 0)
    assert np.all(np.diff(curve.x) > 0)
    assert np.all(np.diff(curve.knots) > 0)
    assert curve.knots.size == (scan.decay.knots.size if segments else 0)
    assert curve.exact == pytest.approx(np.exp(curve.x))
    assert np.abs(curve.approximation - curve.exact).max() < 1.2 * curve.unit


def test_a_wide_domain_is_drawn_thin():
    network = scan_case("scan", 1, 6, 4, segments=True).graph
    (curve,) = of(network, lowered("scan", 0.0, 65535 / 4096))
    assert len(curve.x) == len(curve.exact) == len(curve.approximation) == 512


def test_equal_curves_are_shown_once():
    first, second, other = (replace(activation(table=True), name=name) for name in ("first", "second", "other"))
    network = graph(first, replace(activation(table=False), name="between"), second, other)
    found = of(network, lowered("first"), lowered("between"), lowered("second"), lowered("other", -16.0, 127 / 8))
    assert [curve.users for curve in found] == [("first", "second"), ("between",), ("other",)]


def test_measurements_of_another_graph_are_refused():
    with pytest.raises(ArtifactError, match="a curve of input, but Input operations have none"):
        of(graph(activation(table=True)), lowered("input"))
    with pytest.raises(GraphError, match="no tensor gone"):
        of(graph(activation(table=True)), lowered("gone"))


def test_learned_curves_are_those_of_the_graph():
    model = EXACT.model.model_copy(update={"silu": CurveConfig(form="segments", knots="learned")})
    assert curves(Results(config=EXACT.model_copy(update={"model": model}))) == []
