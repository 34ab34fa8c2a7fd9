"""Official files come over the network: resumed where they were cut off, checked, and renamed when whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from emamba.data.folders import destination
from emamba.data.reading import checksum
from emamba.data.sources import Download, Source, source
from emamba.errors import ConfigError, DataError, StorageError

Progress = Callable[[int, int, str], None]  # KiB done, KiB in all (0: unknown), which file
ATTEMPTS = 10  # at one address, as long as each gets further
PATIENCE = 30  # seconds without a byte
_CHUNK = 1 << 16


def silent(done: int, total: int, label: str) -> None:
    """A `Progress` that shows nothing."""


def fetch(name: str, folder: Path | None = None, progress: Progress = silent) -> list[Path]:
    """Downloads the official files of a data set to `destination`; files that are there and right stay.

    What was interrupted goes on where it stopped. DataError if no address gives a file with the right
    checksum, StorageError if it cannot be written, ConfigError if there is no such data set to fetch.
    """
    wanted = source(name)
    if not wanted.downloads:
        raise ConfigError(f"there is nothing to fetch for {name}", "it comes with the package")
    return [_fetched(item, wanted, destination(name, folder), progress) for item in wanted.downloads]


def _fetched(item: Download, wanted: Source, folder: Path, progress: Progress) -> Path:
    try:
        return download(item, folder, progress)
    except DataError as error:
        files = ", ".join(each.file for each in wanted.downloads)
        hint = (
            f"try again; without a network get {files} elsewhere and put them into {folder}, "
            "or name a folder that holds them in a subfolder of that name with --data-dir or EMAMBA_DATA"
        )
        raise DataError(error.message, hint) from error


def download(item: Download, folder: Path, progress: Progress = silent) -> Path:
    """One file, in `folder`; `NAME.part` beside it is what there is of it until it is whole."""
    target, part = folder / item.file, folder / f"{item.file}.part"
    if target.is_file() and _right(item, target):
        return target
    failures = []
    for address in item.addresses:
        failure = _from(address, item, part, progress)
        if failure is None:
            _put(part, target)
            return target
        failures.append(f"{address}: {failure}")
    raise DataError(f"cannot fetch {item.file}: {'; '.join(failures)}", "try again")


def _from(address: str, item: Download, part: Path, progress: Progress) -> str | None:
    """None when `part` is whole and right, else what happened last; tries again as long as that may help."""
    failure = None
    for _ in range(ATTEMPTS):
        before = _size(part)
        failure = _attempt(item, address, part, progress)
        if failure is None:
            return None
        grown, begun_anew = _size(part) > before, before > 0 and not part.exists()
        if not grown and not begun_anew:
            break
    return failure


def _attempt(item: Download, address: str, part: Path, progress: Progress) -> str | None:
    """Gets as much as it can; None when the file is whole and right, else why not."""
    try:
        _receive(address, part, progress, item.file)
    except (HTTPException, OSError) as error:
        return str(error) or type(error).__name__
    if _right(item, part):
        return None
    found = checksum(part, item.algorithm)
    part.unlink()  # nothing tells which of its bytes are wrong
    return f"{item.algorithm} is {found}, not {item.checksum}"


def _receive(address: str, part: Path, progress: Progress, label: str) -> None:
    """Adds to `part` what it lacks; ConnectionError if less comes than was announced."""
    begin = _size(part)
    request = Request(address, headers={"Range": f"bytes={begin}-"} if begin else {})
    try:
        reply = urlopen(request, timeout=PATIENCE)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range") == f"bytes */{begin}":
            return  # all had come, but was not checked
        part.unlink()  # it is longer than the file
        raise
    resumed = reply.status == HTTPStatus.PARTIAL_CONTENT  # else the server sends the whole file
    with reply, _opened(part, "ab" if resumed else "wb") as file:
        begin = begin if resumed else 0
        total = begin + int(reply.headers.get("Content-Length") or 0)  # `begin` alone if the server does not say
        done = begin + _copied(reply, file, lambda count: progress((begin + count) >> 10, total >> 10, label))
    if total > begin and done != total:
        raise ConnectionError(f"the connection was cut after {done:,} of {total:,} bytes")


def _copied(reply: HTTPResponse, file: IO[bytes], tell: Callable[[int], None]) -> int:
    """How many bytes came; `tell` hears it on the way."""
    count = 0
    while chunk := reply.read(_CHUNK):
        try:
            file.write(chunk)
        except OSError as error:
            raise _unwritable(Path(file.name), error) from error
        count += len(chunk)
        tell(count)
    return count


def _opened(part: Path, mode: str) -> IO[bytes]:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        return part.open(mode, buffering=0)  # so that an interrupt loses nothing, and a full disk shows here
    except OSError as error:
        raise _unwritable(part, error) from error


def _put(part: Path, target: Path) -> None:
    try:
        os.replace(part, target)
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot write {path}: {error.strerror or error}", "free space, or choose another --data-dir")


def _right(item: Download, path: Path) -> bool:
    """Without a known checksum a whole file is a right file."""
    return not item.checksum or checksum(path, item.algorithm) == item.checksum


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
