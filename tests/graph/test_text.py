"""The text form: one line an operation, nothing left out that a reader needs."""

import re

import numpy as np

from cases import activation, case, operation_cases, scan_case
from emamba.graph import Linear, Pool, text

EXPECTED = """\
graph toy: 4 tokens a frame, 0 parameters
input       =  Input()            [4, 6]  int8  q4
activation  =  Activation(input)  [4, 6]  int8  q4  curve=table[256]
pool        =  Pool(activation)   [1, 6]  int8  q4  shift=2"""


def test_text_is_aligned_one_line_an_operation():
    pool = Pool(name="pool", source="activation", channels=6, dtype=activation(True).dtype, fraction_bits=4, shift=2)
    assert text(case("toy", np.random.default_rng(0), 4, 6, activation(table=True), pool).graph) == EXPECTED


def test_a_scan_shows_its_shifts_shapes_and_widths():
    line = text(scan_case("scan", 1, 4, 2).graph).splitlines()[-1]
    assert line.startswith("scan   =  Scan(x, delta, b, c)")
    for part in ("argument_shift=8", "drive_shift=-1", "skip_shift=-4", " shift=14", "decay_fraction=7",
                 "rate=[4, 2]", "skip=[4]", "decay=table[256]", "compute=int24", "state=int17"):  # fmt: skip
        assert part in line


def test_shifts_of_channels_are_shown_from_the_least_to_the_largest():
    lines = {it.graph.name: text(it.graph).splitlines()[-1] for it in operation_cases()}
    assert lines["linear"].endswith(" shift=8 weight=[10, 12] bias=[10]")
    assert lines["linear_mixed_up"].endswith(" shift=-2..1 weight=[6, 4] bias=[6]")


def test_a_convolution_shows_its_window_and_where_it_lies():
    lines = {it.graph.name: text(it.graph).splitlines()[-1] for it in operation_cases()}
    assert lines["convolution_square"].endswith(" shift=8 weight=[4, 3, 3] bias=[4] columns=4 above=1 left=1")


def test_every_operation_has_its_line():
    for it in operation_cases():
        lines = text(it.graph).splitlines()[1:]
        assert [line.split()[0] for line in lines] == [op.name for op in it.graph.operations]
        assert not any(re.search(r"\s$", line) for line in lines)


def test_parameters_are_counted_with_separators():
    it = next(c for c in operation_cases() if c.graph.name == "linear")
    assert isinstance(it.graph.output, Linear)
    assert "130 parameters" in text(it.graph).splitlines()[0]
