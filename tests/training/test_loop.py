import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from baselines import BASELINES, SHAPES
from emamba.config import Config, MambaConfig, TrainingConfig
from emamba.data import Split, load_dataset
from emamba.errors import TrainingError
from emamba.model import build
from emamba.training import Fit, fit, reproducible, silent, train
from emamba.training.loop import _MEMORY, _divisible, _optimizer


@pytest.fixture(scope="module")
def dataset():
    whole = load_dataset("digits")
    return replace(whole, train=whole.train[:300], test=whole.test[:100])


def config(**training) -> Config:
    chosen = {"epochs": 3, "batch_size": 50, "learning_rate": 0.02, **training}
    return Config(
        name="part", model=MambaConfig(d_model=8, d_state=2, head="flatten"), training=TrainingConfig(**chosen)
    )


def test_pytorch_is_left_as_it_was_found():
    def state():
        flags = torch.are_deterministic_algorithms_enabled(), _MEMORY.fill_uninitialized_memory
        return torch.random.get_rng_state(), torch.get_num_threads(), *flags

    before = state()
    with contextlib.suppress(KeyboardInterrupt), reproducible(1):
        assert state()[2:] == (True, False)
        torch.rand(1)
        raise KeyboardInterrupt
    after = state()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_divergence_is_an_error_that_names_the_epoch(dataset):
    broken = replace(dataset, train=Split(dataset.train.images * np.float32(np.nan), dataset.train.targets))
    with pytest.raises(TrainingError, match=r"train: the loss became nan in epoch 1 \(lower training.learning_rate\)"):
        train(config(), broken)


def test_an_interrupt_goes_up(dataset):
    def interrupt(done, total, label):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), dataset, interrupt)


@pytest.mark.parametrize("kind", ["vit", "cnn", "lstm"])
def test_weights_decay_and_nothing_else_does(kind):
    model = build(BASELINES[kind], SHAPES[kind], 10)
    decaying, free = _optimizer(model, TrainingConfig(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    weights = {id(p) for name, p in model.named_parameters() if p.ndim > 1 and name != "positions"}
    assert {id(p) for p in decaying["params"]} == weights
    assert len(free["params"]) == len(list(model.parameters())) - len(weights)


def test_averaged_weights_are_the_running_mean_of_those_of_the_steps(dataset):
    def fitted(averaging: float) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The weight before each of 30 steps, and the weight that counts."""
        torch.manual_seed(0)
        model, before = nn.Linear(64, 10), []

        def loss(images, places):
            before.append(model.weight.detach().clone())
            targets = torch.from_numpy(dataset.train.targets[places])
            return nn.functional.cross_entropy(model(torch.from_numpy(images).flatten(1)), targets)

        choice = TrainingConfig(epochs=10, batch_size=100, averaging=averaging)
        fit(model, loss, dataset.train, choice, Fit("train", silent))
        return before, model.weight.detach()

    before, last = fitted(0.0)
    assert len(before) == 30
    expected = before[1]
    for weight in (*before[2:], last):
        expected = 0.8 * expected + 0.2 * weight
    torch.testing.assert_close(fitted(0.8)[1], expected)
    torch.testing.assert_close(fitted(0.999)[1], fitted(1 - 4 / 30)[1], msg="it looks back over a quarter at most")


def test_threads_are_those_of_the_recipe(dataset, monkeypatch):
    seen = []
    monkeypatch.setattr("emamba.training.loop.torch.set_num_threads", seen.append)
    train(config(epochs=1, threads=2), dataset)
    assert seen[0] == 2


class Twisted(nn.Module):
    """Maps a digit to 10 outputs; `idle.weight` has no part in it."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.idle = nn.Linear(64, 12), nn.Linear(12, 10), nn.Linear(3, 4)

    def forward(self, images):
        return self.second(torch.tanh(self.first(images.flatten(1))))


def twisted(dataset, threads: int) -> Twisted:
    """Trained on batches of 47, the last one of a single image."""
    torch.manual_seed(0)
    model, split = Twisted(), dataset.train[:283]

    def loss(images, places):
        return nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(split.targets[places]))

    fit(model, loss, split, TrainingConfig(epochs=3, batch_size=47, threads=threads), Fit("train", silent))
    return model


def test_parts_of_a_batch_have_the_gradient_of_the_whole(dataset):
    whole, before = twisted(dataset, 1), torch.get_num_threads()
    for threads in (2, 5, 64):
        torch.testing.assert_close(dict(twisted(dataset, threads).state_dict()), dict(whole.state_dict()))
    assert torch.get_num_threads() == before


def test_parts_are_added_in_their_order(dataset):
    first, *more = (twisted(dataset, 5).state_dict() for _ in range(4))
    assert all(torch.equal(tensor, other[name]) for other in more for name, tensor in first.items())


def test_what_the_loss_does_not_depend_on_stays_as_it_was(dataset):
    trained = twisted(dataset, 2)
    torch.manual_seed(0)
    assert torch.equal(trained.idle.weight, Twisted().idle.weight)


@pytest.mark.parametrize("inside", [nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Sequential(nn.Dropout2d())], ids=str)
def test_norms_of_whole_batches_and_random_numbers_are_not_divided(inside):
    assert _divisible(nn.Sequential(nn.Linear(3, 12), nn.LayerNorm(12)))
    assert not _divisible(nn.Sequential(nn.Linear(3, 12), inside))


def test_an_error_in_a_part_goes_up(dataset):
    def loss(images, places):
        raise ValueError(f"{len(places)} places")

    with pytest.raises(ValueError, match="25 places"):
        fit(Twisted(), loss, dataset.train, TrainingConfig(batch_size=50, threads=2), Fit("train", silent))
