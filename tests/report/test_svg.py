import re
from xml.etree import ElementTree

import pytest
from matplotlib import style
from matplotlib.figure import Figure

from emamba.report.svg import ACCENT, STYLE, inline


def draw(name="plot", values=(1, 2)):
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot(values, color=ACCENT)
        axes.set_yticks([1, 2], ["0.00123", "<b>"])
        return inline(figure, name, "a plot")


def test_it_is_one_well_formed_element():
    root = ElementTree.fromstring(draw())
    assert root.tag == "svg"
    assert root.attrib["viewBox"] == "0 0 216 144"
    assert root.attrib["aria-label"] == "a plot"


def test_it_names_nothing_outside():
    assert "http" not in draw()
    assert "xmlns" not in draw()
    assert "font-family" not in draw()


def test_colours_are_those_of_the_page():
    assert ACCENT not in draw()
    assert "stroke: var(--accent)" in draw()


def test_text_stays_text_with_all_its_digits():
    assert ">0.00123<" in draw()
    assert "&lt;b&gt;" in draw()


def test_coordinates_are_hundredths():
    attributes = re.sub(r">[^<]*<", "><", draw(values=(1, 1.23456789, 2)))
    assert not re.search(r"\d\.\d{3}", re.sub(r'(id|href)="[^"]*"|url\([^)]*\)', "", attributes))


def test_every_id_is_used_and_carries_the_name():
    svg = draw("left")
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert ids
    assert ids == set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    assert all(name.startswith("left-") for name in ids)


def test_two_pictures_share_no_id():
    ids = [set(re.findall(r' id="([^"]+)"', draw(name))) for name in ("left", "right")]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("values", [(1, 2), (2, 1)])
def test_equal_drawings_give_equal_bytes(values):
    assert draw(values=values) == draw(values=values)
    assert draw(values=values) != draw(values=(1, 3))
