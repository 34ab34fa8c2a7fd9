import numpy as np
import torch

from emamba.config import CnnConfig, DataConfig
from emamba.data import Split, frames
from emamba.model import ConvNet, Shape
from emamba.training import evaluate, outputs, score


def test_accuracy_is_the_share_of_right_answers_and_ties_go_to_the_first():
    found = [[0, 1, 0], [2, 2, 1], [0, 0, 0], [5, 6, 7]]
    assert score("classification", found, np.array([1, 0, 1, 2])) == 0.75


def test_the_error_of_coordinates_is_the_mean_of_their_rmse():
    found, wanted = np.array([[1.0, 10.0], [3.0, 10.0]]), np.array([[0.0, 10.0], [0.0, 14.0]], np.float32)
    assert np.isclose(score("regression", found, wanted), (np.sqrt((1 + 9) / 2) + np.sqrt(16 / 2)) / 2)


def test_a_text_is_measured_in_bits_a_byte():
    logits = np.log2([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], [[1.0, 1e-9, 1e-9], [0.25, 0.5, 0.25]]]) * np.log(2)
    targets = np.array([[0, 1], [0, 2]])
    assert np.isclose(score("language", logits + 1000, targets), (1 + 3 + 0 + 2) / 4)


def test_a_model_is_measured_in_parts_without_dropout_and_left_as_it_was():
    torch.manual_seed(0)
    images = np.random.default_rng(0).random((700, 4, 4, 1), np.float32)
    model = ConvNet(CnnConfig(kind="cnn", channels=(3,), dense=(4,), dropout=0.5), Shape(4, 4, 1), 2)
    choice = DataConfig(patch=(1, 1))
    found = outputs(model, images, choice)
    assert model.training
    model.eval()
    with torch.no_grad():
        whole = model(torch.from_numpy(frames(images, choice))).numpy()
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
    targets = whole.argmax(1)
    assert evaluate(model, Split(images, targets), "classification", choice) == 1
