import pytest

from emamba.config import parse_config
from emamba.errors import ConfigError
from emamba.graph import load
from emamba.search.measures import COSTS, constraints, costs


def test_costs_are_those_of_the_design_that_the_recipe_asks_for(toy_made):
    config, graph = parse_config((toy_made / "config.toml").read_text()), load(toy_made / "graph.json")
    found = costs(graph, config)
    assert set(found) == set(COSTS)
    assert found["dsp"] == found["multipliers"] > 0
    assert found["multiplier_cycles"] == found["multipliers"] * found["cycles"]
    assert found["fps"] == pytest.approx(1e8 / found["cycles"])
    assert found["memory_kbit"] == pytest.approx(found["rom_kbit"] + found["ram_kbit"])
    assert 0 < 30 * found["asap7_mm2"] < found["sky130_mm2"] < 90 * found["asap7_mm2"]
    slower = config.hardware.model_copy(update={"interval_cycles": 48})
    less = costs(graph, config.model_copy(update={"hardware": slower}))
    assert less["multipliers"] < found["multipliers"]
    assert less["asap7_mm2"] < found["asap7_mm2"]
    assert less["sky130_nj"] > found["sky130_nj"] > 10 * found["asap7_nj"], "the clock runs for longer"
    assert less["cycles"] > found["cycles"]
    packed = costs(graph, config.model_copy(update={"hardware": config.hardware.model_copy(update={"packing": True})}))
    assert packed["dsp"] < packed["multipliers"] == found["multipliers"]


@pytest.mark.parametrize(
    ("text", "value", "excess"),
    [
        ("lut<=200", 250, 0.25),
        (" fps >= 1e3", 500, 0.5),
        ("lut<=8.5", 8, -0.5 / 8.5),
        ("asap7_mm2<=.02", 0.03, 0.5),
        ("asap7_mm2<=2e-2", 0.01, -0.5),
    ],
)
def test_a_constraint_says_by_how_much_of_its_limit_it_is_missed(text, value, excess):
    (found,) = constraints([text])
    assert found.excess({found.cost: value}) == pytest.approx(excess)


def test_a_constraint_is_written_with_all_its_digits():
    texts = ["multipliers<=256", "multiplier_cycles<=1234567", "asap7_mm2<=0.0123456789"]
    assert list(map(str, constraints(texts))) == texts


@pytest.mark.parametrize(
    "text", ["multipliers", "multipliers<256", "multipliers<=many", "<=3", "lut<=1.2.3", "lut<=-1"]
)
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(ConfigError, match="is no constraint"):
        constraints([text])


def test_unknown_costs_and_contradictions_are_refused():
    with pytest.raises(ConfigError, match="there is no cost 'joules'") as refused:
        constraints(["joules<=3"])
    assert "multiplier_cycles" in refused.value.hint
    with pytest.raises(ConfigError, match="lut>=300 and lut<=200 contradict"):
        constraints(["lut<=200", "lut>=300"])
    assert len(constraints(["lut<=300", "lut>=200"])) == 2
