import gzip
import hashlib
import lzma

import numpy as np
import pytest

from emamba.data.reading import checksum, content, first, idx, known_as
from emamba.errors import DataError


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_content_is_unpacked_by_its_suffix(tmp_path, suffix, pack):
    path = tmp_path / f"words{suffix}"
    path.write_bytes(pack(b"abc" * 100))
    assert content(path) == b"abc" * 100


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_cut_or_altered_file_is_an_error_that_names_it(tmp_path, suffix, pack):
    path = tmp_path / "mars" / f"words{suffix}"
    path.parent.mkdir()
    whole = pack(bytes(range(256)) * 9)
    for broken in (whole[:-9], whole[:40] + b"x" + whole[41:], b"no archive", b""):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=f"words{suffix}.*emamba data fetch mars"):
            content(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match="words does not exist"):
        content(tmp_path / "words")


def test_the_first_name_that_is_there_is_taken(tmp_path):
    (tmp_path / "b").touch()
    (tmp_path / "c").touch()
    assert first(tmp_path, "a", "b", "c") == tmp_path / "b"
    with pytest.raises(DataError, match="/x does not exist, nor y"):
        first(tmp_path, "x", "y")


def test_idx_is_read_with_the_last_side_fastest(tmp_path):
    path = tmp_path / "x"
    data = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    path.write_bytes(data)
    found, array = idx(path, 2)
    assert found == data
    np.testing.assert_array_equal(array, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        ([0, 0, 8, 3, 0, 0, 0, 1], "begins with 00000803, not with 00000801"),
        ([0, 0, 13, 1, 0, 0, 0, 1, 0], "begins with 00000d01"),
        ([0, 0, 8, 1, 0, 0, 0], "begins with"),
        ([0, 0, 8, 1, 0, 0, 0, 2, 7], r"holds 1 bytes, not those of an array \[2\]"),
        ([0, 0, 8, 1, 0, 0, 0, 1, 7, 7], "holds 2 bytes"),
    ],
)
def test_idx_of_another_kind_or_length_is_refused(tmp_path, data, fact):
    (tmp_path / "x").write_bytes(bytes(data))
    with pytest.raises(DataError, match=fact):
        idx(tmp_path / "x", 1)


def test_data_are_called_by_their_hash_or_unknown():
    assert known_as("12", {"12": "official release"}) == "official release, sha256 12"
    assert known_as("13", {"12": "official release"}) == "unknown copy, sha256 13"


def test_checksums_are_those_of_the_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert checksum(path, "md5") == hashlib.md5(b"abc").hexdigest()
    assert checksum(path) == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(DataError, match="does not exist"):
        checksum(tmp_path / "y")
