"""A wish becomes a section of the recipe and a design; the front becomes a file and a picture."""

import pytest

from emamba import flow
from emamba.errors import ConfigError
from emamba.flow.run import read_json


def multipliers(run):
    return sum(stage["multipliers"] for stage in read_json(run / "rtl.json")["stages"])


def test_an_interval_is_kept_and_remembered(toy_run):
    before = multipliers(toy_run)
    built = flow.build(toy_run, interval=40)
    assert built["rtl"]["interval_cycles"] == flow.recipe(toy_run).hardware.interval_cycles == 40
    assert multipliers(toy_run) < before


def test_frames_a_second_at_a_clock_become_an_interval(toy_run):
    flow.build(toy_run, fps=2.5e6, clock_mhz=200.0)
    hardware = flow.recipe(toy_run).hardware
    assert (hardware.interval_cycles, hardware.clock_mhz) == (20, 200.0)
    assert read_json(toy_run / "rtl.json")["clock_mhz"] == 200.0


def test_a_budget_of_multipliers_is_kept(toy_run):
    least = multipliers(toy_run)
    flow.build(toy_run, multipliers=2 * least)
    hardware = flow.recipe(toy_run).hardware
    assert least < multipliers(toy_run) <= 2 * least
    assert hardware.interval_cycles < 12
    assert hardware.latency_cycles > 0


def test_a_latency_is_met_in_simulation(toy_run):
    loose = flow.verify(toy_run, frames=2)["latency_cycles"]
    flow.build(toy_run, interval=12, latency=loose - 4)
    assert flow.verify(toy_run, frames=2)["latency_cycles"] <= loose - 4


@pytest.mark.parametrize(
    "wish", [{}, {"interval": 9, "fps": 3.0}, {"multipliers": 90, "latency": 9}, {"interval": 2}, {"interval": 1 << 17}]
)
def test_a_wish_that_cannot_be_met_leaves_the_recipe_alone(toy_run, wish):
    before = flow.recipe(toy_run)
    with pytest.raises(ConfigError):
        flow.build(toy_run, **wish)
    assert flow.recipe(toy_run) == before


def test_the_front_is_kept_with_its_picture(toy_run):
    designs = flow.explore(toy_run)
    assert [design["cycles_per_frame"] for design in designs] == sorted(it["cycles_per_frame"] for it in designs)
    assert read_json(toy_run / "explore.json")["designs"] == designs
    picture = (toy_run / "explore.svg").read_bytes()
    assert b"cycles a frame" in picture
    told = []
    assert flow.explore(toy_run, listener=flow.Listener(say=told.append)) == designs
    assert told == ["explore: unchanged, skipped"]
    flow.explore(toy_run, force=True)
    assert (toy_run / "explore.svg").read_bytes() == picture
