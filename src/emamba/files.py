"""Files written whole or not at all, read with errors a user can act on, and known by their hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from emamba.errors import ArtifactError, StorageError


def write(path: Path, content: bytes | str) -> Path:
    """Writes `path` beside its place and renames it, so that a half-written file is never seen."""
    data = content.encode() if isinstance(content, str) else content
    return write_with(path, lambda beside: beside.write_bytes(data))


def write_with(path: Path, writer: Callable[[Path], object]) -> Path:
    """As `write`, for a library that wants a file name: `writer` gets the name beside."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(beside)
        os.replace(beside, path)
    except OSError as error:
        fact = f"cannot write {path}: {error.strerror or error}"
        raise StorageError(fact, "free space or choose another folder") from error
    finally:
        with suppress(OSError):  # it hides neither the error above nor a success
            beside.unlink()
    return path


def read_bytes(path: Path) -> bytes:
    """The content of an artifact; ArtifactError when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist", "run the stage that makes it; `emamba flow` runs all") from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}", "give the path of a run's artifact") from error


def digest(*contents: bytes | str) -> str:
    """SHA-256 of `contents`, each with its length, as hexadecimal digits."""
    total = hashlib.sha256()
    for content in contents:
        data = content.encode() if isinstance(content, str) else content
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()
