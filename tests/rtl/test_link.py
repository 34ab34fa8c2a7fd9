import numpy as np
import pytest

from emamba.fixed import Integer
from emamba.rtl.link import Link
from streams import drive, to_beats

FRAMES = np.random.default_rng(1).integers(-16, 16, (3, 2, 12))


LANES = [(1, 12), (12, 1), (4, 6), (3, 4), (2, 3)]


@pytest.mark.parametrize(
    ("lanes", "wanted", "depth"), [(3, 3, 5), *((*pair, depth) for pair in LANES for depth in (0, 5))]
)
def test_a_link_changes_lanes_and_nothing_else(lanes, wanted, depth):
    sent, expected = to_beats(FRAMES, lanes), to_beats(FRAMES, wanted)
    assert drive(Link(Integer(5), lanes, wanted, depth), {"source": sent}, len(expected), stalls=0.3).beats == expected
