import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

from emamba.report.treemap import Rect, squarified, treemap

FRAME = Rect(3, 5, 60, 40)


def corners(rects):
    return [(it.x, it.y, it.x + it.width, it.y + it.height) for it in rects]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("frame", [FRAME, Rect(0, 0, 10, 400), Rect(0, 0, 1, 1)])
def test_areas_are_in_proportion_nothing_overlaps_and_all_is_covered(count, frame):
    values = np.random.default_rng(count).lognormal(0, 2, count).tolist()
    rects = squarified(values, frame)
    whole = frame.width * frame.height
    assert [it.width * it.height for it in rects] == pytest.approx([value / sum(values) * whole for value in values])
    tiny = 1e-9 * whole
    for one, other in combinations(corners(rects), 2):
        wide, high = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
        assert wide <= tiny or high <= tiny
    left, top, right, bottom = corners([frame])[0]
    for x, y, end, foot in corners(rects):
        assert x >= left - tiny
        assert y >= top - tiny
        assert end <= right + tiny
        assert foot <= bottom + tiny


def test_the_example_of_the_paper():
    """Bruls, Huizing, van Wijk, figure 5: 6, 6, 4, 3, 2, 2, 1 in 6 x 4."""
    rects = squarified([6, 6, 4, 3, 2, 2, 1], Rect(0, 0, 6, 4))
    assert np.array(rects[:4]) == pytest.approx(
        np.array([(0, 0, 3, 2), (0, 2, 3, 2), (3, 0, 12 / 7, 7 / 3), (3 + 12 / 7, 0, 9 / 7, 7 / 3)])
    )


def test_the_order_of_values_does_not_matter():
    assert squarified([1, 5, 2], FRAME) == squarified([5, 2, 1], FRAME)[-1:] + squarified([5, 2, 1], FRAME)[:-1]


def test_a_component_holds_its_kinds():
    drawn = treemap("Area by component", {"scan": {"logic": 30.0, "clock": 10.0}, "add": {"logic": 60.0}}, "um2")
    tree = ElementTree.fromstring(drawn)
    groups = {group[0].text: group for group in tree}
    assert list(groups) == ["scan: 40 um2, 40.0%; logic 75%, clock 25%", "add: 60 um2, 60.0%; logic 100%"]

    def area(rect):
        return float(rect.get("width")) * float(rect.get("height"))

    scan = {rect.get("class"): area(rect) for rect in groups[next(iter(groups))].iter("rect")}
    whole = np.prod([float(side) for side in tree.get("viewBox").split()[2:]])
    assert scan["kind-logic"] == pytest.approx(0.3 * whole, rel=1e-3)
    assert scan["kind-clock"] == pytest.approx(0.1 * whole, rel=1e-3)
    assert scan["edge"] == pytest.approx(0.4 * whole, rel=1e-3)
    assert re.findall("<text [^>]*>([^<]*)<", drawn) == ["scan", "40.0%", "add", "60.0%"]


def test_what_is_nothing_is_not_drawn_and_a_small_one_has_no_label():
    parts = {"large": {"logic": 1.0, "leakage": 0.0}, "small": {"logic": 1e-4}, "none": {"logic": 0.0}, "unknown": {}}
    drawn = treemap("x", parts, "nJ")
    assert "kind-leakage" not in drawn
    assert "<title>small:" in drawn
    assert ">small<" not in drawn
    assert "none" not in drawn
    assert "unknown" not in drawn
    assert ElementTree.fromstring(treemap("x", {}, "nJ")).findall("g") == []


def test_names_are_escaped():
    assert "<script" not in treemap("<script>", {"<script>": {"logic": 1.0}}, "nJ")
