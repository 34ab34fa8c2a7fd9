"""The store: what was written comes back, the same bytes each time, and nothing damaged gets through."""

import errno
import json
import os
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cases import operation_cases, pick, scan_case, source
from emamba.errors import ArtifactError, GraphError, StorageError
from emamba.fixed import Integer
from emamba.graph import Graph, content_hash, load, predict, save
from emamba.graph.operations import arrays
from emamba.graph.store import _hash

CASE = scan_case("scan", 1, 4, 2)


@pytest.fixture
def stored(tmp_path) -> Path:
    return save(CASE.graph, tmp_path / "graph.json")


def rewrite(path: Path, change, rehash: bool = True) -> None:
    """Alters the document; with `rehash` so that its hash fits again, as a hand-made file might."""
    document = json.loads(path.read_text())
    change(document)
    if rehash:
        with np.load(path.with_suffix(".npz")) as packed:
            contents = {name: packed[name].astype(np.int64) for name in packed.files}
        structure = {name: document[name] for name in document if name not in ("format", "version", "hash")}
        document["hash"] = _hash(structure, contents)
    path.write_text(json.dumps(document))


def refused(path: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        load(path)
    return caught.value


@pytest.mark.parametrize("it", operation_cases(), ids=str)
def test_what_was_saved_comes_back(it, tmp_path):
    again = load(save(it.graph, tmp_path / "graph.json"))
    assert np.array_equal(predict(again, it.frames), predict(it.graph, it.frames))
    assert content_hash(again) == content_hash(it.graph)
    for before, after in zip(it.graph.operations, again.operations, strict=True):
        assert type(after) is type(before)
        for name, array in arrays(before).items():
            assert arrays(after)[name].dtype == np.int64
            assert np.array_equal(arrays(after)[name], array)


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        save(scan_case("scan", 1, 4, 2).graph, tmp_path / folder / "graph.json")
    for name in ("graph.json", "graph.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    again = load(tmp_path / "one" / "graph.json")
    save(again, tmp_path / "three" / "graph.json")
    assert (tmp_path / "three" / "graph.npz").read_bytes() == (tmp_path / "one" / "graph.npz").read_bytes()


def test_arrays_are_stored_narrow_and_without_pickles(stored):
    with np.load(stored.with_suffix(".npz"), allow_pickle=False) as packed:
        assert packed["scan.rate"].dtype == np.uint16
        assert packed["x.weight"].dtype == np.uint8
        assert packed["scan.skip"].dtype == np.int8


@pytest.mark.parametrize("values", [[-1, 1 << 33], [0, (1 << 63) - 1], [-(1 << 63), 5], [-129, 0], [0, 256]], ids=str)
def test_wide_arrays_lose_nothing(tmp_path, values):
    from emamba.graph.store import _packed

    packed = _packed(np.array(values))
    assert packed.dtype.kind in "iu"
    assert packed.astype(np.int64).tolist() == values


def test_the_hash_sees_every_part():
    out = pick("out", 2, 0, 2)
    graph = Graph("toy", 4, (source(2), out))
    others = [
        replace(graph, name="other"),
        replace(graph, tokens=5),
        Graph("toy", 4, (source(2), replace(out, shift=out.shift + 1))),
        Graph("toy", 4, (source(2), replace(out, fraction_bits=5))),
        Graph("toy", 4, (source(2), replace(out, dtype=Integer(9)))),
        Graph("toy", 4, (source(2), replace(out, weight=out.weight * 2))),
        Graph("toy", 4, (source(2), replace(out, weight=out.weight.reshape(1, 4)))),
    ]
    assert len({content_hash(it) for it in [graph, *others]}) == len(others) + 1


@pytest.mark.parametrize("name", ["graph.json", "graph.npz"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_damaged(stored, name, kept):
    path = stored.with_name(name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "is damaged: it is not" in refused(stored).message


def test_no_altered_byte_gets_through(stored):
    """Bytes that only zip looks at may change; otherwise loading is refused as it should be."""
    before = content_hash(CASE.graph)
    for path in (stored, stored.with_suffix(".npz")):
        data = path.read_bytes()
        for place in range(0, len(data), 7):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
            with suppress(ArtifactError):
                assert content_hash(load(stored)) == before
        path.write_bytes(data)


def test_arrays_of_another_graph_are_damaged(stored, tmp_path):
    other = save(scan_case("scan", 7, 4, 2).graph, tmp_path / "other" / "graph.json")
    os.replace(other.with_suffix(".npz"), stored.with_suffix(".npz"))
    assert refused(stored).message == f"{stored} is damaged: its content does not match its hash"


def test_arrays_that_are_missing_are_said(stored):
    stored.with_suffix(".npz").unlink()
    assert "graph.npz does not exist" in refused(stored).message


def test_a_plain_array_instead_of_an_archive_is_damaged(stored):
    with open(stored.with_suffix(".npz"), "wb") as file:
        np.save(file, np.zeros(3))
    assert "is not a readable npz" in refused(stored).message


def test_arrays_of_reals_are_damaged(stored):
    path = stored.with_suffix(".npz")
    with np.load(path) as packed:
        contents = {name: packed[name] + 0.25 for name in packed.files}
    np.savez(path, **contents)
    assert "arrays that are not of integers" in refused(stored).message


def test_an_extra_array_is_damaged(stored):
    with zipfile.ZipFile(stored.with_suffix(".npz"), "a") as archive:
        archive.writestr("more.npy", archive.read("x.bias.npy"))
    assert "does not match its hash" in refused(stored).message


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '"text"', "[" * 100_000, "{}", '{"format": "other"}'])
def test_what_is_not_a_graph_is_said(stored, content):
    stored.write_text(content)
    assert "not JSON" in refused(stored).message or "not an emamba graph" in refused(stored).message


def test_binary_content_is_said(stored):
    stored.write_bytes(b"\xff\xfe\x00binary")
    assert "is damaged: it is not JSON" in refused(stored).message


@pytest.mark.parametrize("version", [2, 4, "3", None])
def test_another_version_is_said(stored, version):
    rewrite(stored, lambda document: document.update(version=version))
    assert f"has format version {version}, this emamba reads 3" in refused(stored).message


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["operations"][-1].update(shift=1),
        lambda d: d.update(tokens=3),
        lambda d: d.update(extra=1),
        lambda d: d["operations"][1].update(extra=1),
        lambda d: d.update(hash="0" * 64),
    ],
    ids=["shift", "tokens", "extra key", "extra key of an operation", "hash"],
)
def test_an_altered_document_does_not_match_its_hash(stored, change):
    rewrite(stored, change, rehash=False)
    assert "its content does not match its hash" in refused(stored).message


def test_a_document_without_hash_is_said(stored):
    rewrite(stored, lambda document: document.pop("hash"), rehash=False)
    assert "is damaged: it has no hash" in refused(stored).message


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("name"),
        lambda d: d.update(name=3),
        lambda d: d.update(tokens="9"),
        lambda d: d.update(tokens=True),
        lambda d: d.update(operations=3),
        lambda d: d.update(operations=["x"]),
        lambda d: d["operations"][1].pop("shift"),
        lambda d: d["operations"][-1].update(shift=1.0),
        lambda d: d["operations"][1].update(name=["x"]),
        lambda d: d["operations"][1].update(name="y"),
        lambda d: d["operations"][1].update(kind="Softmax"),
        lambda d: d["operations"][1].update(kind=["Linear"]),
        lambda d: d["operations"][1].update(dtype="float8"),
        lambda d: d["operations"][1].update(dtype=8),
        lambda d: d["operations"][-1].update(decay={"kind": "Linear"}),
        lambda d: d["operations"][-1].update(decay=None),
    ],
)
def test_fields_missing_or_of_a_wrong_type_are_said_even_if_the_hash_fits(stored, change):
    rewrite(stored, change)
    assert "is damaged: a field is missing or of a wrong type: " in refused(stored).message


@pytest.mark.parametrize("change", [lambda d: d.update(extra=1), lambda d: d["operations"][1].update(extra=1)])
def test_unknown_fields_are_said_even_if_the_hash_fits(stored, change):
    rewrite(stored, change)
    assert "fields that this version does not know" in refused(stored).message


def test_an_illegal_graph_is_a_graph_error(stored):
    rewrite(stored, lambda document: document["operations"][-1].update(shift=99))
    with pytest.raises(GraphError, match="shift is 99"):
        load(stored)


@pytest.mark.parametrize("name", ["graph.json", "graph.npz"])
def test_a_full_disk_is_a_storage_error_and_leaves_no_part(tmp_path, monkeypatch, name):
    whole = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if name not in path.name:
            return whole(path, data)
        whole(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=f"{name}: No space left on device"):
        save(CASE.graph, tmp_path / "graph.json")
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / name).exists()
