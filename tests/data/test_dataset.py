import numpy as np
import pytest

from emamba.data import Dataset, Split
from emamba.data.dataset import by_subject, checked, evenly, held_out, joined
from emamba.errors import DataError


def split(first: int, n: int, subjects: bool = False) -> Split:
    numbers = np.arange(first, first + n)
    images = np.zeros((n, 2, 2, 1), np.float32) + numbers.reshape(-1, 1, 1, 1).astype(np.float32)
    return Split(images, numbers, numbers.astype(np.uint8) if subjects else None)


def test_a_part_of_a_split_keeps_images_targets_and_subjects_together():
    part = split(0, 9, subjects=True)[np.array([7, 2])]
    assert len(part) == 2
    assert part.images[:, 0, 0, 0].tolist() == part.targets.tolist() == [7, 2]
    assert part.subjects is not None
    assert part.subjects.tolist() == [7, 2]
    assert split(0, 9)[:3].subjects is None


def test_joined_splits_follow_each_other_and_keep_subjects_that_both_name():
    both = joined(split(0, 3, subjects=True), split(10, 2, subjects=True))
    assert both.images[:, 0, 0, 0].tolist() == both.targets.tolist() == [0, 1, 2, 10, 11]
    assert both.subjects is not None
    assert both.subjects.tolist() == [0, 1, 2, 10, 11]
    assert joined(split(0, 3, subjects=True), split(10, 2)).subjects is None


def test_subjects_are_told_apart_in_order():
    whole = Split(np.zeros((4, 2, 2, 1), np.float32), np.arange(4), np.array([3, 1, 3, 2], np.uint8))
    assert [(who, part.targets.tolist()) for who, part in by_subject(whole)] == [(1, [1]), (2, [3]), (3, [0, 2])]
    assert by_subject(split(0, 3)) == []


def test_a_part_is_spread_evenly_over_its_split():
    split = Split(np.zeros((80, 1, 1, 1), np.float32), np.arange(80))
    assert evenly(split, 80) is split
    assert evenly(split, 3).targets.tolist() == [0, 40, 79]


def test_validation_moves_into_train_and_the_identity_says_so():
    before = Dataset("x", "those", split(0, 3), split(3, 2), split(5, 4), outputs=10, task="classification")
    after = before.with_validation_in_train()
    assert after.train.targets.tolist() == [0, 1, 2, 3, 4]
    assert len(after.validation) == 0
    assert after.test is before.test
    assert after.identity == "those; validation images are in train"


def test_one_image_in_a_share_is_held_out_by_a_fixed_permutation():
    train, validation = held_out(60_000, 12)
    assert (len(train), len(validation)) == (55_000, 5_000)
    np.testing.assert_array_equal(np.union1d(train, validation), np.arange(60_000))
    assert (np.diff(train) > 0).all()
    assert validation[:3].tolist() == sorted(np.random.default_rng(0).permutation(60_000)[:5_000])[:3]


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
    assert split.targets.tolist() == [0, 1, 9]
