"""The sweep: which settings there are, what is measured for each, and what is refused."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from baselines import recipe as baseline
from emamba import flow
from emamba.bench import sweep as bench
from emamba.config import CurveConfig, parse_config
from emamba.data import dataset_of
from emamba.errors import ArtifactError, ConfigError
from emamba.flow import start
from toy import TOY

pytestmark = pytest.mark.xdist_group("sweep")  # one worker makes what all of them look at


def quiet(done, total, label):
    pass


@pytest.fixture(scope="module")
def swept(toy_made):
    told = []
    return bench.sweep(toy_made, lambda *step: told.append(step)), told


def test_every_setting_is_measured_once(swept):
    found, told = swept
    assert {title: [point.setting for point in points] for title, points in found.tables.items()} == {
        title: [setting.name for setting in group] for title, group in bench.settings().items()
    }
    assert [len(points) for points in found.tables.values()] == [8, 11, 11, 11, 5, 5, 2]
    assert [done for done, _, _ in told] == list(range(53))
    assert {total for _, total, _ in told} == {53}
    assert (found.frames, found.split_frames) == (287, 287)


def test_the_recipe_is_scored_as_its_post_training_integers(swept, toy_made):
    found, _ = swept
    stored = flow.quantize(toy_made)["validation"]
    assert found.recipe.score == stored["post_training"]
    assert found.float == stored["float"]
    same = [found.tables["state, bits stored (computed 7 wider)"][5], found.tables["exp"][-1]]
    same += [found.tables["SiLU"][8], found.tables["activations, bits"][2], found.tables["weights, bits"][4]]
    same += [found.tables["scales of weights"][0]]
    assert [point.setting for point in same] == [
        "17",
        "table",
        "17 segments, optimal knots",
        "8",
        "8",
        "one for each tensor",
    ]
    assert {(point.score, point.noise) for point in same} == {(found.recipe.score, found.recipe.noise)}


def test_coarser_settings_are_noisier(swept):
    found, _ = swept
    assert 0 < found.recipe.noise < 0.1
    for title in ("activations, bits", "weights, bits"):
        noise = [point.noise for point in found.tables[title]]
        assert noise[0] > 2 * noise[-1]
    for title in ("SiLU", "SiLU and exp"):
        noise = {point.setting: point.noise for point in found.tables[title]}
        assert noise["3 segments, paper knots"] > 2 * noise["33 segments, paper knots"]
        assert noise["3 segments, optimal knots"] < noise["3 segments, paper knots"]
    states = [point.noise for point in found.tables["state, bits stored (computed 7 wider)"]]
    assert len(set(states)) > 1


def test_settings_change_what_they_say():
    settings = {title: {it.name: it for it in group} for title, group in bench.settings().items()}
    paper = CurveConfig(form="segments", segments=9, knots="paper")
    assert (settings["SiLU"]["9 segments, paper knots"].silu, settings["SiLU"]["table"].exp) == (paper, None)
    assert (settings["exp"]["9 segments, paper knots"].exp, settings["exp"]["table"].silu) == (paper, None)
    assert settings["SiLU and exp"]["9 segments, paper knots"].silu == paper
    assert settings["SiLU and exp"]["9 segments, paper knots"].exp == paper
    widths = [it.changes for it in settings["state, bits stored (computed 7 wider)"].values()]
    assert {it["compute_bits"] - it["state_bits"] for it in widths} == {7}


def test_a_large_split_is_measured_in_part_and_the_output_says_so(toy_made, monkeypatch):
    monkeypatch.setattr(bench, "FRAMES", 100)
    monkeypatch.setattr(bench, "settings", lambda: {"one": (bench.Setting("as it is"),)})
    found = bench.sweep(toy_made, quiet)
    assert (found.frames, found.split_frames) == (100, 287)
    assert bench.summary(found)[0] == "toy, post-training integers, 100, evenly spread, of the 287 validation frames"
    assert bench.summary(replace(found, frames=287))[0] == "toy, post-training integers, all 287 validation frames"


def test_the_table_names_setting_score_difference_and_noise():
    tables = {"state": (bench.Point("8", 0.05, 0.01),)}
    found = bench.Sweep(
        "pose", "radar", "regression", 4, 4, 0.0771, bench.Point("as the recipe says", 0.0775, 0.002), tables
    )
    assert bench.table(found) == [
        ("setting", "RMSE", "to recipe", "noise"),
        ("float, exact curves", "7.71 cm", "\N{MINUS SIGN}0.04 cm", "0.000 %"),
        ("integers, as the recipe says", "7.75 cm", "+0.00 cm", "0.200 %"),
        ("", "", "", ""),
        ("state", "", "", ""),
        ("  8", "5.00 cm", "\N{MINUS SIGN}2.75 cm", "1.000 %"),
    ]


def test_noise_is_a_share_of_the_variance_of_the_outputs(toy_made):
    config = flow.recipe(toy_made)
    data = dataset_of(config)
    model = bench.load_checkpoint(toy_made / "model.safetensors", config)
    split = data.validation[:20]
    real = bench.outputs_in_float(model, split.images, config.data)
    subject = bench._Subject(model, config, data, split, real)
    noise = subject.point(bench.Setting("")).noise
    doubled = bench._Subject(model, config, data, split, real + np.float32(100))
    share = 100**2 / real.var(axis=0).mean()
    assert noise < 0.1
    assert doubled.point(bench.Setting("")).noise == pytest.approx(share, rel=0.01)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [("", ArtifactError), ('training.validation = "trains"\n', ConfigError)],
)
def test_a_folder_without_a_model_or_without_validation_is_refused(tmp_path, lines, problem):
    start(tmp_path, parse_config(lines + TOY))
    with pytest.raises(problem):
        bench.sweep(tmp_path, quiet)


def test_mistakes_are_two_lines(emamba, tmp_path):
    ended = emamba("bench", "sweep", tmp_path)
    assert (ended.code, ended.told[0]) == (4, f"error: {tmp_path} is not a run folder: it has no config.toml")
    start(tmp_path, baseline("lstm"))
    ended = emamba("bench", "sweep", tmp_path)
    assert (ended.code, ended.told[0]) == (2, "error: model.kind 'lstm' has no integer form")
    start(tmp_path, parse_config('training.validation = "trains"\n' + TOY))
    ended = emamba("bench", "sweep", tmp_path)
    assert ended.code == 2
    assert "only test scores exist" in ended.told[0]
    start(tmp_path, parse_config(TOY))
    ended = emamba("bench", "sweep", tmp_path)
    assert (ended.code, ended.told[0]) == (4, f"error: {tmp_path}/model.safetensors does not exist")


def test_the_command_prints_tables_or_json(emamba, toy_made, monkeypatch):
    monkeypatch.setattr(bench, "settings", lambda: {"one": (bench.Setting("as it is"),)})
    lines = emamba("bench", "sweep", toy_made).out.splitlines()
    assert re.match(r"setting +Accuracy +to recipe +noise", lines[0])
    assert re.match(r"  as it is +\d+\.\d\d % +\+0\.00 points +0\.\d+ %", lines[5])
    found = json.loads(emamba("bench", "sweep", toy_made, "--json").out)
    assert found["tables"]["one"] == [{**found["recipe"], "setting": "as it is"}]
