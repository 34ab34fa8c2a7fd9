from dataclasses import replace

import numpy as np
import pytest
import torch

from emamba.config import (
    AugmentationConfig,
    CnnConfig,
    Config,
    CurveConfig,
    DataConfig,
    LstmConfig,
    MambaConfig,
    QuantizationConfig,
    TeacherConfig,
    TrainingConfig,
    VitConfig,
)
from emamba.data import Dataset, Split, load_dataset
from emamba.errors import ConfigError
from emamba.training import Teacher, evaluate, train, training_key
from emamba.training.train import device_of


@pytest.fixture(scope="module")
def dataset():
    whole = load_dataset("digits")
    return replace(whole, train=whole.train[:300], validation=whole.validation[:50], test=whole.test[:100])


def config(**training) -> Config:
    chosen = {"epochs": 3, "batch_size": 50, "learning_rate": 0.02, **training}
    return Config(
        name="part", model=MambaConfig(d_model=8, d_state=2, head="flatten"), training=TrainingConfig(**chosen)
    )


def with_learned_knots(chosen: Config) -> Config:
    curve = CurveConfig(form="segments", segments=4, knots="learned")
    return chosen.model_copy(update={"model": chosen.model.model_copy(update={"silu": curve, "exp": curve})})


def test_training_learns_and_tells(dataset):
    steps = []
    model, history = train(config(epochs=6), dataset, lambda *step: steps.append(step))
    assert evaluate(model, dataset.test, "classification", DataConfig()) > 0.7
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].validation == evaluate(model, dataset.validation, "classification", DataConfig())
    assert steps == [(done, 36, "train") for done in range(1, 37)]


def test_without_validation_images_nothing_is_measured(dataset):
    _, history = train(config(epochs=1), dataset.with_validation_in_train())
    assert history[0].validation is None


def test_the_same_seed_gives_the_same_bits(dataset):
    states = [train(config(seed=seed, epochs=1), dataset)[0].state_dict() for seed in (4, 4, 5)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_coordinates_are_learned_from_their_mean_on():
    rng = np.random.default_rng(0)
    images = rng.random((400, 4, 4, 1), np.float32)
    targets = np.stack([5 + images.mean((1, 2, 3)), images[:, 0].mean((1, 2)) - 7], axis=1)
    whole = Split(images, targets)
    coordinates = Dataset("x", "those", whole[:300], whole[300:350], whole[350:], outputs=2, task="regression")
    first, _ = train(config(epochs=1, learning_rate=1e-6), coordinates)
    spread = evaluate(first, coordinates.test, "regression", DataConfig())
    assert spread < 1
    model, _ = train(config(epochs=40), coordinates)
    assert evaluate(model, coordinates.test, "regression", DataConfig()) < 0.7 * spread


def text() -> Dataset:
    """Sixteen bytes that repeat with period 3, from where they may begin."""
    starts = np.random.default_rng(0).integers(0, 3, 60)
    rows = 60 + 7 * ((starts[:, None] + np.arange(17)) % 3)
    whole = Split(rows[:, None, :16, None].astype(np.float32), rows[:, 1:])
    return Dataset("x", "those", whole[:40], whole[40:50], whole[50:], outputs=256, task="language")


BYTES = MambaConfig(embedding="bytes", head="token", d_model=6, d_state=2, blocks=1)


def test_a_text_is_learned_byte_by_byte():
    wanted = config(epochs=30, batch_size=10).model_copy(update={"model": BYTES, "data": DataConfig(patch=(1, 1))})
    model, history = train(wanted, text())
    assert history[0].validation is not None
    assert history[0].validation > 4
    assert evaluate(model, text().test, "language", wanted.data) < 0.5


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (BYTES.model_copy(update={"head": "pool"}), {}),
        (BYTES.model_copy(update={"embedding": "linear"}), {}),
        (BYTES, {"mean": (1.0,), "deviation": (2.0,)}),
        (LstmConfig(kind="lstm"), {}),
    ],
)
def test_a_text_wants_bytes_in_and_outputs_for_each(model, data):
    frames = DataConfig(patch=(1, 1), **data)
    with pytest.raises(ConfigError, match="x is a text: its tokens are bytes, unchanged, and outputs are asked for"):
        train(config().model_copy(update={"model": model, "data": frames}), text())


@pytest.mark.parametrize("choice", [{"head": "token"}, {"embedding": "bytes"}])
def test_images_want_neither(dataset, choice):
    with pytest.raises(ConfigError, match="digits is no text: its tokens are no bytes, and outputs are asked for"):
        train(config().model_copy(update={"model": MambaConfig(**choice)}), dataset)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("step", [7, 12, 13, 17])
def test_a_killed_run_goes_on_to_the_same_bits(dataset, tmp_path, step):
    def killed(done, total, label):
        if done == step:
            raise KilledError

    chosen = with_learned_knots(config(averaging=0.9, augmentation=AugmentationConfig(shift=0.5, flip=True, erase=0.3)))
    whole, history = train(chosen, dataset)
    with pytest.raises(KilledError):
        train(chosen, dataset, killed, tmp_path / "memory")
    steps = []
    again, same = train(chosen, dataset, lambda *told: steps.append(told[0]), tmp_path / "memory")
    assert steps[0] == 6 * ((step - 1) // 6) + 1
    assert history == same
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())


def test_the_memory_of_another_run_is_not_taken_up(dataset, tmp_path):
    train(config(epochs=1), dataset, memory=tmp_path / "memory")
    model, history = train(config(epochs=1, seed=3), dataset, memory=tmp_path / "memory")
    assert torch.equal(model.head.bias, train(config(epochs=1, seed=3), dataset)[0].head.bias)
    assert len(history) == 1


def test_a_key_knows_what_training_depends_on_and_no_more(dataset):
    quantized = config().model_copy(update={"quantization": QuantizationConfig(finetune_epochs=9)})
    assert training_key(config(), dataset) == training_key(quantized, dataset)
    assert training_key(config(), dataset, "more") != training_key(config(), dataset)


def test_a_key_tells_recipes_and_data_apart(dataset):
    keys = {
        training_key(config(), dataset),
        training_key(config(seed=1), dataset),
        training_key(config(), replace(dataset, identity="others")),
        training_key(config().model_copy(update={"model": MambaConfig()}), dataset),
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("choice", "task"),
    [({"drop_points": 0.5}, "classification"), ({"flip": True}, "regression"), ({"shift": 1.0}, "regression")],
)
def test_a_change_that_alters_what_is_asked_is_refused(dataset, choice, task):
    (name,) = choice
    with pytest.raises(ConfigError, match=rf"training\.augmentation\.{name}"):
        train(config(augmentation=AugmentationConfig(**choice)), replace(dataset, task=task))


def test_a_patch_that_does_not_fit_is_refused_before_training(dataset):
    with pytest.raises(ConfigError, match="patch of 3x3 does not divide"):
        train(config().model_copy(update={"data": DataConfig(patch=(3, 3))}), dataset)


def test_a_donor_gives_its_knots_to_curves_that_have_as_many(dataset):
    slow = config(epochs=1, learning_rate=1e-9)
    fixed, learned = train(slow, dataset)[0], train(with_learned_knots(config(epochs=1)), dataset)[0]
    heir, _ = train(with_learned_knots(slow), dataset, donor=learned.state_dict())
    for name, tensor in learned.state_dict().items():
        torch.testing.assert_close(heir.state_dict()[name], tensor)
    other, _ = train(with_learned_knots(slow), dataset, donor=fixed.state_dict())
    assert not torch.allclose(other.state_dict()["blocks.0.silu.values"], learned.state_dict()["blocks.0.silu.values"])
    assert not any("silu" in name for name in train(slow, dataset, donor=learned.state_dict())[0].state_dict())


@pytest.mark.parametrize("found", [False, True])
def test_the_device_is_that_of_the_recipe(found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    assert device_of(TrainingConfig(device="cpu")).type == "cpu"
    assert device_of(TrainingConfig()).type == ("cuda" if found else "cpu")
    if found:
        assert device_of(TrainingConfig(device="cuda")).type == "cuda"
        return
    with pytest.raises(ConfigError, match="PyTorch finds no GPU"):
        device_of(TrainingConfig(device="cuda"))


@pytest.mark.parametrize(
    "model",
    [
        LstmConfig(kind="lstm", d_model=8),
        VitConfig(kind="vit", d_model=8, blocks=1, heads=2),
        CnnConfig(kind="cnn", channels=(4, 4), pool_after=(1,), dense=(8,), dropout=0.5),
        with_learned_knots(config()).model,
    ],
    ids=lambda model: model.kind,
)
def test_every_network_trains_to_the_same_bits_where_there_is_a_gpu_too(dataset, model):
    chosen = config(epochs=1).model_copy(update={"model": model})
    first, second = (train(chosen, dataset)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_network_comes_back_to_the_cpu_and_the_teacher_may_stay(dataset):
    taught = config(epochs=1, teacher=TeacherConfig(recipe="someone", share=0.5))
    teacher = Teacher(train(config(epochs=1, seed=1), dataset)[0], DataConfig())
    states = [train(taught, dataset, teacher=teacher)[0].state_dict() for _ in range(2)]
    assert all(tensor.is_cpu for tensor in states[0].values())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
