"""WikiText-2: articles of Wikipedia, cut into words (Merity, Xiong, Bradbury, Socher 2016)."""

from __future__ import annotations

import zipfile
from pathlib import Path

from emamba.data.reading import content, damaged, first, known_as, reading
from emamba.data.text import Text, Words, numbers, vocabulary, words
from emamba.files import digest

ARCHIVE = "wikitext-2-v1.zip"
PARTS = ("train", "valid", "test")
KNOWN = {"95cc8a4d8b8401b031891a9da8f9fcbb939e4e72556a63bf8a8708deff897f4c": "official release"}


def wikitext_2(folder: Path) -> Text:
    """2,088,628 words to train, 217,646 to validate, 245,569 to test, 33,278 of them different.

    From the three `wiki.*.tokens`, packed as .xz or not, else the official zip that holds them.
    """
    names = [f"wiki.{part}.tokens" for part in PARTS]
    if any((folder / f"{name}{suffix}").is_file() for name in names for suffix in ("", ".xz")):
        paths = [first(folder, name, f"{name}.xz") for name in names]
        texts = [content(path) for path in paths]
    else:
        paths = [first(folder, ARCHIVE, names[0], f"{names[0]}.xz")] * len(names)
        texts = _unpacked(paths[0], names)
    parts = []
    for path, text in zip(paths, texts, strict=True):
        with reading(path):
            parts.append(words(text.decode()))
        if not parts[-1]:
            raise damaged(path, "holds no words")
    known = vocabulary(parts[0])
    train, validation, test = (_numbered(path, part, known) for path, part in zip(paths, parts, strict=True))
    identity = f"WikiText-2, {known_as(digest(*texts), KNOWN)}"
    return Text("wikitext-2", identity, known, train, validation, test)


def _numbered(path: Path, part: list[str], known: tuple[str, ...]) -> Words:
    try:
        return numbers(part, known)
    except KeyError as error:
        raise damaged(path, f"holds the word {error}, which the training text does not") from None


def _unpacked(path: Path, names: list[str]) -> list[bytes]:
    """The members of the archive that are called so, whatever folder they are in."""
    with reading(path), zipfile.ZipFile(path) as archive:
        found = {Path(member).name: member for member in archive.namelist()}
        return [archive.read(found[name]) for name in names]
