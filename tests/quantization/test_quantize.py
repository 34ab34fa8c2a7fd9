from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines import SHAPES
from baselines import recipe as baseline
from emamba import graph
from emamba.config import DataConfig
from emamba.data import Split
from emamba.errors import ConfigError
from emamba.fixed import dequantize
from emamba.model import build
from emamba.quantization import evaluate, integer_frames, quantize
from emamba.training import evaluate as evaluate_real
from emamba.training import train
from variants import MODELS, built, dataset, recipe


@pytest.fixture(scope="module", params=MODELS)
def trained(request):
    config = recipe(request.param)
    model, _ = train(config, dataset(config.name))
    return config, model, quantize(model, config, dataset(config.name))


def test_the_same_seed_gives_the_same_bytes_whatever_the_test_images(trained, tmp_path):
    config, model, result = trained
    whole = dataset(config.name)
    noise = np.random.default_rng(0).random(whole.test.images.shape, np.float32)
    other = replace(whole, test=Split(noise, whole.test.targets))
    graph.save(result.graph, tmp_path / "one" / "graph.json")
    graph.save(quantize(model, config, other).graph, tmp_path / "two" / "graph.json")
    for file in ("graph.json", "graph.npz"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_scores_are_measured_on_the_test_split(trained):
    config, model, result = trained
    test, task = dataset(config.name).test, dataset(config.name).task
    choice = config.data if config.name == "bytes" else DataConfig()
    assert result.scores.approximated == evaluate_real(model, test, task, choice)
    exact = graph.predict(result.graph, integer_frames(result.graph, test.images, choice))
    found = evaluate(result.graph, test, task, choice)
    if task == "language":
        real = torch.from_numpy(dequantize(exact, result.graph.output.fraction_bits)).flatten(0, 1)
        wanted = torch.nn.functional.cross_entropy(real, torch.from_numpy(test.targets).flatten()) / np.log(2)
        assert np.isclose(result.scores.integer, float(wanted))
    else:
        assert result.scores.integer == (exact[:, 0].argmax(1) == test.targets).mean()
    assert result.scores.integer == found
    assert len(result.history) == 1
    assert all(0 <= score <= (8 if task == "language" else 1) for score in vars(result.scores).values())


def test_curves_are_reported_by_operation_and_near_their_function(trained):
    config, _, result = trained
    names = [curve.name for curve in result.curves]
    assert names == [op.name for op in result.graph.operations if isinstance(op, graph.Activation | graph.Scan)]
    for curve in result.curves:
        assert curve.form.endswith("256-entry table" if config.name in ("tables", "bytes") else ("segments", "table"))
        assert 0 < curve.error.mean < curve.error.max < (1 if config.name == "learned" else 0.2)  # it may leave SiLU
        assert curve.error.lo < curve.error.hi


def test_a_baseline_is_refused():
    config = baseline("lstm")
    with pytest.raises(ConfigError, match=r"model\.kind 'lstm' has no integer form"):
        quantize(build(config.model, SHAPES["lstm"], 10), config, dataset())


def test_accuracy_counts_ties_for_the_first_class():
    model, config = built("tables"), recipe("tables")
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
    choice = config.quantization.model_copy(update={"finetune_epochs": 0})
    result = quantize(model, config.model_copy(update={"quantization": choice}), dataset())
    assert result.scores.integer == np.mean(dataset().test.targets == 0)
