import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cases import operation_cases, pick, source, two
from emamba.graph import Add, Graph, Linear
from emamba.report.road import Rails, along, rails, road


def test_a_fork_and_a_join():
    graph = Graph("g", 3, (source(4), *two(Add, 2, left_shift=0, right_shift=0, shift=0)))
    assert rails(graph) == [
        Rails(passing=(), arriving=(), own=0, leaves=True),
        Rails(passing=(0,), arriving=(0,), own=1, leaves=True),
        Rails(passing=(1,), arriving=(0,), own=0, leaves=True),
        Rails(passing=(), arriving=(1, 0), own=0, leaves=False),
    ]


def test_a_tensor_read_twice_by_one_operation_arrives_once():
    add = two(Add, 4, left_shift=0, right_shift=0, shift=0)[-1]
    graph = Graph("g", 3, (source(4), replace(add, left="input", right="input")))
    assert rails(graph)[1].arriving == (0,)


@pytest.mark.parametrize("case", operation_cases(), ids=str)
def test_no_two_tensors_share_a_rail(case):
    graph = case.graph
    live: dict[str, int] = {}
    for index, (op, row) in enumerate(zip(graph.operations, rails(graph), strict=True)):
        assert row.arriving == tuple(live[name] for name in op.sources)
        later = {name for other in graph.operations[index + 1 :] for name in other.sources}
        live = {name: column for name, column in live.items() if name in later}
        assert row.passing == tuple(live.values())
        assert row.own not in row.passing
        live[op.name] = row.own


def test_steps_join_graph_hardware_and_simulation(results):
    steps = road(results)
    assert [step.op.name for step in steps] == [op.name for op in results.graph.operations]
    assert [step.stage.name for step in steps] == [step.op.name for step in steps]
    assert [step.busy for step in steps[:5]] == [0, 0.75, 0.5, 0.25, 1.0]
    x = results.graph["x"]
    assert isinstance(x, Linear)
    assert steps[1].parameters == x.weight.size + x.bias.size
    assert steps[1].tokens == 9


def test_steps_before_hardware_and_simulation(results):
    steps = road(replace(results, rtl=None, verify=None))
    assert {step.stage for step in steps} == {step.busy for step in steps} == {None}


def test_no_graph_no_road(empty):
    assert road(empty) == []


def test_blocks_are_read_from_names(results):
    names = ("b0_norm", "b12_out", "head")
    chain = [replace(pick("p", 4, 0, 4), name=names[0])]
    chain += [replace(pick("p", 4, 0, 4), name=name, source=before) for before, name in pairwise(names)]
    steps = road(replace(results, graph=Graph("g", 3, (source(4), *chain))))
    assert [step.block for step in steps] == ["", "b0", "b12", ""]


def test_pictures_are_equally_wide_and_inside(results):
    pictures = [step.picture for step in road(results)]
    widths = {re.search(r'width="([\d.]+)"', picture)[1] for picture in pictures}
    circles = [float(re.search(r'cx="([\d.]+)"', picture)[1]) for picture in pictures]
    assert len(widths) == 1
    assert min(circles) > 0
    assert max(circles) < float(widths.pop())
    assert np.ptp(circles) > 0


def test_components_of_no_operation_stand_behind_the_others():
    graph = Graph("g", 3, (source(4), *two(Add, 2, left_shift=0, right_shift=0, shift=0)))
    names = [op.name for op in graph.operations]
    assert sorted(["links", *names[::-1], "forks"], key=along(graph)) == [*names, "links", "forks"]
    assert sorted(["b", "a"], key=along(None)) == ["b", "a"]
