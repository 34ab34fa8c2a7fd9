from dataclasses import replace

import pytest

from cases import pick, source
from emamba.config import Config
from emamba.graph import Graph, Pool
from emamba.report import Results
from emamba.report.occupancy import by_frame, frame_starts, frame_work, overall, steady, utilisation
from emamba.report.results import Compared, Occupancy, Rtl, Stage, Verification

POOL = Pool(name="pool", source="a", channels=4, dtype=source(4).dtype, fraction_bits=4, shift=1)
HEAD = replace(pick("head", 4, 0, 2), source="pool")
GRAPH = Graph("g", 2, (source(4), pick("a", 4, 0, 4), POOL, HEAD))
STAGES = (Stage("input", "Input", 1, 0, 0), Stage("a", "Linear", 1, 3, 30), Stage("pool", "Pool", 1, 0, 50))
RTL = Rtl("top", 50, 100.0, (*STAGES, Stage("head", "Linear", 1, 1, 25)))


def simulation(busy, cycles=400, frame=100, latency=120, stalled=False):
    occupancy = Occupancy(tuple(busy), cycles, {name: tuple(spans) for name, spans in busy.items()})
    return Verification(4, Compared(4, 4, 2), 0, frame, latency, stalled, occupancy)


def repeated(first, length, count, step):
    return [(first + i * step, first + i * step + length) for i in range(count)]


PLAIN = simulation(
    {"input": [], "a": repeated(5, 30, 8, 50), "pool": [(20, 420)], "head": repeated(110, 25, 3, 100)}, cycles=600
)


WORK = {"input": 0, "a": 60, "pool": 100, "head": 25}


def test_work_is_cycles_a_token_of_the_tokens_read():
    results = Results(config=Config(name="g"), graph=GRAPH, rtl=RTL)
    assert frame_work(results) == WORK
    assert frame_work(replace(results, graph=None)) == frame_work(replace(results, rtl=None)) == {}


def test_frames_are_told_apart_by_counting():
    assert by_frame(PLAIN, "a", WORK)[:4] == [((5, 35), 0), ((55, 85), 0), ((105, 135), 1), ((155, 185), 1)]
    assert by_frame(PLAIN, "pool", WORK) == [((20, 120), 0), ((120, 220), 1), ((220, 320), 2), ((320, 420), 3)]
    assert [frame for _, frame in by_frame(PLAIN, "head", WORK)] == [0, 1, 2]


def test_counting_goes_on_across_gaps():
    stalled = simulation({"a": [(0, 45), (60, 80), (90, 100)]}, stalled=True)
    assert by_frame(stalled, "a", WORK) == [((0, 45), 0), ((60, 75), 0), ((75, 80), 1), ((90, 100), 1)]


def test_cutting_loses_no_cycle():
    for stage, spans in PLAIN.occupancy.busy.items():
        pieces = [piece for piece, _ in by_frame(PLAIN, stage, WORK)]
        assert sum(end - start for start, end in pieces) == sum(end - start for start, end in spans)
        assert all(start < end for start, end in pieces)


def test_without_the_work_of_a_frame_all_is_one():
    assert by_frame(PLAIN, "pool", {}) == [((20, 420), 0)]


def test_frames_start_in_the_first_busy_stage():
    assert frame_starts(PLAIN, WORK) == [5, 105, 205, 305]
    assert frame_starts(simulation({"a": []}), WORK) == []


def test_steady_part_is_whole_frames_after_the_latency():
    assert steady(PLAIN) == (185, 385)
    assert steady(replace(PLAIN, latency_cycles=280)) == (285, 385)


def test_without_a_steady_part_all_cycles_count():
    assert steady(replace(PLAIN, latency_cycles=281)) == (0, 600)
    assert steady(simulation({"a": []})) == (0, 400)


def test_a_simulation_that_stops_while_it_is_fed():
    assert steady(simulation({"a": [(0, 100), (100, 900)]})) == (200, 400)


def test_utilisation_counts_cycles_inside_the_steady_part():
    assert utilisation(PLAIN, "a") == pytest.approx(0.6)
    assert utilisation(PLAIN, "pool") == 1.0
    assert utilisation(PLAIN, "head") == pytest.approx(0.25)
    assert utilisation(PLAIN, "input") == utilisation(PLAIN, "unknown") == 0.0


def test_overall_weighs_by_multipliers():
    assert overall(PLAIN, RTL) == pytest.approx((3 * 0.6 + 0.25) / 4)
    assert overall(PLAIN, replace(RTL, stages=STAGES[:1])) == 0.0
