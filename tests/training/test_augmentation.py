import numpy as np

from emamba.config import AugmentationConfig
from emamba.training.augmentation import augmented, erased, shifted, thinned


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_shift_moves_whole_images_within_its_limit():
    images = np.zeros((200, 5, 6, 2), np.float32)
    images[:, 2, 3] = (1, 3)
    moved = shifted(images, 1.5, rng())
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved.sum((1, 2)), np.tile([1, 3], (200, 1)), rtol=1e-5)
    rows = (moved[..., 0].sum(2) * np.arange(5)).sum(1)
    columns = (moved[..., 0].sum(1) * np.arange(6)).sum(1)
    for place, centre in ((rows, 2), (columns, 3)):
        assert np.all(np.abs(place - centre) <= 1.5 + 1e-5)
        assert place.min() < centre - 1.2 < centre + 1.2 < place.max()


def test_what_leaves_an_image_is_lost():
    gone = shifted(np.ones((50, 4, 4, 1), np.float32), 3.0, rng())
    assert gone.min() == 0
    assert gone.max() <= 1 + 1e-6


def test_half_of_the_images_are_mirrored():
    images = np.random.default_rng(1).random((400, 3, 4, 1), np.float32)
    found = augmented(images, AugmentationConfig(flip=True), rng())
    mirrored = (found == images[:, :, ::-1]).all((1, 2, 3))
    assert np.all(mirrored | (found == images).all((1, 2, 3)))
    assert 150 < mirrored.sum() < 250


def test_a_rectangle_up_to_its_share_is_erased():
    images = np.ones((500, 10, 20, 2), np.float32)
    gone = erased(images, 0.5, rng()) == 0
    assert np.array_equal(gone[..., 0], gone[..., 1])
    rows, columns = gone.any((2, 3)).sum(1), gone.any((1, 3)).sum(1)
    assert np.array_equal(gone[..., 0].sum((1, 2)), rows * columns)
    assert rows.max() in (5, 6)  # half of ten, and the border may lie inside a pixel
    assert columns.max() in (10, 11)
    assert rows.min() == 0


def test_points_go_missing_and_the_rest_stays_in_order():
    points = np.random.default_rng(2).normal(size=(300, 16, 3)).astype(np.float32)
    points[:, 12:] = 0
    order = np.argsort(points[:, :12, 0], axis=1)
    points[:, :12] = np.take_along_axis(points[:, :12], order[..., None], 1)
    left = thinned(points.reshape(300, 4, 4, 3), 0.6, rng()).reshape(300, 16, 3)
    shares = []
    for before, after in zip(points, left, strict=True):
        kept = after[after.any(1)]
        assert not after[len(kept) :].any()
        assert [row.tolist() for row in before if row.tolist() in kept.tolist()] == kept.tolist()
        shares.append(1 - len(kept) / 12)
    assert abs(np.mean(shares) - 0.3) < 0.03
    assert max(shares) > 0.6


def test_no_choice_changes_nothing():
    images = np.random.default_rng(3).random((5, 4, 4, 1), np.float32)
    assert augmented(images, AugmentationConfig(), rng()) is images
