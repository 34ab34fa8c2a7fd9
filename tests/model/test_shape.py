import numpy as np

from emamba.config import DataConfig
from emamba.data import frames
from emamba.model import Shape


def test_a_shape_is_that_of_the_patches_of_an_image():
    tokens = frames(np.zeros((1, 6, 8, 5), np.float32), DataConfig(patch=(2, 2)))
    shape = Shape(3, 4, 20)
    assert (1, shape.tokens, shape.features) == tokens.shape
