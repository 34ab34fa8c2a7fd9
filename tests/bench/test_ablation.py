"""The chain from exact float to integers: which recipes are trained, what is shared, what is told."""

import json
import re
from itertools import pairwise

import pytest

from baselines import recipe as baseline
from emamba import flow
from emamba.bench import ablation as bench
from emamba.config import parse_config, seeded
from emamba.data import dataset_of
from emamba.errors import ConfigError
from emamba.files import write
from emamba.model import twin
from emamba.training import evaluate, load_checkpoint
from toy import TOY
from variants import EXACT, built, dataset, recipe

LIMITED = parse_config("training.epochs = 1\n" + TOY.replace("d_model = 4", "d_model = 4\nlimit = 2.0"))


def changed(one, other):
    """Keys of the model section in which two recipes differ; nothing else may differ."""
    assert one.model_copy(update={"model": other.model}) == other
    return {key for key in type(one.model).model_fields if getattr(one.model, key) != getattr(other.model, key)}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A finished ablation of a recipe with a teacher, the folder it left, and what was said."""
    folder = tmp_path_factory.mktemp("ablation")
    teacher = write(folder / "teacher.toml", "training.epochs = 1\n" + TOY.replace("toy", "toy_teacher"))
    taught = {"training": LIMITED.training.model_copy(update={"teacher": _teacher(teacher)})}
    config, said = LIMITED.model_copy(update=taught), []
    found = bench.ablation(config, folder / "run", flow.Listener(say=said.append))
    return config, folder / "run", found, said


def _teacher(path):
    return LIMITED.training.teacher.model_copy(update={"recipe": str(path)})


def test_each_recipe_of_the_chain_differs_in_one_choice():
    recipes = list(bench.chain(LIMITED).items())
    assert [name for name, _ in recipes] == ["exact", "range_norm", "relu", "limit"]
    steps = [changed(one, other) for (_, one), (_, other) in pairwise(recipes)]
    assert steps == [{"norm"}, {"delta"}, {"limit"}]
    exact, last = recipes[0][1].model, recipes[-1][1]
    assert (exact.norm, exact.delta, exact.limit) == ("layer", "softplus", 0.0)
    assert exact.silu.form == exact.exp.form == "exact"
    assert changed(last, LIMITED) == {"silu"}


def test_the_chain_measures_on_validation_images_even_if_the_recipe_trains_with_them():
    trains = LIMITED.training.model_copy(update={"validation": "trains"})
    config = LIMITED.model_copy(update={"training": trains})
    assert bench.chain(config) == bench.chain(LIMITED)
    assert list(bench._notes(config)) == ["the recipe trains with its validation images too; here they measure"]
    assert list(bench._notes(LIMITED)) == []


def test_a_teacher_who_has_seen_the_validation_images_is_named(tmp_path):
    path = write(tmp_path / "teacher.toml", 'training.validation = "trains"\n' + TOY)
    training = LIMITED.training.model_copy(update={"teacher": _teacher(path)})
    (note,) = bench._notes(LIMITED.model_copy(update={"training": training}))
    assert note.startswith(f"the teacher {path} was trained with the validation images")


def test_steps_are_in_order_and_have_the_scores_of_their_runs(measured):
    _, folder, found, _ = measured
    assert [step.choice for step in found.steps] == [
        "exact float",
        "range norm",
        "ReLU for softplus",
        "activation limit",
        "SiLU in 17 segments, optimal knots",
        "exp",
        "integers, post-training",
        "integers, fine-tuned",
    ]
    for name, step in zip(["exact", "range_norm", "relu", "limit"], found.steps, strict=False):
        stored = json.loads((folder / name / "training.json").read_text())
        assert (step.validation, step.test) == (stored["validation"]["float"], stored["scores"]["float"])
        assert stored["parameters"] == found.parameters
    stored = json.loads((folder / "integers" / "quantization.json").read_text())
    for name, step in zip(["post_training", "integer"], found.steps[-2:], strict=True):
        assert (step.validation, step.test) == (stored["validation"][name], stored["scores"][name])


def test_the_curves_are_exchanged_in_the_last_model_that_was_trained(measured):
    config, folder, found, _ = measured
    last = bench.chain(config)["limit"]
    model = twin(load_checkpoint(folder / "limit" / "model.safetensors", last), silu=config.model.silu)
    dataset = dataset_of(last)
    silu, exp = found.steps[4:6]
    assert silu.validation == evaluate(model, dataset.validation, "classification", config.data)
    assert silu.test == evaluate(model, dataset.test, "classification", config.data)
    assert (exp.validation, exp.test) == (None, None)
    assert exp.note == "exact in float; the integers have a table of 256 entries"
    assert flow.recipe(folder / "integers").model == config.model


def test_doing_it_again_is_free_and_a_missing_part_is_made_again(measured):
    config, folder, found, said = measured
    names = ["exact: train", "range_norm: train", "relu: train", "limit: train", "integers: quantize"]
    assert [re.sub(": new, done in .*", "", line) for line in said] == names
    again = []
    assert bench.ablation(config, folder, flow.Listener(say=again.append)) == found
    assert again == [f"{name}: unchanged, skipped" for name in names]
    (folder / "relu" / "model.safetensors").unlink()
    again.clear()
    assert bench.ablation(config, folder, flow.Listener(say=again.append)) == found
    (made,) = [line for line in again if "skipped" not in line]
    assert made.startswith("relu: train: model.safetensors was missing")


def test_the_teacher_is_trained_once(measured):
    _, folder, _, _ = measured
    models = [folder / name / "teacher" / "model.safetensors" for name in ("exact", "range_norm", "relu", "limit")]
    times = {path.stat().st_mtime_ns for path in models}
    assert len({path.read_bytes() for path in models}) == len(times) == 1, "copies keep the time of the original"


def test_a_teacher_that_was_copied_halfway_is_copied_again(tmp_path):
    taught = LIMITED.training.model_copy(update={"teacher": _teacher("any")})
    config = LIMITED.model_copy(update={"training": taught})
    write(tmp_path / "exact" / "teacher" / "model", "whole")
    write(tmp_path / "relu" / ".teacher.part" / "other", "half")
    bench._share_teacher(config, tmp_path / "exact", tmp_path / "relu")
    bench._share_teacher(LIMITED, tmp_path / "exact", tmp_path / "limit")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "exact/teacher/model",
        "relu/teacher/model",
    }


def test_the_table_shows_changes_to_the_last_step_that_has_scores():
    steps = (
        bench.Step("exact float", 0.9, 0.95),
        bench.Step("activation limit", note="the recipe has none"),
        bench.Step("range norm", 0.91, 0.93),
    )
    found = bench.Ablation("toy", 3, "digits", "classification", 1234, steps, ("mind this",))
    assert bench.table(found) == [
        ("step", "validation", "change", "test", "change", ""),
        ("exact float", "90.00 %", "", "95.00 %", "", ""),
        ("activation limit", "-", "", "-", "", "the recipe has none"),
        ("range norm", "91.00 %", "+1.00 points", "93.00 %", "\N{MINUS SIGN}2.00 points", ""),
    ]
    assert bench.summary(found) == ["toy, seed 3, 1,234 parameters in every step", "data: digits", "note: mind this"]


def test_choices_that_change_nothing_say_so(tmp_path):
    plain = {"model": LIMITED.model.model_copy(update={"limit": 0.0})}
    quick = {"quantization": LIMITED.quantization.model_copy(update={"finetune_epochs": 0, "activation_bits": 7})}
    found = bench.ablation(LIMITED.model_copy(update={**plain, **quick}), tmp_path)
    assert [step.note for step in found.steps if step.note] == [
        "the recipe has none",
        "exact in float; the integers have a table of 256 entries",
        "the recipe has no epochs of fine-tuning",
    ]
    assert not (tmp_path / "limit").exists()


def test_a_seed_is_that_of_every_training():
    assert {recipe.training.seed for recipe in bench.chain(seeded(LIMITED, 7)).values()} == {7}


def test_a_baseline_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ConfigError, match="'lstm' has no integer form"):
        bench.ablation(baseline("lstm"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_table_or_json(emamba, measured):
    _, folder, found, _ = measured
    path = folder / "limit" / "config.toml"
    again = emamba("bench", "ablation", path, "--run", "here", "--seed", 1)
    assert again.code == 0
    assert re.search(
        r"^exp +- +- +exact in float", emamba("bench", "ablation", path, "--run", "here", "--seed", 1).out, re.M
    )
    assert json.loads(emamba("bench", "ablation", path, "--run", folder, "--json").out)["seed"] == found.seed


def test_learned_knots_are_told_as_they_begin():
    trained = twin(built("learned"), silu=EXACT, exp=EXACT)
    steps = list(bench._curves(trained, recipe("learned"), dataset()))
    knots = "learned knots as they begin"
    assert [step.choice for step in steps] == [f"SiLU in 5 segments, {knots}", f"exp in 4 segments, {knots}"]
