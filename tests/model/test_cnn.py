import numpy as np
import pytest
import torch

from baselines import learned
from emamba.config import CnnConfig, DataConfig
from emamba.data import Split, frames
from emamba.errors import ConfigError
from emamba.model import ConvNet, Shape, parameter_count
from emamba.training import evaluate


def cnn(**choices) -> CnnConfig:
    return CnnConfig(kind="cnn", **choices)


def images(batch: int = 2) -> np.ndarray:
    return np.random.default_rng(1).random((batch, 6, 4, 3), np.float32)


def pixels(of: np.ndarray) -> torch.Tensor:
    """Tokens of one pixel each."""
    return torch.from_numpy(frames(of, DataConfig(patch=(1, 1))))


def test_the_mars_network_of_an_and_ogras():
    mars = cnn(channels=(16, 32), dense=(512,))
    convolutions = (3 * 3 * 5 * 16 + 16) + (3 * 3 * 16 * 32 + 32)
    dense = (8 * 8 * 32 * 512 + 512) + (512 * 57 + 57)
    assert parameter_count(ConvNet(mars, Shape(8, 8, 5), 57)) == convolutions + dense == 1_083_705
    normed = mars.model_copy(update={"batch_norm": True})
    assert parameter_count(ConvNet(normed, Shape(8, 8, 5), 57)) == 1_083_705 + 2 * (16 + 32 + 512)


@pytest.mark.parametrize(
    ("pool_after", "left"), [((), 28 * 28), ((1,), 14 * 14), ((1, 2), 7 * 7), ((1, 2, 3), 3 * 3)], ids=str
)
def test_pooling_halves_the_sides_and_drops_odd_ends(pool_after, left):
    config = cnn(channels=(4, 6, 8), pool_after=pool_after, dense=())
    convolutions = (9 * 4 + 4) + (9 * 4 * 6 + 6) + (9 * 6 * 8 + 8)
    model = ConvNet(config, Shape(28, 28, 1), 10)
    assert parameter_count(model) == convolutions + left * 8 * 10 + 10
    assert model(torch.zeros(2, 784, 1)).shape == (2, 10)


def test_pooling_stands_where_it_is_asked_for():
    kinds = [type(layer).__name__ for layer in ConvNet(cnn(pool_after=(2,)), Shape(8, 8, 1), 10).convolutions]
    assert kinds == ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    everything = cnn(channels=(4,), pool_after=(1,), batch_norm=True, dropout=0.5)
    kinds = [type(layer).__name__ for layer in ConvNet(everything, Shape(8, 8, 1), 10).convolutions]
    assert kinds == ["Conv2d", "BatchNorm", "ReLU", "Dropout", "MaxPool2d"]


def test_too_much_pooling_is_refused():
    with pytest.raises(ConfigError, match="pooling 3 times leaves nothing of 4x8 tokens"):
        ConvNet(cnn(channels=(2, 2, 2), pool_after=(1, 2, 3)), Shape(4, 8, 1), 10)


def test_tokens_of_one_pixel_become_the_image_again():
    model = ConvNet(cnn(), Shape(6, 4, 3), 10)
    found = model.image(pixels(images())).numpy()
    np.testing.assert_array_equal(found, images().transpose(0, 3, 1, 2))


def test_a_convolution_sees_the_neighbours_of_a_pixel():
    torch.manual_seed(0)
    model = ConvNet(cnn(channels=(4,)), Shape(6, 4, 3), 10)
    other = images()
    other[:, 2, 3] += 5
    seen = [model.convolutions[0](model.image(pixels(x))) for x in (images(), other)]
    changed = (seen[0] != seen[1]).any(dim=1)[0].numpy()
    expected = np.zeros((6, 4), bool)
    expected[1:4, 2:4] = True
    np.testing.assert_array_equal(changed, expected)


def test_a_last_batch_of_one_frame_trains_too():
    model = ConvNet(cnn(channels=(4,), dense=(8,), batch_norm=True), Shape(1, 1, 3), 10)
    model(torch.randn(16, 1, 3))
    means = model.dense[1].running_mean.clone()
    assert means.any()
    model(torch.randn(1, 1, 3)).sum().backward()
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    torch.testing.assert_close(model.dense[1].running_mean, means)


def test_batch_norm_is_that_of_pytorch():
    model = ConvNet(cnn(channels=(4,), dense=(8,), batch_norm=True), Shape(6, 4, 3), 10)
    ours, theirs = model.convolutions[1], torch.nn.BatchNorm2d(4)
    for _ in range(3):
        x = 3 + 2 * torch.randn(5, 4, 6, 4)
        torch.testing.assert_close(ours(x), theirs(x))
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_it_is_measured_without_dropout_and_left_as_it_was():
    torch.manual_seed(0)
    model = ConvNet(cnn(channels=(4,), dense=(8,), batch_norm=True, dropout=0.5), Shape(6, 4, 3), 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    split, choice = Split(images(40), np.zeros((40, 10), np.float32)), DataConfig(patch=(1, 1))
    found = [evaluate(model, split, "regression", choice) for _ in range(2)]
    assert model.training
    outputs = model.eval()(pixels(split.images)).detach().numpy()
    assert found[0] == found[1] == pytest.approx(np.sqrt((outputs**2).mean(0)).mean(), rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_learns_digits():
    assert learned("cnn") > 0.9
