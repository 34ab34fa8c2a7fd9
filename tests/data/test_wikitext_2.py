import lzma
import zipfile

import numpy as np
import pytest

from emamba.data import load_dataset
from emamba.data.wikitext_2 import cut
from emamba.errors import DataError
from emamba.files import digest

TEXTS = {"train": 40 * " \n = Ä = \n b b c\n", "valid": 60 * "b c d\n", "test": 257 * "x"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wikitext-2").mkdir()
    return tmp_path / "wikitext-2"


def write_plain(folder, texts):
    for part, text in texts.items():
        (folder / f"wiki.{part}.tokens").write_bytes(text.encode())


def write_packed(folder, texts):
    for part, text in texts.items():
        (folder / f"wiki.{part}.tokens.xz").write_bytes(lzma.compress(text.encode()))


def write_zip(folder, texts):
    with zipfile.ZipFile(folder / "wikitext-2-v1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in texts.items():
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", text)


@pytest.mark.parametrize("write", [write_plain, write_packed, write_zip])
def test_every_form_becomes_the_same_frames(folder, write):
    write(folder, TEXTS)
    found = load_dataset("wikitext-2", folder.parent)
    assert (found.task, found.outputs) == ("language", 256)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [2, 1, 1]
    read = found.train.images.astype(np.uint8).tobytes()
    assert read == TEXTS["train"].encode()[:512]
    assert found.train.targets.astype(np.uint8).tobytes() == TEXTS["train"].encode()[1:513]
    assert found.identity == f"WikiText-2, unknown copy, sha256 {digest(*TEXTS.values())}"


def test_frames_follow_each_other_and_what_fills_none_is_left_out():
    text = np.random.default_rng(0).integers(0, 256, 1000, np.uint8).tobytes()
    for length, frames in ((257, 1), (512, 1), (513, 2), (1000, 3)):
        found = cut(text[:length])
        assert found.images.shape == (frames, 1, 256, 1)
        assert found.targets.shape == (frames, 256)
        np.testing.assert_array_equal(found.targets[:, :-1], found.images[:, 0, 1:, 0])
        np.testing.assert_array_equal(found.targets[:-1, -1], found.images[1:, 0, 0, 0])


def test_missing_cut_and_garbled_files_are_named(folder):
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip does not exist, nor wiki.train.tokens, nor wiki.train"):
        load_dataset("wikitext-2", folder.parent)
    write_zip(folder, {name: TEXTS[name] for name in ("train", "valid")})
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip cannot be read: 'wiki.test.tokens'"):
        load_dataset("wikitext-2", folder.parent)
    write_zip(folder, TEXTS)
    path = folder / "wikitext-2-v1.zip"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip cannot be read"):
        load_dataset("wikitext-2", folder.parent)
    write_packed(folder, TEXTS)
    (folder / "wiki.valid.tokens.xz").write_bytes(lzma.compress(b"x" * 256))
    with pytest.raises(
        DataError, match=r"wiki.valid.tokens.xz: holds 256 bytes; a frame and the byte behind it are 257"
    ):
        load_dataset("wikitext-2", folder.parent)
    (folder / "wiki.valid.tokens.xz").unlink()
    with pytest.raises(DataError, match=r"wiki.valid.tokens does not exist, nor wiki.valid.tokens.xz"):
        load_dataset("wikitext-2", folder.parent)


def test_the_real_text_is_the_official_release(real_data):
    found = load_dataset("wikitext-2", real_data("wikitext-2").parent)
    assert found.identity.startswith("WikiText-2, official release, sha256 95cc8a4d")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [42_176, 4_381, 4_908]
    assert found.train.images.astype(np.uint8)[0].tobytes().startswith(b" \n = Valkyria Chronicles III = \n")
