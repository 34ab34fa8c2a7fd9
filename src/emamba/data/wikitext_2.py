"""WikiText-2: articles of Wikipedia as one long text (Merity, Xiong, Bradbury, Socher 2016)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from emamba.data.dataset import Dataset, Split
from emamba.data.reading import content, damaged, first, known_as, reading
from emamba.files import digest

ARCHIVE = "wikitext-2-v1.zip"
PARTS = ("train", "valid", "test")
KNOWN = {"95cc8a4d8b8401b031891a9da8f9fcbb939e4e72556a63bf8a8708deff897f4c": "official release"}
LENGTH = 256  # bytes of a frame


def wikitext_2(folder: Path) -> Dataset:
    """42,176 frames of 256 bytes to train, 4,381 to validate, 4,908 to test; after each byte the next one is asked.

    From the three `wiki.*.tokens`, packed as .xz or not, else the official zip that holds them.
    """
    names = [f"wiki.{part}.tokens" for part in PARTS]
    if any((folder / f"{name}{suffix}").is_file() for name in names for suffix in ("", ".xz")):
        paths = [first(folder, name, f"{name}.xz") for name in names]
        texts = [content(path) for path in paths]
    else:
        paths = [first(folder, ARCHIVE, names[0], f"{names[0]}.xz")] * len(names)
        texts = _unpacked(paths[0], names)
    for path, text in zip(paths, texts, strict=True):
        if len(text) <= LENGTH:
            raise damaged(path, f"holds {len(text)} bytes; a frame and the byte behind it are {LENGTH + 1}")
    identity = f"WikiText-2, {known_as(digest(*texts), KNOWN)}"
    return Dataset("wikitext-2", identity, *map(cut, texts), outputs=256, task="language")


def cut(text: bytes) -> Split:
    """`text` in frames that follow each other: bytes [n, 1, LENGTH, 1], and for each the byte behind it [n, LENGTH].

    What is asked at the end of a frame is the first byte of the next one; up to LENGTH bytes at the end of the
    text make no frame.
    """
    values = np.frombuffer(text, np.uint8)
    whole = (len(values) - 1) // LENGTH * LENGTH
    images = values[:whole].reshape(-1, 1, LENGTH, 1).astype(np.float32)
    return Split(images, values[1 : whole + 1].reshape(-1, LENGTH).astype(np.int64))


def _unpacked(path: Path, names: list[str]) -> list[bytes]:
    """The members of the archive that are called so, whatever folder they are in."""
    with reading(path), zipfile.ZipFile(path) as archive:
        found = {Path(member).name: member for member in archive.namelist()}
        return [archive.read(found[name]) for name in names]
