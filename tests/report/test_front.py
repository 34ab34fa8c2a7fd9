import re

from emamba.report.front import front_picture, undercut

DESIGNS = [
    {"cycles_per_frame": 100, "multipliers": 50, "latency_cycles": 300, "lut": 900},
    {"cycles_per_frame": 200, "multipliers": 20, "latency_cycles": 900, "lut": 500},
    {"cycles_per_frame": 400, "multipliers": 10, "latency_cycles": 2000, "lut": 700},
]


def test_points_that_a_faster_one_undercuts_are_off_the_line():
    assert undercut([(4, 7), (1, 9), (2, 5), (3, 6), (2, 8)]) == [(1, 9), (2, 5)]


def test_the_picture_has_a_panel_for_each_respect_and_every_design_in_it():
    picture = front_picture(DESIGNS)
    for label in (b"multipliers", b"latency, cycles", b"LUT", b"cycles a frame"):
        assert label in picture
    assert len(re.findall(rb"<use [^>]*fill: #90c0b1", picture)) == 3 * len(DESIGNS)
    assert front_picture(DESIGNS) == picture != front_picture(DESIGNS[:2])
