"""The stages: what each leaves, what it says, and what makes it run again."""

import json
import re
import shutil

import numpy as np
import pytest

from baselines import BASELINES, SHAPES
from baselines import recipe as baseline
from emamba import flow
from emamba.config import parse_config
from emamba.data import load_dataset
from emamba.eda import nextpnr
from emamba.eda.nextpnr import Routing
from emamba.errors import ConfigError
from emamba.files import write
from emamba.graph import Activation, Scan, content_hash, load
from emamba.model import build, parameter_count
from emamba.report import load_results
from toy import TOY

SEED_1 = parse_config("training.epochs = 1\ntraining.seed = 1\n" + TOY)


def said(stage, run, *arguments, **options):
    """What a stage says in one line, times left out."""
    lines = []
    stage(run, *arguments, **options, listener=flow.Listener(say=lines.append))
    return re.sub(r" done in .*", " done", "\n".join(lines))


def radar(folder):
    """A made-up data set of poses in `folder`: 32 frames of two people in each part."""
    rng = np.random.default_rng(0)
    (folder / "data" / "mars").mkdir(parents=True)
    for part in ("train", "validate", "test"):
        frames, poses = rng.normal(size=(32, 8, 8, 5)), rng.normal(size=(32, 57))
        subjects = np.arange(32, dtype=np.uint8) % 2 + 1
        np.savez(folder / "data" / "mars" / f"mars_{part}.npz", x=frames, y=poses, subject=subjects)
    return folder / "data"


def test_training_says_which_data_and_how_good(toy_run):
    found = json.loads((toy_run / "training.json").read_text())
    assert set(found) == {"data", "task", "seed", "parameters", "history", "scores", "validation"}
    assert found["data"].startswith("digits of scikit-learn, 1150 + 287 + 360 images, sha256 ")
    assert found["task"] == "classification"
    assert found["history"][0]["epoch"] == 1
    assert set(found["scores"]) == set(found["validation"]) == {"float", "approximated"}
    assert found["history"][-1]["validation"] == found["validation"]["approximated"]
    assert all(0 <= score <= 1 for part in ("scores", "validation") for score in found[part].values())


def test_quantization_names_its_graph_and_its_curves(toy_run):
    found = json.loads((toy_run / "quantization.json").read_text())
    assert found["graph_hash"] == content_hash(load(toy_run / "graph.json"))
    assert set(found["scores"]) == set(found["validation"]) == {"float", "approximated", "post_training", "integer"}
    assert found["subjects"] == {}
    assert all(set(curve) == {"name", "form", "lo", "hi", "max", "mean"} for curve in found["curves"])
    assert len(found["curves"]) == 2


def test_emit_leaves_c_and_verilog_and_what_they_need(toy_run):
    names = {
        path.relative_to(toy_run).as_posix() for folder in ("firmware", "rtl") for path in toy_run.glob(f"{folder}/*")
    }
    tops = {"rtl/emamba_toy.v", "rtl/axis_emamba_toy.v", "rtl/axi_emamba_toy.v", "rtl/emamba_toy.core"}
    assert names == {"firmware/emamba_toy.c", "firmware/emamba_toy.h", *tops}
    sizes = json.loads((toy_run / "firmware.json").read_text())
    assert set(sizes) == {"code_bytes", "constant_bytes", "ram_bytes"}
    assert all(size > 0 for size in sizes.values())
    assert "module emamba_toy(" in (toy_run / "rtl" / "emamba_toy.v").read_text()


def test_show_is_the_text_of_the_graph(toy_run):
    assert flow.show(toy_run).startswith("graph toy: 4 tokens a frame")


def test_every_result_can_be_read_by_the_report(toy_run):
    results = load_results(toy_run)
    assert results.training
    assert results.quantization
    assert results.firmware
    assert results.rtl


def test_a_finished_run_is_skipped_stage_by_stage(toy_run):
    config = flow.recipe(toy_run)
    lines = []
    flow.train(config, toy_run, listener=flow.Listener(say=lines.append))
    assert lines == ["train: unchanged, skipped"]
    assert said(flow.quantize, toy_run) == "quantize: unchanged, skipped"
    assert said(flow.emit, toy_run) == "emit: unchanged, skipped"


def test_verification_says_how_fast_the_simulation_was(toy_run):
    lines = []
    flow.verify(toy_run, frames=3, listener=flow.Listener(say=lines.append))
    assert re.fullmatch(r"Verilator: 3 frames in \d+\.\d s, [\d,]+ frames a second", lines[0])
    assert lines[1].startswith("verify: new, done")


def test_another_interval_only_emits_again(toy_run):
    path = toy_run / "config.toml"
    path.write_text(path.read_text().replace("interval_cycles = 12", "interval_cycles = 20"))
    assert said(flow.quantize, toy_run) == "quantize: unchanged, skipped"
    assert said(flow.emit, toy_run) == "emit: inputs changed, done"
    assert json.loads((toy_run / "rtl.json").read_text())["interval_cycles"] == 20


def test_another_model_quantizes_again(toy_run):
    before = (toy_run / "model.safetensors").read_bytes()
    flow.train(SEED_1, toy_run)
    assert (toy_run / "model.safetensors").read_bytes() != before
    assert said(flow.quantize, toy_run) == "quantize: inputs changed, done"
    assert said(flow.emit, toy_run) == "emit: inputs changed, done"


def test_scales_of_another_run_are_taken_once(toy_run, tmp_path):
    other = tmp_path / "other"
    flow.train(SEED_1, other)
    assert said(flow.quantize, other, scales=toy_run) == "quantize: new, done"
    taken = (other / "graph.json").read_bytes()
    assert said(flow.quantize, other, scales=toy_run) == "quantize: unchanged, skipped"
    assert said(flow.quantize, other) == "quantize: inputs changed, done"
    assert (other / "graph.json").read_bytes() != taken
    narrow = TOY.replace("[quantization]", "[quantization]\nweight_bits = 7")
    flow.train(parse_config("training.epochs = 1\n" + narrow), other)
    with pytest.raises(ConfigError, match=r"another section \[quantization\] in its recipe"):
        flow.quantize(other, scales=toy_run)


def test_the_report_notes_what_is_out_of_date(toy_run):
    assert said(flow.report, toy_run) == "report: new, done"
    flow.train(SEED_1, toy_run)
    flow.quantize(toy_run)
    note = "note: emit is out of date, its inputs have changed since; run it again"
    assert said(flow.report, toy_run) == f"{note}\nreport: inputs changed, done"


@pytest.mark.parametrize("name", ["firmware/emamba_toy.c", "rtl/emamba_toy.v", "firmware.json"])
def test_an_altered_artifact_is_made_again(toy_run, name):
    path = toy_run / name
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    assert said(flow.emit, toy_run) == f"emit: {name} was altered, done"
    assert path.read_bytes() == before


def test_a_renamed_recipe_leaves_no_old_files(toy_run):
    config = parse_config("training.epochs = 1\n" + TOY.replace('"toy"', '"other"'))
    flow.train(config, toy_run)
    flow.quantize(toy_run)
    flow.emit(toy_run)
    names = ["axi_emamba_other.v", "axis_emamba_other.v", "emamba_other.c", "emamba_other.core", "emamba_other.h"]
    assert sorted(path.name for path in toy_run.glob("*/*.*")) == [*names, "emamba_other.v"]
    assert not list(toy_run.rglob("*emamba_toy*"))


def test_the_same_seed_gives_the_same_bytes(toy_made, tmp_path):
    run = tmp_path / "again"
    flow.train(flow.recipe(toy_made), run)
    flow.quantize(run)
    flow.emit(run)
    for path in toy_made.rglob("*"):
        if path.is_file():
            assert (run / path.relative_to(toy_made)).read_bytes() == path.read_bytes(), path.name


def test_no_artifact_knows_the_place_or_the_day(toy_run):
    flow.report(toy_run)
    for path in toy_run.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(toy_run.parent).encode() not in content, path.name
            assert not re.search(rb"20\d\d-\d\d-\d\d", content), path.name


def test_progress_counts_up_to_its_total(tmp_path):
    seen = []
    flow.train(SEED_1, tmp_path / "run", listener=flow.Listener(lambda *step: seen.append(step)))
    assert seen[0] == (0, 0, "train")
    done, total, label = seen[-1]
    assert (done, label) == (total, "train")
    assert total > 10


def test_where_validation_images_train_they_give_no_scores(tmp_path):
    config = baseline("lstm", epochs=1, validation="trains")
    found = flow.train(config, tmp_path / "run")
    assert found["data"].endswith("; validation images are in train")
    assert (found["validation"], found["history"][0]["validation"]) == ({}, None)


def test_poses_are_learned_from_a_named_folder_that_no_artifact_knows(tmp_path):
    config, run, place = (
        parse_config(TOY.replace("patch = 4", 'name = "mars"\npatch = 4')),
        tmp_path / "run",
        radar(tmp_path),
    )
    short = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    found = flow.train(short, run, data_dir=place)
    assert found["task"] == "regression"
    assert found["data"].startswith("MARS, unknown copy")
    assert set(flow.quantize(run, data_dir=place)["subjects"]) == {"1", "2"}
    flow.emit(run)
    assert flow.verify(run, frames=2, data_dir=place)["mismatches"] == 0
    assert flow.report(run)["task"] == "regression"
    assert "RMSE, subject 2" in (run / "report.html").read_text()
    shutil.rmtree(run / "build")  # no artifact, but what compilers leave
    for path in run.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path.name
    shutil.rmtree(place)
    assert said(flow.quantize, run, data_dir=tmp_path / "elsewhere") == "quantize: unchanged, skipped"


def test_a_text_goes_the_whole_road_on_as_many_frames_as_the_recipe_says(tmp_path):
    (tmp_path / "wikitext-2").mkdir()
    for part in ("train", "valid", "test"):
        (tmp_path / "wikitext-2" / f"wiki.{part}.tokens").write_text(400 * "ab a\n")
    text = 'embedding = "bytes"\nhead = "token"\n'
    recipe = TOY.replace("patch = 4", 'name = "wikitext-2"\npatch = 1').replace("[model]\n", f"[model]\n{text}")
    config = parse_config("training.epochs = 2\nverify.frames = 2\n" + recipe.replace("= 12", "= 256"))
    run = tmp_path / "run"
    flow.train(config, run, data_dir=tmp_path)
    assert all(0 < score < 10 for score in flow.quantize(run, data_dir=tmp_path)["scores"].values())
    assert load(run / "graph.json").frame_tokens("head") == 256
    assert flow.verify(run, data_dir=tmp_path)["frames"] == 2
    assert flow.report(run)["task"] == "language"


def test_learned_knots_go_the_whole_road(tmp_path):
    """With a curve for every layer; streams stall at random."""
    learned = '{ form = "segments", segments = 4, knots = "learned" }'
    model = f"blocks = 2\nconvolution_silu = true\nsilu = {learned}\nexp = {learned}"
    config, run = parse_config("training.epochs = 1\n" + TOY.replace("blocks = 1", model)), tmp_path / "run"
    flow.train(config, run)
    flow.quantize(run)
    flow.emit(run)
    found = flow.verify(run, frames=24, stalls=True, seed=3)
    assert (found["mismatches"], found["frames"], found["stalled"]) == (0, 24, True)
    assert found["compared"]["c"] == found["compared"]["rtl"] == 24
    graph = load(run / "graph.json")
    curves = [
        op.decay if isinstance(op, Scan) else op.curve for op in graph.operations if isinstance(op, Scan | Activation)
    ]
    assert len(curves) == len({curve.slopes.tobytes() for curve in curves}) == 6


@pytest.mark.parametrize("kind", BASELINES)
def test_a_baseline_is_trained_and_reported_in_float_only(tmp_path, kind):
    run, config = tmp_path / "run", baseline(kind, epochs=1)
    found = flow.train(config, run)
    assert set(found["scores"]) == {"float"}
    assert found["parameters"] == parameter_count(build(config.model, SHAPES[kind], 10))
    assert flow.report(run)["scores"] == found["scores"]
    page = (run / "report.html").read_text()
    assert f"A baseline of kind {kind} with {found['parameters']:,} parameters,\nmeasured in float only" in page
    with pytest.raises(ConfigError, match=f"model.kind '{kind}' has no integer form"):
        flow.quantize(run)


def test_a_baseline_does_not_flow(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.kind 'vit' has no integer form"):
        flow.flow(baseline("vit"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_without_an_integer_form_is_refused_before_it_is_trained(tmp_path):
    config = parse_config(TOY.replace("[model]", '[model]\nnorm = "layer"'))
    with pytest.raises(ConfigError, match=r"model\.norm 'layer' has no integer form"):
        flow.flow(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def taught_by(folder, *lines):
    """The toy recipe with a teacher, whose own recipe is the toy with `lines`."""
    teacher = write(folder / "teacher.toml", "\n".join(["training.epochs = 1", *lines]) + "\n" + TOY)
    return parse_config(f"training.epochs = 1\ntraining.teacher.recipe = {json.dumps(str(teacher))}\n" + TOY)


def test_a_teacher_is_trained_first_and_once(tmp_path):
    config = taught_by(tmp_path, "training.seed = 5")
    flow.train(config, tmp_path / "run")
    assert flow.recipe(tmp_path / "run" / "teacher").training.seed == 5
    before = (tmp_path / "run" / "teacher" / "training.json").stat().st_mtime_ns
    found = (tmp_path / "run" / "model.safetensors").read_bytes()
    flow.train(config, tmp_path / "run", force=True)
    assert (tmp_path / "run" / "teacher" / "training.json").stat().st_mtime_ns == before
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == found
    flow.train(parse_config("training.epochs = 1\n" + TOY), tmp_path / "alone")
    alone = json.loads((tmp_path / "alone" / "training.json").read_text())
    assert alone["history"] != json.loads((tmp_path / "run" / "training.json").read_text())["history"]


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ('training.teacher.recipe = "digits"', "the teacher toy of toy learns from digits"),
        ("", "the teacher digits of mars_taught is for digits, not for mars"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(tmp_path, monkeypatch, line, fact):
    config = taught_by(tmp_path, line)
    if not line:
        text = 'name = "mars_taught"\ndata.name = "mars"\ntraining.teacher.recipe = "digits"'
        config = parse_config(text)
        digits = load_dataset("digits")
        monkeypatch.setattr("emamba.data.load.load_dataset", lambda name, folder=None: digits)
    with pytest.raises(ConfigError, match=fact):
        flow.train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "teacher").exists()


def test_a_design_is_routed_on_request_and_only_where_that_is_possible(toy_run, monkeypatch):
    found = Routing("LFE5U-85F", 123.5, "b0_scan: adder (8.1 ns)", {"MULT18X18D": (9, 156)})
    monkeypatch.setattr(nextpnr, "route", lambda verilog, top: found)
    mapped = flow.synth(toy_run, "ecp5")
    assert "routing" not in mapped
    routed = flow.synth(toy_run, "ecp5", route=True)
    assert routed == {**mapped, "routing": json.loads(json.dumps(found.to_json()))}
    assert load_results(toy_run).synth.routing.clock_mhz == 123.5
    with pytest.raises(ConfigError, match="target xcup cannot be placed and routed"):
        flow.synth(toy_run, "xcup", route=True)


@pytest.mark.parametrize("wish", [{"gates": True}, {"clock_mhz": 200.0}])
def test_gates_and_a_clock_are_not_asked_of_an_fpga(toy_run, wish):
    with pytest.raises(ConfigError, match="xcup is an FPGA"):
        flow.synth(toy_run, **wish)


def test_a_target_is_looked_for_before_verilog_is_emitted_for_it(toy_run):
    (toy_run / "rtl.json").unlink()
    with pytest.raises(ConfigError, match="no target 'gf22'"):
        flow.synth(toy_run, "gf22")
    assert not (toy_run / "rtl.json").exists()
    assert flow.synth(toy_run)["totals"]["LUT"] > 0
