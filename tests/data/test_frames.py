import numpy as np
import pytest

from emamba.config import DataConfig
from emamba.data import frames, grid
from emamba.errors import ConfigError

IMAGES = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)


def test_patches_run_row_by_row_with_rows_columns_channels_inside():
    tokens = frames(IMAGES, DataConfig(patch=(2, 3)))
    assert tokens.shape == (2, 4, 18)
    assert tokens.dtype == np.float32
    for row in range(2):
        for column in range(2):
            square = IMAGES[:, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
            np.testing.assert_array_equal(tokens[:, 2 * row + column], square.reshape(2, 18))


def test_patches_of_a_group_follow_each_other():
    tokens, rows = frames(IMAGES, DataConfig(patch=1, group=(2, 3))), frames(IMAGES, DataConfig(patch=1))
    corners = [(top, left) for top in (0, 2) for left in (0, 3)]
    order = [6 * (top + row) + left + column for top, left in corners for row in (0, 1) for column in range(3)]
    np.testing.assert_array_equal(tokens, rows[:, order])


@pytest.mark.parametrize("group", [(3, 1), (1, 2)])
def test_a_group_that_does_not_divide_is_refused(group):
    with pytest.raises(ConfigError, match=rf"group of {group[0]}x{group[1]} does not divide 4x3 patches"):
        grid(IMAGES, DataConfig(patch=(1, 2), group=group))


def test_a_margin_shows_the_neighbourhood_and_zeros_beyond_the_border():
    tokens = frames(IMAGES, DataConfig(patch=(2, 2), margin=1)).reshape(2, 2, 3, 4, 4, 3)
    np.testing.assert_array_equal(tokens[:, :, :, 1:3, 1:3].reshape(2, 6, 12), frames(IMAGES, DataConfig()))
    np.testing.assert_array_equal(tokens[:, 1, 1, :3], IMAGES[:, 1:4, 1:5])
    assert not tokens[:, 0, :, 0].any()
    assert not tokens[:, 1, :, 3].any()
    assert not tokens[:, :, 0, :, 0].any()


def test_every_channel_is_normalised_and_the_border_stays_zero():
    choice = DataConfig(margin=1, mean=(1.0, 2.0, 3.0), deviation=(2.0, 4.0, 8.0))
    tokens = frames(IMAGES, choice).reshape(2, 2, 3, 4, 4, 3)
    expected = (IMAGES - np.float32([1, 2, 3])) / np.float32([2, 4, 8])
    np.testing.assert_array_equal(tokens[:, 0, 0, 1:, 1:], expected[:, :3, :3])
    assert not tokens[:, 0, 0, 0].any()


def test_tokens_are_a_copy_that_can_be_written():
    for choice in (DataConfig(patch=(4, 6)), DataConfig(patch=(1, 1))):
        tokens = frames(IMAGES, choice)
        tokens[:] = -1
        assert IMAGES.max() == 2 * 4 * 6 * 3 - 1


@pytest.mark.parametrize("patch", [(3, 2), (2, 4), (8, 6)])
def test_a_patch_that_does_not_divide_is_refused(patch):
    with pytest.raises(ConfigError, match=rf"patch of {patch[0]}x{patch[1]} does not divide images of 4x6"):
        grid(IMAGES, DataConfig(patch=patch))


@pytest.mark.parametrize(("mean", "deviation"), [((1.0,), (1.0,)), ((1.0, 1.0, 1.0), ()), ((), (1.0, 1.0, 1.0))])
def test_a_normalisation_of_other_channels_is_refused(mean, deviation):
    with pytest.raises(ConfigError, match="for 3 channels"):
        frames(IMAGES, DataConfig(mean=mean, deviation=deviation))
