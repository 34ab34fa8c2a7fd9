import numpy as np

from emamba.config import DataConfig
from emamba.data import frames, grid
from emamba.model import Shape


def test_a_shape_is_that_of_the_frame_of_an_image():
    images, choice = np.zeros((1, 6, 8, 5), np.float32), DataConfig(patch=(2, 1))
    shape = Shape(*grid(images, choice), 2 * 1 * 5)
    assert (1, shape.tokens, shape.features) == frames(images, choice).shape == (1, 24, 10)
