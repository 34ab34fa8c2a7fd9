import pytest

from cases import INT8
from emamba.fixed import Integer
from emamba.graph import content_hash
from emamba.rtl import Port, build
from networks import random_network


def test_a_port_knows_the_beats_of_its_token():
    assert Port("x", 40, 5, INT8, 16).beats == 8


@pytest.mark.parametrize(
    ("bits", "lanes", "element", "beat"),
    [(1, 1, 1, 1), (8, 3, 1, 4), (9, 1, 2, 2), (16, 4, 2, 8), (17, 1, 4, 4), (32, 5, 4, 32), (33, 1, 8, 8)],
)
def test_elements_and_beats_have_bytes_that_processors_and_dmas_know(bits, lanes, element, beat):
    port = Port("x", 60 * lanes, lanes, Integer(bits), 7)
    assert (port.element_bytes, port.beat_bytes, port.frame_beats) == (element, beat, 420)


def test_the_ports_of_a_design_are_its_first_and_last_tensor():
    case = random_network(1)
    design = build(case.graph, 60)
    assert (design.input, design.output) == (design.taps[0], design.taps[-1])
    assert (design.name, design.top) == (case.graph.name, f"emamba_{case.graph.name}")
    assert (design.stream_top, design.register_top) == (f"axis_{design.top}", f"axi_{design.top}")
    assert design.graph_hash == content_hash(case.graph)
