from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from emamba.config import Config, DataConfig, TeacherConfig, TrainingConfig
from emamba.data import Dataset, Split, frames
from emamba.errors import ConfigError
from emamba.training.objective import Teacher, distance, softened, taught, with_unlabelled


def config(**training) -> Config:
    return Config(name="x", training=TrainingConfig(**training))


class Pooled(nn.Linear):
    """A network: a linear map of the mean token."""

    def forward(self, tokens):
        return super().forward(tokens.mean(1))


def regression() -> Dataset:
    rng = np.random.default_rng(0)
    split = Split(rng.random((50, 2, 2, 1), np.float32), rng.normal(3, 0.2, (50, 4)).astype(np.float32))
    return Dataset("x", "those", split, split, split, outputs=4, task="regression")


def classification() -> Dataset:
    part = regression()
    split = Split(part.train.images, np.arange(50) % 4)
    return replace(part, train=split, validation=split, test=split, task="classification")


def test_coordinates_are_judged_in_units_of_their_spread():
    dataset = regression()
    loss = distance(config(), dataset)
    targets = torch.from_numpy(dataset.train.targets)
    assert loss(targets, targets) == 0
    mean = targets.mean(0).expand_as(targets)
    assert loss(mean, targets).item() == pytest.approx(1, rel=1e-4)
    assert loss(mean * 10, targets * 10).item() == pytest.approx(100, rel=1e-4)


def test_classes_are_judged_by_cross_entropy_with_smoothing():
    logits, labels = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([0])
    chances = logits.softmax(1)[0]
    expected = -(0.9 + 0.1 / 4) * chances[0].log() - 0.1 / 4 * chances[1:].log().sum()
    assert distance(config(label_smoothing=0.1), classification())(logits, labels).item() == pytest.approx(
        expected.item()
    )


def test_every_byte_is_judged_by_cross_entropy():
    part = classification()
    texts = replace(part, task="language")
    logits, wanted = torch.randn(3, 5, 4), torch.randint(0, 4, (3, 5))
    expected = distance(config(), part)(logits.flatten(0, 1), wanted.flatten())
    assert torch.equal(distance(config(), texts)(logits, wanted), expected)
    assert softened(2.0)(logits, 2 * logits).item() == pytest.approx(
        softened(2.0)(logits.flatten(0, 1), 2 * logits.flatten(0, 1)).item()
    )


def test_softened_classes_are_nearest_when_equal_and_keep_the_size_of_gradients():
    wanted = torch.tensor([[3.0, -1.0, 0.5]])
    assert softened(2.0)(wanted, wanted).item() == pytest.approx(0, abs=1e-7)
    sizes = []
    for temperature in (4.0, 40.0):
        found = torch.zeros(1, 3, requires_grad=True)
        softened(temperature)(found, wanted).backward()
        sizes.append(found.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)


@pytest.mark.parametrize("dataset", [regression(), classification()], ids=["regression", "classification"])
def test_a_student_is_pulled_to_targets_and_teacher_by_their_shares(dataset):
    torch.manual_seed(0)
    student, teacher = Pooled(4, 4), Teacher(Pooled(1, 4), DataConfig(patch=(1, 1)))
    places = np.arange(30, 50)
    images = dataset.train.images[places]

    def loss(share: float) -> float:
        return taught(student, config(teacher=TeacherConfig(share=share)), dataset, teacher)(images, places).item()

    alone = taught(student, config(), dataset)(images, places).item()
    assert loss(0.0) == pytest.approx(alone)
    assert loss(0.25) == pytest.approx(0.75 * loss(0.0) + 0.25 * loss(1.0), rel=1e-5)
    assert loss(1.0) != pytest.approx(alone)


def test_a_teacher_measures_and_learns_nothing():
    class Master(Pooled):
        def forward(self, tokens):
            assert not self.training
            assert not torch.is_grad_enabled()
            return super().forward(tokens)

    student, teacher = Pooled(4, 4), Master(4, 4)
    images, dataset = np.ones((2, 2, 2, 1), np.float32), regression()
    for sees in ("changed", "plain"):
        choice = config(teacher=TeacherConfig(sees=sees))
        taught(student, choice, dataset, Teacher(teacher, DataConfig()))(images, np.arange(2)).backward()
    assert student.weight.grad is not None
    assert teacher.weight.grad is None


def test_a_teacher_that_sees_plain_images_is_asked_once_for_those_of_the_split():
    asked = []

    class Master(Pooled):
        def forward(self, tokens):
            asked.append(len(tokens))
            return super().forward(tokens)

    torch.manual_seed(0)
    dataset, student, master = regression(), Pooled(4, 4), Teacher(Master(4, 4), DataConfig())
    plain, changed = (config(teacher=TeacherConfig(share=1.0, sees=sees)) for sees in ("plain", "changed"))
    places = np.array([7, 30])
    loss, images = taught(student, plain, dataset, master), dataset.train.images[places]
    assert asked == [50]
    assert loss(images, places).item() == pytest.approx(
        taught(student, changed, dataset, master)(images, places).item()
    )
    assert loss(images, places).item() != loss(images, places + 1).item()
    assert asked == [50, 2]


def test_unlabelled_images_get_their_targets_from_the_teacher():
    torch.manual_seed(0)
    extra = np.random.default_rng(1).random((7, 2, 2, 1), np.float32)
    dataset, master = replace(regression(), unlabelled=extra), Teacher(Pooled(4, 4), DataConfig())
    found = with_unlabelled(dataset, master)
    assert len(found.train) == 57
    assert np.array_equal(found.train.targets[:50], dataset.train.targets)
    wanted = master.network(torch.from_numpy(frames(extra, DataConfig()))).detach().numpy()
    assert np.allclose(found.train.targets[50:], wanted, atol=1e-6)


def test_unlabelled_images_need_a_teacher_and_coordinates():
    master = Teacher(Pooled(4, 4), DataConfig())
    with pytest.raises(ConfigError, match="without a teacher"):
        with_unlabelled(regression(), None)
    with pytest.raises(ConfigError, match="without unlabelled images"):
        with_unlabelled(regression(), master)
    with pytest.raises(ConfigError, match="unlabelled"):
        with_unlabelled(replace(classification(), unlabelled=regression().train.images), master)
