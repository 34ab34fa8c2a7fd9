import gzip

import numpy as np
import pytest

from emamba.data import load_dataset
from emamba.errors import DataError

STEMS = {"train": 24, "t10k": 6}


def write(folder, suffix=".gz", change=lambda name, data: data):
    """The four files with 24 + 6 random images; returns their arrays by name."""
    rng, arrays = np.random.default_rng(5), {}
    folder.mkdir(parents=True)
    for part, count in STEMS.items():
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        for name, array in ((f"{part}-images-idx3", images), (f"{part}-labels-idx1", np.arange(count) % 10)):
            arrays[name] = array.astype(np.uint8)
            data = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + arrays[name].tobytes()
            data = change(name, data)
            (folder / f"{name}-ubyte{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    return arrays


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_become_splits(tmp_path, suffix):
    arrays = write(tmp_path / "fashion-mnist", suffix)
    found = load_dataset("fashion-mnist", tmp_path)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [22, 2, 6]
    assert (found.outputs, found.task) == (10, "classification")
    np.testing.assert_array_equal(found.test.images[..., 0] * 255, arrays["t10k-images-idx3"])
    np.testing.assert_array_equal(found.test.targets, arrays["t10k-labels-idx1"])
    whole = arrays["train-images-idx3"]
    held = np.sort(np.random.default_rng(0).permutation(24)[:2])
    np.testing.assert_array_equal(found.validation.images[..., 0] * 255, whole[held])
    np.testing.assert_array_equal(found.train.images[..., 0] * 255, np.delete(whole, held, 0))
    np.testing.assert_array_equal(found.train.targets, np.delete(arrays["train-labels-idx1"], held))
    assert found.train.images.dtype == np.float32
    assert found.train.targets.dtype == np.int64


def test_what_nobody_knows_is_called_so_whether_packed_or_not(tmp_path):
    write(tmp_path / "plain" / "fashion-mnist", "")
    write(tmp_path / "packed" / "fashion-mnist", ".gz")
    plain, packed = (load_dataset("fashion-mnist", tmp_path / form).identity for form in ("plain", "packed"))
    assert plain == packed
    assert plain.startswith("Fashion-MNIST, unknown copy, sha256 ")


def cut(wanted, size):
    return lambda name, data: data[:size] if name == wanted else data


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (cut("train-images-idx3", 999), "train-images-idx3-ubyte: holds 983 bytes"),
        (cut("t10k-labels-idx1", 7), "t10k-labels-idx1-ubyte: begins with"),
        (lambda name, data: data.replace(b"\x09", b"\x0a") if "labels" in name else data, "labels run from"),
        (lambda name, data: data.replace(b"\0\0\0\x18", b"\0\0\0\x17")[:-1] if name[:8] == "train-la" else data, "23"),
        (lambda name, data: data.replace(b"\0\0\0\x1c" * 2, b"\0\0\0\x0e\0\0\0\x38"), r"not \(n, 28, 28, 1\)"),
    ],
)
def test_damage_is_told(tmp_path, change, fact):
    write(tmp_path / "fashion-mnist", "", change)
    with pytest.raises(DataError, match=fact):
        load_dataset("fashion-mnist", tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path / "fashion-mnist")
    (tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz does not exist, nor t10k-labels-idx1-ubyte \("):
        load_dataset("fashion-mnist", tmp_path)


def test_the_real_data_are_the_official_release(real_data):
    found = load_dataset("fashion-mnist", real_data("fashion-mnist").parent)
    assert found.identity.startswith("Fashion-MNIST, official release, sha256 c908a46a")
    assert [len(split) for split in (found.train, found.validation, found.test)] == [55_000, 5_000, 10_000]
    assert set(np.bincount(found.test.targets)) == {1000}
    assert set(np.bincount(found.train.targets) + np.bincount(found.validation.targets)) == {6000}
