from dataclasses import replace

import pytest

from emamba.report.occupancy import borders, by_frame, overall, steady, utilisation
from emamba.report.results import Compared, Occupancy, Rtl, Stage, Verification


def simulation(busy, cycles=400, frame=100, latency=120, stalled=False):
    occupancy = Occupancy(tuple(busy), cycles, {name: tuple(spans) for name, spans in busy.items()})
    return Verification(4, Compared(4, 4, 2), 0, frame, latency, stalled, occupancy)


def repeated(first, length, count, step):
    return [(first + i * step, first + i * step + length) for i in range(count)]


PLAIN = simulation(
    {"input": [], "a": repeated(5, 30, 8, 50), "b": [(20, 420)], "c": repeated(110, 25, 3, 100)}, cycles=600
)


def test_frames_enter_where_the_first_busy_stage_begins():
    assert borders(PLAIN) == [5, 105, 205, 305, 405]


def test_borders_stop_where_feeding_or_simulation_stops():
    assert borders(simulation({"a": repeated(0, 50, 8, 50)}, cycles=350)) == [0, 100, 200, 300]
    assert borders(simulation({"a": [(0, 100), (100, 201)]})) == [0, 100, 200, 300]


def test_nothing_busy_has_no_borders():
    assert borders(simulation({"a": []})) == []
    assert steady(simulation({"a": []})) == (0, 400)


def test_steady_part_is_whole_frames_after_the_latency():
    assert steady(PLAIN) == (205, 405)
    assert (405 - 205) % PLAIN.cycles_per_frame == 0


def test_without_a_steady_part_all_cycles_count():
    late = replace(PLAIN, latency_cycles=350)
    assert steady(late) == (0, 600)


def test_utilisation_counts_cycles_inside_the_steady_part():
    assert utilisation(PLAIN, "a") == pytest.approx(0.6)
    assert utilisation(PLAIN, "b") == 1.0
    assert utilisation(PLAIN, "c") == pytest.approx(0.25)
    assert utilisation(PLAIN, "input") == utilisation(PLAIN, "unknown") == 0.0


def test_overall_weighs_by_multipliers():
    stages = (Stage("a", "Linear", 1, 3, 30), Stage("b", "Scan", 1, 1, 50), Stage("input", "Input", 1, 0, 0))
    assert overall(PLAIN, Rtl("top", 50, 100.0, stages)) == pytest.approx((3 * 0.6 + 1.0) / 4)
    assert overall(PLAIN, Rtl("top", 50, 100.0, stages[2:])) == 0.0


def test_frames_are_told_apart_by_counting():
    assert by_frame(PLAIN, "a")[:4] == [((5, 35), 0), ((55, 85), 0), ((105, 135), 1), ((155, 185), 1)]
    assert by_frame(PLAIN, "b") == [((20, 120), 0), ((120, 220), 1), ((220, 320), 2), ((320, 420), 3)]
    assert [frame for _, frame in by_frame(PLAIN, "c")] == [0, 1, 2]


def test_cutting_loses_no_cycle():
    for stage, spans in PLAIN.occupancy.busy.items():
        pieces = [piece for piece, _ in by_frame(PLAIN, stage)]
        assert sum(end - start for start, end in pieces) == sum(end - start for start, end in spans)
        assert all(start < end for start, end in pieces)


def test_stalls_leave_one_shade():
    assert {frame for _, frame in by_frame(replace(PLAIN, stalled=True), "b")} == {0}


def test_uneven_work_leaves_one_shade():
    uneven = simulation({"a": repeated(0, 30, 8, 50), "b": [(200, 331)]}, cycles=400)
    assert {frame for _, frame in by_frame(uneven, "b")} == {0}
