import numpy as np
import pytest

from cases import INT8, case, convolution, linear, operation_cases, scan
from emamba.graph import Linear
from emamba.rtl import scan as scan_stage
from emamba.rtl.folding import candidates, packed

CASES = operation_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_lanes_divide_channels_and_every_operation_can_be_as_fast_as_a_beat_a_token(case):
    graph = case.graph
    for op in graph.operations:
        found = candidates(graph, op)
        for folding in found:
            assert op.channels % folding.output == 0
            for source, lanes in zip(op.sources, folding.sources, strict=True):
                assert graph[source].channels % lanes == 0
        assert min(folding.cycles for folding in found) <= scan_stage.LOOP


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_tiles_of_a_linear_do_all_its_products(case):
    for op in case.graph.operations:
        if isinstance(op, Linear):
            found = candidates(case.graph, op)
            assert {folding.multipliers * folding.cycles for folding in found} == {op.weight.size}
            assert {1, op.weight.size} <= {folding.multipliers for folding in found}


def test_each_two_rows_of_a_tile_share_the_multiplications_of_its_columns():
    graph = case("wide", np.random.default_rng(0), 2, 6, linear(np.random.default_rng(0), 6, 5, 7)).graph
    for folding in candidates(graph, graph.output):
        found = packed(graph, graph.output, folding)
        assert found.dsp == folding.sources[0] * -(-folding.output // 2)
        assert (found.multipliers, found.cycles, folding.dsp) == (
            folding.multipliers,
            folding.cycles,
            found.multipliers,
        )
        assert packed(graph, graph.input, folding) is folding


def test_a_convolution_shares_its_products_between_lanes_and_taps():
    op = convolution(np.random.default_rng(0), 12, (3, 3), (1, 1), 2, 8)
    found = candidates(case("square", np.random.default_rng(0), 4, 12, op).graph, op)
    assert {(folding.output, folding.taps) for folding in found} == {
        (n, k) for n in (1, 2, 3, 4, 6, 12) for k in (1, 3, 9)
    }
    assert {folding.multipliers * folding.cycles for folding in found} == {12 * 9}
    assert all(folding.multipliers == folding.output * folding.taps for folding in found)


def test_multipliers_of_a_scan():
    """Four for each state lane, two for each channel lane, one more for each segment look-up."""
    table, segments = (scan(np.random.default_rng(0), 6, 4, kind, INT8, 3) for kind in (False, True))
    assert scan_stage.multipliers(table, 3, 2) == 3 * (2 * 4 + 2)
    assert scan_stage.multipliers(segments, 3, 2) == 3 * (2 * 5 + 2)
