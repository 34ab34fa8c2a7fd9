import pytest

from emamba.rtl import build
from emamba.rtl.solver import fold
from networks import random_network

GRAPH = random_network(0).graph


@pytest.fixture(scope="module")
def design():
    return build(GRAPH, 40)


def test_a_design_has_a_stage_and_a_tap_for_each_operation(design):
    names = [op.name for op in GRAPH.operations]
    assert [stage.name for stage in design.stages] == names == [tap.name for tap in design.taps]
    for op, tap in zip(GRAPH.operations, design.taps, strict=True):
        assert (tap.channels, tap.dtype, tap.tokens) == (op.channels, op.dtype, GRAPH.frame_tokens(op.name))
        for wire in (f"tap_{op.name}_valid", f"tap_{op.name}_ready", f"tap_{op.name}_payload", f"busy_{op.name}"):
            assert f"\\{wire}" in design.rtlil


def test_the_same_graph_gives_the_same_text(design):
    assert build(GRAPH, 40) == design


def test_the_text_names_no_source_file(design):
    assert ".py" not in design.rtlil


def test_the_multipliers_of_a_design_are_those_of_its_stages(design):
    assert design.multipliers == sum(folding.multipliers for folding in fold(GRAPH, 40).values()) > 0
