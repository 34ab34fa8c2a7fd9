import hashlib
import json

import pytest

from emamba.errors import ArtifactError, ConfigError
from emamba.report import load_results

STAGES = ("training", "quantization", "firmware", "rtl", "verify", "synth")


def test_a_whole_run(run):
    results = load_results(run)
    assert results.config.name == results.graph.name == "small"
    assert results.training.history[1].loss == pytest.approx(1.8)
    assert results.quantization.curves[1].lo == -8.0
    assert results.quantization.history == ()
    assert results.training.history[1].validation is None
    assert results.rtl.stages[2].name == results.graph.operations[2].name
    assert results.verify.occupancy.busy["x"][0] == (7, 37)
    assert results.synth.components[1].BRAM == 0.5


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_has_not_run_is_none(run, stage):
    (run / f"{stage}.json").unlink()
    results = load_results(run)
    assert [name for name in STAGES if getattr(results, name) is None] == [stage]


def test_without_graph(run):
    (run / "graph.json").unlink()
    assert load_results(run).graph is None


def test_a_folder_without_recipe_is_no_run(run):
    (run / "config.toml").unlink()
    with pytest.raises(ArtifactError, match=r"config\.toml does not exist"):
        load_results(run)


def test_a_recipe_that_is_no_text(run):
    (run / "config.toml").write_bytes(b"\xff")
    with pytest.raises(ArtifactError, match=r"config\.toml is damaged"):
        load_results(run)


def test_a_recipe_that_is_no_recipe(run):
    (run / "config.toml").write_text("name = 3\n")
    with pytest.raises(ConfigError, match="name"):
        load_results(run)


@pytest.mark.parametrize("stage", STAGES)
def test_a_truncated_file_is_named(run, stage):
    path = run / f"{stage}.json"
    path.write_text(path.read_text()[:-1])
    with pytest.raises(ArtifactError, match=rf"{stage}\.json is damaged"):
        load_results(run)


@pytest.mark.parametrize(
    ("stage", "change", "fact"),
    [
        ("firmware", {"ram_bytes": "678"}, "ram_bytes is '678', not int"),
        ("firmware", {"ram_bytes": True}, "ram_bytes is True, not int"),
        ("training", {"seed": None}, "seed is None, not int"),
        ("training", {"scores": {"float": "high"}}, "scores: float is 'high', not float"),
        ("training", {"scores": [0.9]}, "scores is"),
        ("training", {"history": [{"epoch": 1}]}, r"history\[0\] has no loss"),
        ("training", {"history": [{"epoch": 1, "loss": 1.0, "validation": "x"}]}, "validation is 'x', not float"),
        ("training", {"task": "sorting"}, "task is 'sorting', not one of: classification, regression"),
        ("verify", {"cycles_per_frame": 0}, "cycles_per_frame is 0, not at least 1"),
        ("verify", {"compared": 3}, "compared has no c"),
        ("verify", {"occupancy": {"stages": [], "cycles": 1, "busy": {"x": [[1]]}}}, r"x\[0\] has 1 items, not 2"),
        ("synth", {"totals": {"LUT": []}}, "totals: LUT is"),
        ("synth", {"routing": {"device": "LFE5U-85F"}}, "routing has no clock_mhz"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(run, stage, change, fact):
    path = run / f"{stage}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=fact):
        load_results(run)


def test_results_of_another_graph_are_refused(run):
    path = run / "quantization.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "graph_hash": "0" * 64}))
    with pytest.raises(ArtifactError, match=r"quantization\.json was measured on another graph"):
        load_results(run)


def test_what_was_measured_on_the_way(run):
    path = run / "quantization.json"
    epoch = {"epoch": 1, "loss": 0.5, "validation": 0.25}
    path.write_text(json.dumps({**json.loads(path.read_text()), "history": [epoch], "subjects": {"1": 0.5}}))
    found = load_results(run).quantization
    assert (found.history[0].loss, found.history[0].validation, found.subjects) == (0.5, 0.25, {"1": 0.5})


def test_a_file_that_is_no_record(run):
    (run / "rtl.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"rtl\.json is damaged: the file has no top"):
        load_results(run)


def test_keys_of_later_versions_are_ignored(run):
    path = run / "firmware.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "compiler": "cc"}))
    assert load_results(run).firmware.code_bytes == 5120


def test_artifacts_carry_relative_names_and_plain_hashes(run):
    artifacts = {artifact.path: artifact for artifact in load_results(run).artifacts}
    content = (run / "firmware" / "emamba_small.c").read_bytes()
    assert set(artifacts) == {"config.toml", "graph.json", "graph.npz", "firmware/emamba_small.c"}
    assert artifacts["firmware/emamba_small.c"].sha256 == hashlib.sha256(content).hexdigest()
    assert artifacts["firmware/emamba_small.c"].bytes == len(content)


def test_versions(results):
    versions = dict(results.versions)
    assert versions["emamba"][0].isdigit()
    assert versions["python"].startswith("3.")


def test_a_package_that_is_missing(run, monkeypatch):
    monkeypatch.setattr("emamba.report.results._PACKAGES", ("no-such-package",))
    assert dict(load_results(run).versions)["no-such-package"] == "not installed"
