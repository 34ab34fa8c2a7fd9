import json

import pytest

from emamba.bench import cost as bench
from emamba.bench.cost import Comparison, cost, summary, table

GOOD = Comparison("mars", 20, False, 549, 549, 549, 1050, 1000, 900, 1000)
BAD = Comparison("mars", 40, True, 287, 187, 187, 1160, 1000, 1000, 1000)


def test_errors_are_relative_to_what_was_mapped():
    assert GOOD.errors == pytest.approx((0.05, -0.1))
    assert (GOOD.met, BAD.met, Comparison("x", 1, False, 3, 2, 3, 10, 10, 10, 10).met) == (True, False, False)


def test_a_row_has_estimates_beside_what_was_mapped():
    head, row, packed = table([GOOD, BAD])
    assert len(head) == len(row)
    assert row == ("mars at 20", "549", "549", "549", "1,050", "1,000", "+5.0%", "900", "1,000", "-10.0%")
    assert packed[:4] == ("mars at 40, packed", "287", "187", "187")
    assert summary([GOOD, BAD]) == ["1 of 2 designs have the DSP blocks of the model, and LUTs and FF within 15%"]


def test_there_are_ten_designs_and_each_can_be_solved():
    from emamba.flow import zoo
    from emamba.rtl import solve

    assert len(set(bench.DESIGNS)) >= 10
    for model, interval, packing in bench.DESIGNS:
        foldings = solve(zoo.graph(model), interval, packing=packing)
        assert any(folding.pairs for folding in foldings.values()) == packing


def test_the_verb_prints_the_table(emamba, monkeypatch):
    monkeypatch.setattr(bench, "_compared", lambda model, interval, packing: BAD if packing or interval != 20 else GOOD)
    assert len(cost(lambda done, total, label: None)) == len(bench.DESIGNS)
    ended = emamba("bench", "cost")
    assert ended.out.splitlines()[-1].startswith(f"1 of {len(bench.DESIGNS)} designs")
    assert json.loads(emamba("bench", "cost", "--json").out)[0]["met"] is True


def test_a_folder_for_what_needs_none_is_refused(emamba, tmp_path):
    ended = emamba("bench", "cost", "--run", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "--run holds run folders for standard cells" in ended.err
