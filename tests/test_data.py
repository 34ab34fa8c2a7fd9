import numpy as np
import pytest

from emamba.data import checked, load_dataset, patches
from emamba.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_digits_are_1437_and_360_images_in_0_to_1(digits):
    assert digits.train.images.shape == (1437, 8, 8, 1)
    assert digits.test.images.shape == (360, 8, 8, 1)
    assert digits.classes == 10
    for split in (digits.train, digits.test):
        assert split.images.dtype == np.float32
        assert split.labels.dtype == np.int64
        assert (split.images.min(), split.images.max()) == (0, 1)


def test_the_split_is_fixed_disjoint_and_stratified(digits):
    again = load_dataset("digits")
    assert again.identity == digits.identity
    assert digits.identity.endswith("sha256 a7a90d562286c72d952f3862e0425304a77a2f3ef28c687ae7dfd1fc68426915")
    np.testing.assert_array_equal(again.test.images, digits.test.images)
    seen = {image.tobytes() for image in digits.train.images}
    assert not any(image.tobytes() in seen for image in digits.test.images)
    assert set(np.bincount(digits.test.labels)) <= {34, 35, 36, 37}


def test_patches_run_row_by_row_with_rows_columns_channels_inside():
    images = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    tokens = patches(images, 2)
    assert tokens.shape == (2, 6, 12)
    for row in range(2):
        for column in range(3):
            square = images[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(tokens[:, 3 * row + column], square.reshape(2, 12))


@pytest.mark.parametrize("patch", [3, 0, 16])
def test_a_patch_that_does_not_divide_is_refused(patch):
    with pytest.raises(ConfigError, match=rf"patch of {patch} does not divide images of 8x8"):
        patches(np.zeros((1, 8, 8, 1), np.float32), patch)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ConfigError, match="no data set 'letters'"):
        load_dataset("letters")


GOOD = np.zeros((3, 8, 8, 1))


@pytest.mark.parametrize(
    ("images", "labels", "fact"),
    [
        (np.zeros((3, 8, 7, 1)), [0, 1, 2], "images have shape"),
        (np.zeros((3, 8, 8)), [0, 1, 2], "images have shape"),
        (GOOD, [0, 1], "labels have shape"),
        (np.zeros((0, 8, 8, 1)), [], "labels have shape"),
        (GOOD + 1.5, [0, 1, 2], "1.5 to 1.5, not 0..1"),
        (GOOD - 0.5, [0, 1, 2], "not 0..1"),
        (GOOD + np.nan, [0, 1, 2], "not 0..1"),
        (GOOD, [0, 1, 10], "0 to 10, not 0..9"),
        (GOOD, [0, -1, 2], "-1 to 2, not 0..9"),
        (GOOD, [0.0, 1.0, 2.0], "labels run from"),
    ],
)
def test_data_of_a_wrong_shape_or_range_is_refused(images, labels, fact):
    with pytest.raises(DataError, match=fact):
        checked("digits", images, labels, (8, 8, 1), 10)


def test_good_data_is_accepted():
    split = checked("digits", GOOD, [0, 1, 9], (8, 8, 1), 10)
    assert split.images.dtype == np.float32
    assert split.labels.tolist() == [0, 1, 9]
