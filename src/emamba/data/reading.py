"""Files of data sets as bytes and arrays; what is missing, cut off or altered is a DataError that names the file."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emamba.data.folders import hint
from emamba.errors import DataError

# What readers raise: of broken archives, missing members, values that cannot be, arrays of another kind.
_ARCHIVES = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_DAMAGE = (*_ARCHIVES, OSError, KeyError, SyntaxError, ValueError, TypeError)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong inside is a DataError about `path`, which lies in the folder of its data set."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", hint(path.parent.name)) from None
    except _DAMAGE as error:
        raise DataError(f"{path} cannot be read: {error}", hint(path.parent.name)) from error


def damaged(path: Path, fact: str) -> DataError:
    """An error about the content of `path`."""
    return DataError(f"{path}: {fact}", hint(path.parent.name))


def content(path: Path) -> bytes:
    """All bytes of a file, unpacked if its name ends in .gz or .xz."""
    with reading(path):
        packed = path.read_bytes()
        if not packed:
            raise EOFError("it is empty")
        match path.suffix:
            case ".gz":
                return gzip.decompress(packed)
            case ".xz":
                return lzma.decompress(packed)
            case _:
                return packed


def first(folder: Path, *names: str) -> Path:
    """The first of `names` that is a file in `folder`; DataError if none is."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    fact = f"{folder / names[0]} does not exist" + "".join(f", nor {name}" for name in names[1:])
    raise DataError(fact, hint(folder.name))


def idx(path: Path, sides: int) -> tuple[bytes, NDArray[np.uint8]]:
    """The content of a file in idx format and its array of `sides` dimensions of bytes."""
    data = content(path)
    start = 4 + 4 * sides
    if len(data) < start or data[:4] != bytes([0, 0, 8, sides]):
        raise damaged(path, f"begins with {data[:4].hex()}, not with 000008{sides:02x} of idx bytes in {sides} sides")
    shape = np.frombuffer(data, ">u4", sides, 4).tolist()
    if len(data) - start != int(np.prod(shape)):
        raise damaged(path, f"holds {len(data) - start:,} bytes, not those of an array {shape}")
    return data, np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def known_as(digest: str, known: Mapping[str, str]) -> str:
    """What data of that SHA-256 are called, or that nobody knows them; both with the hash."""
    return f"{known.get(digest, 'unknown copy')}, sha256 {digest}"


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file as it lies there."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
