import hashlib

import numpy as np
import pytest

from emamba.data.digits import digits


@pytest.fixture(scope="module")
def dataset():
    return digits()


def test_digits_are_1150_287_and_360_images_in_0_to_1(dataset):
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [1150, 287, 360]
    assert (dataset.outputs, dataset.task) == (10, "classification")
    for split in (dataset.train, dataset.validation, dataset.test):
        assert split.images.shape[1:] == (8, 8, 1)
        assert split.images.dtype == np.float32
        assert split.targets.dtype == np.int64
        assert (split.images.min(), split.images.max()) == (0, 1)


def test_the_parts_are_fixed_disjoint_and_stratified(dataset):
    assert digits().identity == dataset.identity
    seen = [{image.tobytes() for image in split.images} for split in (dataset.train, dataset.validation, dataset.test)]
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & seen[2]
    assert set(np.bincount(dataset.validation.targets)) <= {28, 29, 30}
    assert set(np.bincount(dataset.test.targets)) <= {34, 35, 36, 37}


def test_the_test_images_are_those_that_published_scores_were_measured_on(dataset):
    content = dataset.test.images.tobytes() + dataset.test.targets.tobytes()
    assert hashlib.sha256(content).hexdigest() == "8110e5c2c9d024b578f2c2692341cc0a635dc6f45899bb78b73bbee43d45a90f"
