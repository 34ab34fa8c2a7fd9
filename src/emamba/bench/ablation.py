"""What each choice on the way from exact float to integers costs: one recipe, one choice at a time.

Choices that training has to know (norm, delta, limit) are trained, each in a run folder of its own. Curves
are exchanged in the last of these models, as the paper does ("Approximation of nonlinear functions"), and the
integers are made of what comes out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emamba.config import Config, CurveConfig, MambaConfig, load_config
from emamba.data import Dataset, Task, dataset_of
from emamba.flow import Listener, quantize, start, train
from emamba.flow.run import SILENT
from emamba.model import Mamba, twin
from emamba.quantization import lowerable
from emamba.report.scores import MEASURES
from emamba.training import evaluate, load_checkpoint, save_checkpoint

INTEGERS = "integers"  # the run folder of the last steps

_EXACT = CurveConfig(form="exact")
_REFERENCE = {"norm": "layer", "delta": "softplus", "limit": 0.0, "silu": _EXACT, "exp": _EXACT}
_TRAINED = {"exact": (), "range_norm": ("norm",), "relu": ("delta",), "limit": ("limit",)}
_TITLES = {
    "exact": "exact float",
    "range_norm": "range norm",
    "relu": "ReLU for softplus",
    "limit": "activation limit",
    "silu": "SiLU",
    "exp": "exp",
    "post_training": "integers, post-training",
    "integer": "integers, fine-tuned",
}


@dataclass(frozen=True)
class Step:
    """A choice, and the scores of a model with it and all choices before it, on both splits.

    A choice that changes nothing for this recipe has no scores, and a `note` that says why.
    """

    choice: str
    validation: float | None = None
    test: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Ablation:
    """The steps of a recipe in order; `parameters` is the same in all. `notes` are reservations."""

    recipe: str
    seed: int
    data: str
    task: Task
    parameters: int
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def chain(config: Config) -> dict[str, Config]:
    """The recipes that are trained, by the choice that is new in each; the first is exact.

    Validation images measure in all of them. A limit of 0 is no choice. ConfigError if the model has no
    integer form.
    """
    lowerable(config.model)
    assert isinstance(config.model, MambaConfig), "lowerable() lets no other network through"
    measured = {"training": config.training.model_copy(update={"validation": "measures"})}
    found, model = {}, config.model.model_copy(update=_REFERENCE)
    for name, keys in _TRAINED.items():
        model = model.model_copy(update={key: getattr(config.model, key) for key in keys})
        if name != "limit" or config.model.limit:
            found[name] = config.model_copy(update={**measured, "model": model})
    return found


def ablation(config: Config, folder: Path, listener: Listener = SILENT, data_dir: Path | None = None) -> Ablation:
    """Every step for `config`, trained in run folders below `folder`; what is there is not done again.

    ConfigError if the model has no integer form. Conclusions belong to the validation scores.
    """
    recipes, steps, results = chain(config), [], {}
    for name, recipe in recipes.items():
        run = folder / name
        _share_teacher(recipe, folder / next(iter(recipes)), run)
        results = train(recipe, run, listener=_about(name, listener), data_dir=data_dir)
        steps.append(Step(_TITLES[name], results["validation"]["float"], results["scores"]["float"]))
    if "limit" not in recipes:
        steps.append(Step(_TITLES["limit"], note="the recipe has none"))
    name, recipe = list(recipes.items())[-1]
    model = load_checkpoint(folder / name / "model.safetensors", recipe)
    assert isinstance(model, Mamba), "chain() has no other network"
    final = recipe.model_copy(update={"model": config.model})
    steps += _curves(model, final, dataset_of(final, data_dir))
    steps += _integers(model, final, folder / INTEGERS, listener, data_dir)
    about = config.name, config.training.seed, results["data"], results["task"], results["parameters"]
    return Ablation(*about, tuple(steps), tuple(_notes(config)))


def table(found: Ablation) -> list[tuple[str, ...]]:
    """Step, validation score and its change, test score and its change, note."""
    measure, last = MEASURES[found.task], None
    rows = [("step", "validation", "change", "test", "change", "")]
    for step in found.steps:
        if step.validation is None or step.test is None:
            rows.append((step.choice, "-", "", "-", "", step.note))
            continue
        before = last or (step.validation, step.test)
        cells = []
        for score, reference in zip((step.validation, step.test), before, strict=True):
            cells += [measure.written(score), measure.difference(score, reference) if last else ""]
        rows.append((step.choice, *cells, step.note))
        last = step.validation, step.test
    return rows


def summary(found: Ablation) -> list[str]:
    """What was measured, and what to keep in mind."""
    about = f"{found.recipe}, seed {found.seed}, {found.parameters:,} parameters in every step"
    return [about, f"data: {found.data}", *(f"note: {note}" for note in found.notes)]


def _curves(model: Mamba, config: Config, dataset: Dataset) -> Iterator[Step]:
    """SiLU, then exp, in the forms of the recipe, at inference."""
    assert isinstance(config.model, MambaConfig)
    entries = {"silu": 1 << config.quantization.activation_bits, "exp": 256}
    for name in ("silu", "exp"):
        choice: CurveConfig = getattr(config.model, name)
        if choice.form == "exact":
            yield Step(_TITLES[name], note=f"exact in float; the integers have a table of {entries[name]} entries")
            continue
        model = twin(model, **{name: choice})
        knots = "learned knots as they begin" if choice.knots == "learned" else f"{choice.knots} knots"
        title = f"{_TITLES[name]} in {choice.segments} segments, {knots}"
        where = dataset.task, config.data
        yield Step(title, evaluate(model, dataset.validation, *where), evaluate(model, dataset.test, *where))


def _integers(model: Mamba, config: Config, run: Path, listener: Listener, data_dir: Path | None) -> Iterator[Step]:
    """The integers of `model` with the recipe's curves, before and after fine-tuning."""
    assert isinstance(config.model, MambaConfig)
    curved = twin(model, config.model.silu, config.model.exp)
    save_checkpoint(curved, config, start(run, config) / "model.safetensors")
    results = quantize(run, listener=_about(INTEGERS, listener), data_dir=data_dir)
    epochs = config.quantization.finetune_epochs
    for name in ("post_training", "integer"):
        if name == "integer" and not epochs:
            yield Step(_TITLES[name], note="the recipe has no epochs of fine-tuning")
        else:
            yield Step(_TITLES[name], results["validation"][name], results["scores"][name])


def _share_teacher(config: Config, first: Path, run: Path) -> None:
    """Gives `run` the teacher that was trained in `first`, so that training finds it up to date."""
    source, target = first / "teacher", run / "teacher"
    if not config.training.teacher.recipe or not source.exists() or target.exists():
        return
    beside = run / ".teacher.part"  # a copy that was interrupted is never taken for a whole one
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside)
    beside.rename(target)


def _notes(config: Config) -> Iterator[str]:
    if config.training.validation == "trains":
        yield "the recipe trains with its validation images too; here they measure"
    teacher = config.training.teacher.recipe
    if teacher and load_config(teacher).training.validation == "trains":
        yield f"the teacher {teacher} was trained with the validation images, so their scores flatter"


def _about(name: str, listener: Listener) -> Listener:
    """Tells `listener` which step it hears of."""
    return Listener(
        lambda done, total, label: listener.progress(done, total, f"{name}: {label}"),
        lambda line: listener.say(f"{name}: {line}"),
    )
