"""What a recipe costs before it is trained, and how good its integers are after so many epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emamba import flow
from emamba.config import Config
from emamba.data import Dataset, Task, dataset_of, evenly
from emamba.flow import Listener, Progress
from emamba.graph import Graph
from emamba.search.measures import costs

if TYPE_CHECKING:
    from emamba.training import Teacher, Weights


@dataclass(frozen=True, eq=False)
class Result:
    """An integer graph, its `loss` on validation frames (less is better), and the weights it is made of.

    The loss of classes is the share of frames that are wrong, that of coordinates their RMSE in metres.
    """

    loss: float
    graph: Graph
    weights: Weights


@dataclass(frozen=True, eq=False)
class Subject:
    """What all trials of a search learn from and are measured on."""

    dataset: Dataset
    frames: int
    teacher: Teacher | None


def subject(recipe: Config, frames: int, folder: Path, data_dir: Path | None, listener: Listener) -> Subject:
    """The data of `recipe` and its teacher, which is trained in `folder` unless it is there."""
    dataset = dataset_of(recipe, data_dir)
    return Subject(dataset, frames, flow.teacher(folder, recipe, listener.progress, data_dir))


def price(config: Config, dataset: Dataset) -> dict[str, float]:
    """The costs of the accelerator of `config`, from its untrained network; ConfigError if it has none.

    Weights change nothing but the shifts of scales, and so a few LUTs; those are of the random start of its seed.
    """
    from emamba.model import Mamba
    from emamba.quantization import calibrated, lower, lowerable
    from emamba.training import reproducible, untrained

    lowerable(config.model)
    with reproducible(config.training.seed, config.training.threads):
        model = untrained(config, dataset)
    assert isinstance(model, Mamba), "lowerable() lets no other network through"
    return costs(lower(config.name, model, calibrated(model, config, dataset), config.quantization), config)


def trained(config: Config, known: Subject, donor: Weights | None, whole: bool, tell: Progress) -> Result:
    """The network of `config` trained and in integers, measured on validation frames.

    A `whole` training is that of `flow`: from random weights and with fine-tuning. Otherwise it starts from the
    fitting tensors of `donor`, and integers are made without fine-tuning.
    """
    from emamba.model import Mamba
    from emamba.quantization import calibrated, evaluate, finetune, lower
    from emamba.training import train

    model, _ = train(config, _unmeasured(known.dataset), tell, None, known.teacher, None if whole else donor)
    assert isinstance(model, Mamba), "a space starts from one, and `price` lets no other network through"
    scales = calibrated(model, config, known.dataset)
    tuned = finetune(model, scales, config, known.dataset, tell)[0] if whole else model
    graph = lower(config.name, tuned, scales, config.quantization)
    found = evaluate(graph, evenly(known.dataset.validation, known.frames), known.dataset.task, config.data)
    return Result(loss(known.dataset.task, found), graph, model.state_dict())


def loss(task: Task, score: float) -> float:
    """`score` as something to make small."""
    return 1 - score if task == "classification" else score


def score(task: Task, loss: float) -> float:
    """The score whose loss is `loss`."""
    return 1 - loss if task == "classification" else loss


def _unmeasured(dataset: Dataset) -> Dataset:
    """`dataset` without validation images: nothing is measured in between."""
    return replace(dataset, validation=dataset.validation[:0])
