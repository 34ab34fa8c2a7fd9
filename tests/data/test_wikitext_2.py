import lzma
import zipfile

import pytest

from emamba.data import load_text
from emamba.errors import DataError
from emamba.files import digest

TEXTS = {"train": " \n = A = \n b b c\n", "valid": "b c\n", "test": "c A\nb\n"}


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
def test_every_form_becomes_the_same_numbers(folder, write):
    write(folder, TEXTS)
    found = load_text("wikitext-2", folder.parent)
    assert found.vocabulary == ("<eos>", "=", "b", "A", "c")
    assert found.train.tolist() == [0, 1, 3, 1, 0, 2, 2, 4, 0]
    assert found.validation.tolist() == [2, 4, 0]
    assert found.test.tolist() == [4, 3, 0, 2, 0]
    assert found.identity == f"WikiText-2, unknown copy, sha256 {digest(*TEXTS.values())}"


def test_a_word_that_training_lacks_is_named(folder):
    write_plain(folder, TEXTS | {"test": "novel\n"})
    with pytest.raises(DataError, match=r"wiki.test.tokens: holds the word 'novel', which the training text does not"):
        load_text("wikitext-2", folder.parent)


def test_missing_cut_and_garbled_files_are_named(folder):
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip does not exist, nor wiki.train.tokens, nor wiki.train"):
        load_text("wikitext-2", folder.parent)
    write_zip(folder, {"train": "a\n", "valid": "a\n"})
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip cannot be read: 'wiki.test.tokens'"):
        load_text("wikitext-2", folder.parent)
    write_zip(folder, TEXTS)
    path = folder / "wikitext-2-v1.zip"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"wikitext-2-v1.zip cannot be read"):
        load_text("wikitext-2", folder.parent)
    write_packed(folder, TEXTS)
    (folder / "wiki.valid.tokens.xz").write_bytes(lzma.compress(b"\xff\xfe"))
    with pytest.raises(DataError, match=r"wiki.valid.tokens.xz cannot be read.*utf-8"):
        load_text("wikitext-2", folder.parent)
    (folder / "wiki.valid.tokens.xz").write_bytes(lzma.compress(b"  "))
    with pytest.raises(DataError, match=r"wiki.valid.tokens.xz: holds no words"):
        load_text("wikitext-2", folder.parent)
    (folder / "wiki.valid.tokens.xz").unlink()
    with pytest.raises(DataError, match=r"wiki.valid.tokens does not exist, nor wiki.valid.tokens.xz"):
        load_text("wikitext-2", folder.parent)


def test_the_real_text_is_the_official_release(real_data):
    found = load_text("wikitext-2", real_data("wikitext-2").parent)
    assert found.identity.startswith("WikiText-2, official release, sha256 95cc8a4d")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [2_088_628, 217_646, 245_569]
    assert len(found.vocabulary) == 33_278
    assert max(part.max() for part in (found.train, found.validation, found.test)) == 33_277
