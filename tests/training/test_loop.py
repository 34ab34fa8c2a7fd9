import contextlib

import numpy as np
import pytest
import torch

from baselines import BASELINES, SHAPES, recipe
from emamba.config import Config, MambaConfig, TrainingConfig
from emamba.data import Dataset, Split, load_dataset
from emamba.errors import TrainingError
from emamba.model import build
from emamba.training import accuracy, reproducible, train
from emamba.training.loop import _optimizer, shifted


@pytest.fixture(scope="module")
def dataset():
    whole = load_dataset("digits")
    parts = [Split(part.images[:n], part.labels[:n]) for part, n in ((whole.train, 300), (whole.test, 100))]
    return Dataset("part", "a part of digits", parts[0], parts[1], 10)


def config(**training) -> Config:
    chosen = {"epochs": 3, "batch_size": 50, "learning_rate": 0.02, **training}
    return Config(
        name="part", model=MambaConfig(d_model=8, d_state=2, head="flatten"), training=TrainingConfig(**chosen)
    )


def test_training_learns_and_tells(dataset):
    steps = []
    model, history = train(config(epochs=6), dataset, lambda *step: steps.append(step))
    assert accuracy(model, dataset.test, 2) > 0.7
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1].loss < history[0].loss / 2
    assert steps == [(done, 36, "train") for done in range(1, 37)]


def test_the_same_seed_gives_the_same_bits(dataset):
    states = [train(config(seed=seed, epochs=1), dataset)[0].state_dict() for seed in (4, 4, 5)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_pytorch_is_left_as_it_was_found():
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with contextlib.suppress(KeyboardInterrupt), reproducible(1):
        torch.rand(1)
        raise KeyboardInterrupt
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_divergence_is_an_error_that_names_the_epoch(dataset):
    broken = Dataset(
        "broken", "", Split(dataset.train.images * np.float32(np.nan), dataset.train.labels), dataset.test, 10
    )
    with pytest.raises(TrainingError, match=r"train: the loss became nan in epoch 1 \(lower training.learning_rate\)"):
        train(config(), broken)


def test_an_interrupt_goes_up(dataset):
    def interrupt(done, total, label):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), dataset, interrupt)


def test_accuracy_is_the_share_of_right_answers(dataset):
    model, _ = train(config(epochs=1), dataset)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.arange(10) == 3)
    assert accuracy(model, dataset.test, 2) == np.mean(dataset.test.labels == 3)


def test_accuracy_is_measured_without_dropout_and_leaves_the_model_training(dataset):
    model, _ = train(recipe("cnn", epochs=1), dataset)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scores = {accuracy(model, dataset.test, 1) for _ in range(3)}
    model.eval()
    assert scores == {accuracy(model, dataset.test, 1)}
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["vit", "cnn", "lstm"])
def test_weights_decay_and_nothing_else_does(kind):
    model = build(BASELINES[kind], SHAPES[kind], 10)
    decaying, free = _optimizer(model, TrainingConfig(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    weights = {id(p) for name, p in model.named_parameters() if p.ndim > 1 and name != "positions"}
    assert {id(p) for p in decaying["params"]} == weights
    assert len(free["params"]) == len(list(model.parameters())) - len(weights)


def test_a_shift_moves_whole_images_within_its_limit():
    images = np.zeros((200, 5, 6, 2), np.float32)
    images[:, 2, 3] = (1, 3)
    moved = shifted(images, 1.5, np.random.default_rng(0))
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), [[1, 3]] * 200, rtol=1e-5)
    rows, columns = (
        np.einsum("nij,i->n" if axis else "nij,j->n", moved[..., 0], np.arange(n)) for axis, n in ((1, 5), (0, 6))
    )
    for centre, start in ((rows, 2), (columns, 3)):
        assert np.abs(centre - start).max() <= 1.5
        assert np.ptp(centre) > 2.5


def test_no_shift_changes_nothing_and_what_leaves_is_lost(dataset):
    images = dataset.train.images
    np.testing.assert_array_equal(shifted(images, 0.0, np.random.default_rng(0)), images)
    gone = shifted(np.ones((50, 4, 4, 1), np.float32), 3.0, np.random.default_rng(0))
    assert gone.min() == 0
    assert gone.max() <= 1 + 1e-6
