"""A wish becomes a section of the recipe and a design; the front becomes a file and a picture."""

import numpy as np
import pytest

from emamba import flow
from emamba.config import parse_config
from emamba.eda.simulation import simulate
from emamba.eda.simulator import build_simulator
from emamba.errors import ArtifactError, ConfigError, GraphError
from emamba.flow.design import load_design
from emamba.flow.run import read_json
from emamba.graph import content_hash, load, predict
from toy import TOY


@pytest.fixture
def retrained(toy_run, tmp_path):
    """The toy under another seed, in the scales of `toy_run`."""
    run = tmp_path / "retrained"
    flow.train(parse_config("training.epochs = 1\ntraining.seed = 1\n" + TOY), run)
    flow.quantize(run, scales=toy_run)
    return run


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
    "wish",
    [
        {},
        {"weights": "flash"},
        {"interval": 9, "fps": 3.0},
        {"multipliers": 90, "latency": 9},
        {"interval": 2},
        {"interval": 1 << 17},
        {"weights": "ram", "packing": True},
    ],
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


def test_the_front_is_that_of_the_form_in_the_recipe(toy_run):
    plain = flow.explore(toy_run)
    assert all(it["dsp"] == it["multipliers"] for it in plain)
    flow.build(toy_run, packing=True)
    packed = flow.explore(toy_run)
    assert min(it["dsp"] / it["multipliers"] for it in packed) < 0.8
    flow.build(toy_run, packing=False, weights="ram")
    loadable = flow.explore(toy_run)
    assert min(it["ff"] for it in loadable) > min(it["ff"] for it in plain)


def test_weights_in_memories_leave_the_speed_as_it_is(toy_run):
    flow.build(toy_run, interval=40)
    design = load_design(toy_run / "rtl.json")
    assert (flow.recipe(toy_run).hardware.weights, design.regions) == ("rom", ())
    flow.build(toy_run, weights="ram")
    hardware, loadable = flow.recipe(toy_run).hardware, load_design(toy_run / "rtl.json")
    assert (hardware.weights, hardware.interval_cycles) == ("ram", 40)
    assert loadable.stages == design.stages
    assert len(loadable.regions) > 10
    flow.build(toy_run, interval=60)
    assert flow.recipe(toy_run).hardware.weights == "ram"
    assert flow.verify(toy_run, frames=2)["mismatches"] == 0


def test_products_share_dsp_blocks_at_the_same_speed(toy_run):
    before = flow.synth(toy_run)["totals"]["DSP"]
    flow.build(toy_run, packing=True)
    hardware = flow.recipe(toy_run).hardware
    assert (hardware.packing, hardware.interval_cycles) == (True, 12)
    assert flow.synth(toy_run)["totals"]["DSP"] < 0.8 * before
    assert flow.verify(toy_run)["mismatches"] == 0
    flow.build(toy_run, interval=40)
    assert flow.recipe(toy_run).hardware.packing
    with pytest.raises(ConfigError, match="packing has to be off"):
        flow.build(toy_run, weights="ram")
    flow.build(toy_run, packing=False)
    assert not flow.recipe(toy_run).hardware.packing


def test_the_weights_of_another_training_make_its_accelerator(toy_run, retrained):
    flow.build(toy_run, weights="ram")
    written = read_json(flow.weights(toy_run, retrained))
    own, other = load(toy_run / "graph.json"), load(retrained / "graph.json")
    hashes = [int(content_hash(graph)[:8], 16) for graph in (own, other)]
    assert [written["accelerator"], written["graph"]] == hashes
    assert written["fraction_bits"] == [other.input.fraction_bits, other.output.fraction_bits]
    design = load_design(toy_run / "rtl.json")
    text = (toy_run / "rtl" / f"{design.top}.v").read_text()
    built = build_simulator(design, text, toy_run / "build", optimised=False)
    frames = np.random.default_rng(0).integers(0, 128, (6, own.tokens, own.input.channels))
    outputs = simulate(built, frames, weights=np.array(written["elements"])).outputs
    assert np.array_equal(outputs, predict(other, frames))
    assert not np.array_equal(outputs, predict(own, frames))


def test_weights_are_refused_where_they_do_not_fit(toy_run, retrained, tmp_path):
    with pytest.raises(ConfigError, match="has its weights in ROMs"):
        flow.weights(toy_run, retrained)
    flow.build(toy_run, weights="ram")
    path = tmp_path / "mine.json"
    assert flow.weights(toy_run, toy_run, path) == path
    flow.quantize(retrained)
    with pytest.raises(GraphError, match=r"cannot load these weights: \w+: \w+ is .*, not "):
        flow.weights(toy_run, retrained)
    flow.train(flow.recipe(retrained), toy_run)
    flow.quantize(toy_run)
    with pytest.raises(ArtifactError, match="is of another graph"):
        flow.weights(toy_run, retrained)
