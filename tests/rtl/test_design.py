from cases import INT8
from emamba.rtl import Port, build
from networks import random_network


def test_a_port_knows_the_beats_of_its_token():
    assert Port("x", 40, 5, INT8, 16).beats == 8


def test_the_ports_of_a_design_are_its_first_and_last_tensor():
    case = random_network(1)
    design = build(case.graph, 60)
    assert (design.input, design.output) == (design.taps[0], design.taps[-1])
    assert (design.name, design.top) == (case.graph.name, f"emamba_{case.graph.name}")
