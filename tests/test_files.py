"""Files: whole or not at all, errors with a hint, hashes that tell contents apart."""

import errno
import os

import pytest

from emamba import files
from emamba.errors import ArtifactError, StorageError


def full_disk(path):
    path.write_bytes(b"the first half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_write_makes_folders_and_gives_the_path_back(tmp_path):
    path = tmp_path / "a" / "b.txt"
    assert files.write(path, "grüße\n") == path
    assert path.read_bytes() == "grüße\n".encode()
    assert os.listdir(path.parent) == ["b.txt"]


def test_write_replaces_what_was_there(tmp_path):
    path = files.write(tmp_path / "x", b"old and longer")
    files.write(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    path = files.write(tmp_path / "x", b"old")
    with pytest.raises(StorageError, match="No space left on device") as caught:
        files.write_with(path, full_disk)
    assert caught.value.hint == "free space or choose another folder"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_an_interrupt_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    def interrupted(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    path = files.write(tmp_path / "x", b"old")
    with pytest.raises(KeyboardInterrupt):
        files.write_with(path, interrupted)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path):
    files.write(tmp_path / "run", b"")
    with pytest.raises(StorageError, match="run/x"):
        files.write(tmp_path / "run" / "x", b"")


def test_a_file_that_is_a_folder_is_a_storage_error(tmp_path):
    (tmp_path / "x" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"cannot write .*x"):
        files.write(tmp_path / "x", b"")
    assert os.listdir(tmp_path) == ["x"]


def test_reading_what_is_not_there_names_it_and_the_way_to_make_it(tmp_path):
    with pytest.raises(ArtifactError, match=r"graph\.json does not exist") as caught:
        files.read_bytes(tmp_path / "graph.json")
    assert "emamba flow" in caught.value.hint


def test_reading_a_folder_is_an_artifact_error(tmp_path):
    with pytest.raises(ArtifactError, match="cannot read"):
        files.read_bytes(tmp_path)


def test_digest_tells_where_contents_end():
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("ab") == files.digest(b"ab")
    assert files.digest("a", "") != files.digest("a")
