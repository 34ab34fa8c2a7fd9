import numpy as np
import pytest

from emamba.data import load_dataset
from emamba.errors import DataError

COUNTS = {"train": 7, "validate": 4, "test": 3}


def arrays(part: str, **changed) -> dict:
    rng = np.random.default_rng(len(part))
    count = COUNTS[part]
    found = {
        "x": rng.normal(size=(count, 8, 8, 5)),
        "y": rng.normal(size=(count, 57)),
        "subject": np.arange(count, dtype=np.uint8) % 4 + 1,
    }
    return {key: value for key, value in (found | changed).items() if value is not None}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mars").mkdir()
    return tmp_path / "mars"


def write_official(folder):
    for part in COUNTS:
        np.save(folder / f"featuremap_{part}.npy", arrays(part)["x"])
        np.save(folder / f"labels_{part}.npy", np.asfortranarray(arrays(part)["y"]))


def write_rebuilt(folder, **changed):
    for part in COUNTS:
        found = arrays(part, **(changed if part == "train" else {}))
        single = {key: value.astype(np.float32) if value.dtype == float else value for key, value in found.items()}
        np.savez(folder / f"mars_{part}.npz", **single)


def test_official_arrays_become_splits_in_the_units_of_the_files(folder):
    write_official(folder)
    found = load_dataset("mars", folder.parent)
    for split, part in zip((found.train, found.validation, found.test), COUNTS, strict=True):
        np.testing.assert_array_equal(split.images, arrays(part)["x"].astype(np.float32))
        np.testing.assert_array_equal(split.targets, arrays(part)["y"].astype(np.float32))
        assert split.targets.flags.c_contiguous
        assert split.subjects is None
    assert (found.outputs, found.task, found.unlabelled) == (57, "regression", None)
    assert found.identity.startswith("MARS, unknown copy, sha256 ")


def test_rebuilt_arrays_become_splits_with_subjects(folder):
    write_rebuilt(folder)
    assert load_dataset("mars", folder.parent).unlabelled is None
    before = load_dataset("mars", folder.parent).identity
    np.savez(folder / "mars_train_unlabelled.npz", x=np.full((2, 8, 8, 5), 7, np.float32))
    found = load_dataset("mars", folder.parent)
    assert found.identity != before
    assert found.unlabelled is not None
    assert found.unlabelled.shape == (2, 8, 8, 5)
    assert found.train.subjects is not None
    assert found.train.subjects.tolist() == [1, 2, 3, 4, 1, 2, 3]
    np.testing.assert_array_equal(found.test.targets, arrays("test")["y"].astype(np.float32))


def test_official_arrays_come_before_rebuilt_ones(folder):
    write_rebuilt(folder)
    write_official(folder)
    assert load_dataset("mars", folder.parent).train.subjects is None


def test_the_four_subjects_of_the_release_are_told_by_their_place(folder, monkeypatch):
    monkeypatch.setattr("emamba.data.mars.FRAMES", {"train": (2, 2, 2, 1), "validate": (9,) * 4, "test": (9,) * 4})
    write_official(folder)
    found = load_dataset("mars", folder.parent)
    assert found.train.subjects is not None
    assert found.train.subjects.tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert found.test.subjects is None


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"x": np.zeros((7, 8, 8, 4))}, r"`x` is float32 of shape \(7, 8, 8, 4\); wanted are floats of shape \(n, 8"),
        ({"x": np.zeros((7, 8, 8, 5), int)}, "`x` is int64"),
        ({"x": np.full((7, 8, 8, 5), np.nan)}, "`x` holds values that are not finite"),
        ({"x": np.zeros((0, 8, 8, 5))}, "`x` is"),
        ({"y": np.zeros((6, 57))}, "coordinates of 6 frames for 7 frames"),
        ({"y": np.zeros((7, 3))}, "`y` is"),
        ({"y": None}, "`y` is missing"),
        ({"subject": None}, "no array `subject`"),
        ({"subject": np.zeros(6, np.uint8)}, "no array `subject`"),
    ],
)
def test_arrays_of_a_wrong_kind_are_refused(folder, changed, fact):
    write_rebuilt(folder, **changed)
    with pytest.raises(DataError, match=f"mars_train.npz.*{fact}"):
        load_dataset("mars", folder.parent)


@pytest.mark.parametrize("name", ["featuremap_train.npy", "labels_test.npy", "mars_validate.npz"])
def test_a_cut_or_missing_file_is_named(folder, name):
    (write_rebuilt if name.endswith("npz") else write_official)(folder)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-200])
    with pytest.raises(DataError, match=rf"{name} cannot be read.*emamba data fetch mars"):
        load_dataset("mars", folder.parent)
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name} does not exist"):
        load_dataset("mars", folder.parent)


def test_a_file_of_the_other_form_is_refused(folder):
    write_rebuilt(folder)
    np.save(folder / "x.npy", arrays("train")["x"])
    (folder / "x.npy").rename(folder / "mars_train.npz")
    with pytest.raises(DataError, match=r"mars_train.npz cannot be read"):
        load_dataset("mars", folder.parent)
    write_official(folder)
    np.savez(folder / "x.npz", x=arrays("train")["x"])
    (folder / "x.npz").rename(folder / "featuremap_train.npy")
    with pytest.raises(DataError, match=r"featuremap_train.npy: `x` is"):
        load_dataset("mars", folder.parent)


def test_the_real_data_are_the_known_copy(real_data):
    if (real_data("mars") / "featuremap_train.npy").exists():
        pytest.skip("the official arrays are there")
    found = load_dataset("mars", real_data("mars").parent)
    assert "MARS, 16,954 of 24,066 training frames (labels of subject 1 missing), sha256 9c6c8278" in found.identity
    assert [len(split) for split in (found.train, found.validation, found.test)] == [16_954, 8_033, 7_984]
    assert found.unlabelled is not None
    assert found.unlabelled.shape == (7_112, 8, 8, 5)
    counts = [np.bincount(split.subjects, minlength=5)[1:] for split in (found.train, found.validation, found.test)]
    assert [part.tolist() for part in counts] == [
        [0, 7008, 5338, 4608],
        [2374, 2338, 1783, 1538],
        [2362, 2327, 1769, 1526],
    ]
    assert 0.5 < np.ptp(found.train.targets[:, 38:]) < 4  # metres
