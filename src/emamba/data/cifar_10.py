"""CIFAR-10: 32x32 colour images of ten kinds of animals and vehicles (Krizhevsky 2009)."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emamba import files
from emamba.data.dataset import Dataset, checked, held_out
from emamba.data.folders import cache
from emamba.data.reading import checksum, content, damaged, first, reading
from emamba.data.sources import SOURCES
from emamba.errors import StorageError

Bytes = NDArray[np.uint8]
ARCHIVE, JPEG = "cifar-10-binary.tar.gz", "cifar10_jpeg.npz.xz"
BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
SHAPE = (32, 32, 3)
RECORD = 1 + 32 * 32 * 3
KNOWN = {
    SOURCES["cifar-10"].downloads[0].checksum: "official release",
    "1e1c9d494d6b5c2aa3677b8188453e16915be952166ccea3216ec22ce761bb65": "JPEG copy",  # the file
    "ab71a9bd444eb3e3fae410d88a51c646050b4cba23ef3726e53cf07bde5dce00": "JPEG copy",  # its records, unpacked
}


def cifar_10(folder: Path) -> Dataset:
    """45,000 images to train, 5,000 to validate, 10,000 to test; value/255, channels R, G, B.

    From the official `cifar-10-binary.tar.gz`, else its six files unpacked, else the lossy
    `cifar10_jpeg.npz.xz`. Validation: see `held_out`, one in 10.
    """
    records, identity = _found(folder)
    images, labels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
    rest = len(records) - len(records) // 6
    train, validation = held_out(rest, 10)
    parts = [
        checked(str(folder), images[part] / np.float32(255), labels[part], SHAPE, 10)
        for part in (train, validation, slice(rest, None))
    ]
    return Dataset("cifar-10", identity, *parts, outputs=10, task="classification")


def _found(folder: Path) -> tuple[Bytes, str]:
    """Records [n, 3073], the last sixth for testing, and what they are."""
    path = first(folder, ARCHIVE, BATCHES[0], JPEG)
    if path.name == JPEG:
        found = checksum(path)
        records, title = decoded(path, found), KNOWN.get(found)
    elif path.name == ARCHIVE:
        records, title = _joined(path, _unpacked(path)), KNOWN.get(checksum(path, "md5"))
    else:
        records, title = _joined(path, [content(first(folder, name)) for name in BATCHES]), None
    digest = files.digest(records.tobytes())
    return records, f"CIFAR-10 ({title or KNOWN.get(digest, 'unknown copy')}), sha256 {digest}"


def _unpacked(path: Path) -> list[bytes]:
    """The six batches of the official archive."""
    found = {}
    with reading(path), tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name
            file = archive.extractfile(member) if name in BATCHES else None
            if file:
                found[name] = file.read()
    missing = [name for name in BATCHES if name not in found]
    if missing:
        raise damaged(path, f"does not hold {', '.join(missing)}")
    return [found[name] for name in BATCHES]


def _joined(path: Path, batches: list[bytes]) -> Bytes:
    """The records of six batches; each is a label, then 1,024 values each of red, green and blue."""
    for name, batch in zip(BATCHES, batches, strict=True):
        if not batch or len(batch) % RECORD or len(batch) != len(batches[0]):
            fact = f"{name} holds {len(batch):,} bytes: batches are equally many records of {RECORD:,}"
            raise damaged(path.with_name(name) if path.name in BATCHES else path, fact)
    return np.frombuffer(b"".join(batches), np.uint8).reshape(-1, RECORD)


def decoded(path: Path, sha256: str) -> Bytes:
    """Records [n, 3073] of the JPEG copy; what was decoded once is kept in the cache under the hash of its file."""
    kept = cache() / f"cifar-10-{sha256}.npy"
    with suppress(OSError, ValueError, EOFError):  # not there, or damaged: decode again
        records = np.load(kept)
        if records.dtype == np.uint8 and records.shape[1:] == (RECORD,):
            return records
    records = _decode(path)
    with suppress(OSError, StorageError):  # without a cache it takes seconds longer, no more
        _keep(records, kept)
    return records


def _keep(records: Bytes, kept: Path) -> None:
    """Under a name of this process first: several may decode at once, and none may see another's half file."""

    def save(beside: Path) -> None:
        with beside.open("wb") as file:
            np.save(file, records)

    os.replace(files.write_with(kept.with_suffix(f".{os.getpid()}"), save), kept)


def _decode(path: Path) -> Bytes:
    """All files of `jpeg`, which begin at `offset`, with their `label`."""
    packed = content(path)
    with reading(path), np.load(io.BytesIO(packed)) as archive:
        jpeg, offset, labels = archive["jpeg"].tobytes(), archive["offset"].tolist(), archive["label"]
        records = np.empty((len(labels), RECORD), np.uint8)
        records[:, 0] = labels
        for record, begin, end in zip(records, offset[:-1], offset[1:], strict=True):
            with Image.open(io.BytesIO(jpeg[begin:end])) as image:
                pixels = np.asarray(image.convert("RGB"))
            record[1:] = pixels.transpose(2, 0, 1).reshape(-1)
    return records
