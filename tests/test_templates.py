"""Templates are filled in, strictly."""

import jinja2
import pytest

from emamba.templates import rendered


def test_a_text_ends_and_is_indented_as_its_template():
    text = rendered(
        "eda", "gates.c.j2", {"kinds": [{"name": "nand", "width": 3, "expression": "~(v[a[1]] & v[a[2]])"}]}
    )
    assert "~(v[a[1]] & v[a[2]])" in text
    assert text.endswith("}\n")
    assert "{%" not in text


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="kinds"):
        rendered("eda", "gates.c.j2", {})
