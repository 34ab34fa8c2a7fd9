import io
import lzma
import tarfile

import numpy as np
import pytest
from PIL import Image

from emamba.data import load_dataset
from emamba.data.cifar_10 import BATCHES, KNOWN, decoded
from emamba.data.folders import cache
from emamba.data.reading import checksum
from emamba.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cifar-10").mkdir()
    return tmp_path / "cifar-10"


def records(count: int = 4) -> np.ndarray:
    """Six batches of random images [6, count, 3073], labels first."""
    found = np.random.default_rng(3).integers(0, 256, (6, count, 3073), np.uint8)
    found[..., 0] %= 10
    return found


def write_batches(folder, batches):
    for name, batch in zip(BATCHES, batches, strict=True):
        (folder / name).write_bytes(batch.tobytes())


def write_archive(folder, batches, names=BATCHES):
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, batch in zip(names, batches, strict=True):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = batch.nbytes
            archive.addfile(member, io.BytesIO(batch.tobytes()))


def jpeg(image: np.ndarray) -> bytes:
    """`image` [32, 32, 3] with little loss."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=100, subsampling=0)
    return stream.getvalue()


def write_jpeg(folder, images, **changed):
    packed = [jpeg(image) for image in images]
    arrays = {
        "jpeg": np.frombuffer(b"".join(packed), np.uint8),
        "offset": np.cumsum([0, *map(len, packed)]).astype(np.int32),
        "label": (np.arange(len(images)) % 10).astype(np.uint8),
    }
    stream = io.BytesIO()
    np.savez(stream, **(arrays | changed))
    (folder / "cifar10_jpeg.npz.xz").write_bytes(lzma.compress(stream.getvalue(), preset=0))


def smooth(count: int) -> np.ndarray:
    """Colour ramps, which JPEG keeps well; red, green and blue differ."""
    ramp = np.arange(32, dtype=np.uint8)
    image = np.stack(np.broadcast_arrays(ramp[:, None] * 4, ramp * 2 + 100, np.uint8(30)), -1)
    return np.stack([image + np.uint8(index) for index in range(count)])


@pytest.mark.parametrize("write", [write_batches, write_archive])
def test_official_batches_become_splits(folder, write):
    batches = records()
    write(folder, batches)
    found = load_dataset("cifar-10", folder.parent)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [18, 2, 4]
    pixels = batches[..., 1:].reshape(24, 3, 32, 32).transpose(0, 2, 3, 1)
    held = np.sort(np.random.default_rng(0).permutation(20)[:2])
    for split, chosen in ((found.train, np.delete(np.arange(20), held)), (found.validation, held)):
        np.testing.assert_array_equal(np.rint(split.images * 255), pixels[chosen])
        np.testing.assert_array_equal(split.targets, batches.reshape(24, -1)[chosen, 0])
    np.testing.assert_array_equal(np.rint(found.test.images * 255), pixels[20:])
    assert found.test.images.flags.c_contiguous
    assert found.identity.startswith("CIFAR-10 (unknown copy), sha256 ")


def test_batches_have_the_same_identity_packed_or_not(folder, tmp_path):
    write_batches(folder, records())
    other = tmp_path / "other" / "cifar-10"
    other.mkdir(parents=True)
    write_archive(other, records())
    one, two = (load_dataset("cifar-10", place.parent).identity for place in (folder, other))
    assert one == two


def test_a_known_file_is_named(folder, monkeypatch):
    write_archive(folder, records())
    monkeypatch.setitem(KNOWN, checksum(folder / "cifar-10-binary.tar.gz", "md5"), "official release")
    assert load_dataset("cifar-10", folder.parent).identity.startswith("CIFAR-10 (official release), sha256 ")


def test_jpeg_files_are_decoded_once_and_kept(folder, monkeypatch):
    write_jpeg(folder, smooth(12))
    found = load_dataset("cifar-10", folder.parent)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [9, 1, 2]
    assert np.abs(found.test.images * 255 - smooth(12)[10:]).max() <= 3
    assert found.test.targets.tolist() == [0, 1]
    monkeypatch.setattr("emamba.data.cifar_10._decode", None)
    again = load_dataset("cifar-10", folder.parent)
    assert again.identity == found.identity
    np.testing.assert_array_equal(again.train.images, found.train.images)


def test_a_damaged_or_unwritable_cache_costs_time_only(folder, tmp_path):
    write_jpeg(folder, smooth(12))
    before = load_dataset("cifar-10", folder.parent)
    (kept,) = cache().iterdir()
    for broken in (kept.read_bytes()[:-9], b"", b"no array"):
        kept.write_bytes(broken)
        assert load_dataset("cifar-10", folder.parent).identity == before.identity
    kept.unlink()
    cache().rmdir()
    cache().write_bytes(b"a file where a folder should be")
    assert load_dataset("cifar-10", folder.parent).identity == before.identity


def test_cut_batches_are_named(folder):
    write_batches(folder, records())
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_3.bin: data_batch_3.bin holds 12,291 bytes.*fetch cifar-10"):
        load_dataset("cifar-10", folder.parent)
    path.write_bytes(path.read_bytes()[:3073])
    with pytest.raises(DataError, match=r"holds 3,073 bytes"):
        load_dataset("cifar-10", folder.parent)
    path.unlink()
    with pytest.raises(DataError, match=r"data_batch_3.bin does not exist"):
        load_dataset("cifar-10", folder.parent)


def test_a_label_above_9_is_refused(folder):
    batches = records()
    batches[5, 0, 0] = 10
    write_batches(folder, batches)
    with pytest.raises(DataError, match=r"cifar-10: labels run from \d to 10, not 0..9"):
        load_dataset("cifar-10", folder.parent)


def test_a_cut_or_incomplete_archive_is_named(folder):
    write_archive(folder, records())
    path = folder / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:-30000])
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz cannot be read"):
        load_dataset("cifar-10", folder.parent)
    write_archive(folder, records()[:5], BATCHES[:5])
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: does not hold test_batch.bin"):
        load_dataset("cifar-10", folder.parent)


@pytest.mark.parametrize(
    "changed",
    [
        {"offset": np.array([0, 5, 10])},
        {"jpeg": np.zeros(99, np.uint8)},
        {"label": np.zeros((12, 2), np.uint8)},
        {"label": np.zeros(11, np.uint8)},
    ],
)
def test_damaged_jpeg_files_are_named(folder, changed):
    write_jpeg(folder, smooth(12), **changed)
    with pytest.raises(DataError, match=r"cifar10_jpeg.npz.xz cannot be read"):
        load_dataset("cifar-10", folder.parent)


def test_no_files_at_all_are_told(folder):
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz does not exist, nor data_batch_1.bin, nor cifar10_jp"):
        load_dataset("cifar-10", folder.parent)


def test_the_real_copy_is_known_and_near_its_lossless_images(real_data, monkeypatch):
    """Decodes the first 200 images only; all of them take seconds."""
    path = real_data("cifar-10") / "cifar10_jpeg.npz.xz"
    lossless = real_data("cifar-10") / "train_first4000_lossless.bin.xz"
    if not path.exists() or not lossless.exists():
        pytest.skip("the JPEG copy and its lossless images are not there")
    assert KNOWN[checksum(path)] == "JPEG copy"
    with np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        jpeg, offset, label = archive["jpeg"], archive["offset"], archive["label"]
    assert set(np.bincount(label[:50_000])) == {5000}
    assert set(np.bincount(label[50_000:])) == {1000}
    stream = io.BytesIO()
    np.savez(stream, jpeg=jpeg[: offset[200]], offset=offset[:201], label=label[:200])
    few = cache().parent / "few.npz.xz"
    few.parent.mkdir()
    few.write_bytes(lzma.compress(stream.getvalue(), preset=0))
    found = decoded(few, "few")
    wanted = np.frombuffer(lzma.decompress(lossless.read_bytes()), np.uint8, 200 * 3073).reshape(200, 3073)
    np.testing.assert_array_equal(found[:, 0], wanted[:, 0])
    error = np.mean((found[:, 1:].astype(float) - wanted[:, 1:]) ** 2)
    assert 10 * np.log10(255**2 / error) > 29
