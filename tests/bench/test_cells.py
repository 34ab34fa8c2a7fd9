import json
from dataclasses import replace

import pytest

from emamba.bench import cells as bench
from emamba.bench.cells import DESIGNS, Design, Sample, cells, compared, errors, fit, summary, table
from emamba.config import parse_config
from emamba.errors import ConfigError
from emamba.flow import SILENT, recipe, zoo
from emamba.graph import load
from emamba.rtl import estimate
from emamba.rtl.solver import fold
from emamba.rtl.standard_cells import PRICES, Cells, Prices, amounts, clocked, in_cells
from networks import random_network

TRUE = Prices((0.1, 0.5, 0.6, 0.55, 0.15, 0.01), (1.2, 1.8, 1.9, 0.4, 1.0, 0.02), (1.0, 0.3), 1, 0.0, 0.0)


def sample(seed, interval, share=1.0):
    """A design that costs `share` of what the true prices say; the clock net takes a third of the clock."""
    graph = random_network(seed).graph
    made = estimate(graph, fold(graph, interval))
    cycles = made.performance.cycles_per_frame
    areas, energies = {}, {}
    for name, cost in made.components.items():
        clock = cycles * sum(p * n for p, n in zip(TRUE.clock_fj, clocked(cost), strict=True))
        work = sum(p * n for p, n in zip(TRUE.work_fj, amounts(made.worked[name]), strict=True))
        areas[name] = share * sum(p * n for p, n in zip(TRUE.area_um2, amounts(cost), strict=True))
        energies[name] = share * (work + clock * 2 / 3) * 1e-6
    net = share * cycles * sum(p * n for p, n in zip(TRUE.clock_fj, clocked(made.total), strict=True)) / 3e6
    return Sample(f"net{seed}", made, areas, energies, net)


@pytest.fixture(scope="module")
def samples():
    return [sample(seed, interval) for seed, interval in ((0, 12), (1, 300), (2, 60), (3, 4000))]


def test_prices_come_back_from_designs_that_cost_so_much(samples):
    found = fit(samples)
    assert found.area_um2 == pytest.approx(TRUE.area_um2, rel=0.01)
    assert found.work_fj == pytest.approx(TRUE.work_fj, rel=0.01)
    assert found.clock_fj == pytest.approx(TRUE.clock_fj, rel=0.01)
    assert found.designs == 4
    assert in_cells(samples[0].estimate, found).energy_nj == pytest.approx(samples[0].measured.energy_nj, rel=0.01)


def test_a_design_is_judged_by_prices_that_do_not_know_it(samples):
    dear = sample(5, 100, share=1.5)
    found, prices = compared([*samples, dear], replace(TRUE, area_um2=(0.0,) * 6))
    assert errors(found[-1].unseen, found[-1].measured) == pytest.approx((1 / 1.5 - 1,) * 2, rel=0.02)
    assert [it.met for it in found] == [True, True, True, True, False]
    assert errors(found[0].model, found[0].measured) == pytest.approx((-1, 0), abs=1e-3)
    assert prices.area_error == pytest.approx(1 / 3, rel=0.02)
    assert prices.designs == 5
    head, *rows = table(found)
    assert len(head) == len(rows[0])
    assert rows[-1][3::3] == (f"{found[-1].measured.area_mm2:.4g}", f"{found[-1].measured.energy_nj:,.4g}")
    assert rows[-1][4] == "-100.0%"
    first, *lines = summary(found, prices)
    assert first.startswith("4 of 5 designs within 20%")
    assert [line.split(":")[0] for line in lines] == ["um2", "fJ a cycle at work", "fJ a cycle"]


def test_every_design_is_another_recipe_or_model():
    assert len({it.name for it in DESIGNS}) == len(DESIGNS) >= 8
    for it in DESIGNS:
        if it.model:
            assert it.model in zoo.names()
        else:
            parse_config(bench._TRAINED.format(name=it.name, lines=it.lines))


def test_a_sample_has_the_measurements_of_each_component(toy_run, monkeypatch):
    """A model that is there is built for real; what synthesis would give is made up."""
    design, made = Design("toy", 48, model="digits"), {}

    def synth(run, target, gates, listener, data_dir):
        made.update(target=target, rtl=(run / "rtl.json").is_file())
        powers = [{"name": "head", "clock": 1.0, "logic": 2.0}, {"name": "clock net", "clock": 5.0}]
        power = {"interval_cycles": 512, "clock_mhz": 100.0, "components": powers}
        return {"components": [{"name": "head", "logic": 3, "memory": 4}], "power": power}

    monkeypatch.setattr(bench.flow, "synth", synth)
    found = bench._sample(design, toy_run, "asap7", SILENT, None)
    assert made == {"target": "asap7", "rtl": True}
    assert (found.areas, found.energies, found.clock_net) == ({"head": 7.0}, {"head": 3 * 5.12}, 5 * 5.12)
    assert found.measured == Cells(pytest.approx(7e-6), pytest.approx(8 * 5.12))
    assert recipe(toy_run).hardware.interval_cycles == 48
    assert 0 < found.estimate.performance.cycles_per_frame <= 48 * load(toy_run / "graph.json").tokens


def test_the_verb_prints_the_table(emamba, monkeypatch, samples, tmp_path):
    by_name = {design.name: replace(it, name=design.name) for design, it in zip(DESIGNS, samples * 4, strict=False)}
    monkeypatch.setattr(bench, "_sample", lambda design, *rest: by_name[design.name])
    ended = emamba("bench", "cost", "--target", "asap7", "--run", tmp_path)
    assert ended.code == 0
    assert ended.out.splitlines()[1].startswith(DESIGNS[0].name)
    assert json.loads(emamba("bench", "cost", "--target", "asap7", "--json").out)["prices"]["designs"] == len(DESIGNS)


def test_what_has_no_prices_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no prices of gf22") as refused:
        cells(tmp_path, "gf22", SILENT)
    assert ", ".join(PRICES) in refused.value.hint
