"""How parts become a network; `test_control.py` puts each kind beside its component."""

import pytest

from emamba.rtl.timing import Network, Wire, elementwise, fork, skid, widen


def test_who_gets_nothing_gives_up():
    source, end = Wire(), Wire()
    assert Network([widen(source, end, 3)], source, end, 2, 1).run(1, patience=50) == []


def test_a_network_runs_again_from_the_beginning():
    source, end = Wire(), Wire()
    network = Network([widen(source, end, 2)], source, end, 4, 2)
    assert network.run(3) == network.run(3) == [4, 8, 12]


@pytest.mark.parametrize("moves", [1, 2, 40, 62])
def test_a_beat_goes_through_every_register_of_a_stage(moves):
    source, end = Wire(), Wire()
    assert Network([elementwise([source], end, moves)], source, end, 1, 1).run(2) == [moves, moves + 1]


@pytest.mark.parametrize("readers", [2, 7])
def test_a_fork_has_any_number_of_readers(readers):
    """One stage takes from all of them, each behind a skid of its own."""
    source, end = Wire(), Wire()
    given, kept = [Wire() for _ in range(readers)], [Wire() for _ in range(readers)]
    skids = [skid(one, other) for one, other in zip(given, kept, strict=True)]
    parts = [fork(source, given), *skids, elementwise(kept, end, 2)]
    assert Network(parts, source, end, 3, 3).run(2) == [4, 7]
