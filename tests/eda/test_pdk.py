"""PDKs by name: looked for, fetched, and what is said of a missing one."""

from dataclasses import replace
from pathlib import Path

import pytest

from emamba.eda import pdk
from emamba.errors import ConfigError, DataError
from liberties import tiny_liberty

SKY130 = "sky130_fd_sc_hd__tt_025C_1v80.lib"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("EMAMBA_PDK", str(tmp_path / "pdk"))
    return tmp_path / "pdk"


def put(place, folder, *names):
    (place / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / folder / name).write_text(tiny_liberty())


def test_a_pdk_is_found_in_the_named_folder_and_read(place):
    put(place, "sky130hd", SKY130)
    found = pdk.library("sky130")
    assert found.paths == (place / "sky130hd" / SKY130,)
    assert found.unused == ("*_probe*", "*_lpflow_*")
    assert {entry.name: entry.folder for entry in pdk.catalogue()} == {
        "sky130": place / "sky130hd",
        "asap7": None,
        "sg13g2": None,
    }


def test_a_pdk_of_several_files_needs_all_of_them_packed_or_not(place):
    names = [item.file for item in next(it for it in pdk.PDKS if it.name == "asap7").downloads]
    put(place, "asap7", *(name.removesuffix(".gz") for name in names[:-1]))
    with pytest.raises(ConfigError, match="asap7 is not there") as raised:
        pdk.library("asap7")
    assert str(place) in raised.value.message
    assert "emamba pdk fetch asap7" in raised.value.hint
    assert "EMAMBA_PDK" in raised.value.hint
    put(place, "asap7", names[-1].removesuffix(".gz"))
    assert len(pdk.library("asap7").paths) == 5


def test_without_a_named_folder_it_is_looked_for_nearby_and_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("EMAMBA_PDK", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    put(tmp_path / "cache" / "emamba" / "pdk", "sky130hd", SKY130)
    assert pdk.library("sky130").paths[0].is_relative_to(tmp_path / "cache")
    put(tmp_path / "shared" / "pdk", "sky130hd", SKY130)
    assert pdk.library("sky130").paths[0] == Path("../shared/pdk/sky130hd") / SKY130


def test_several_files_may_be_one_library(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.lib").write_text(tiny_liberty().replace("tiny_", f"{name}_"))
    found = pdk.library(f"{tmp_path / 'a.lib'},{tmp_path / 'b.lib'}")
    assert {"a_dff", "b_dff"} <= set(found.cells)
    assert found.paths == (tmp_path / "a.lib", tmp_path / "b.lib")
    with pytest.raises(ConfigError, match=r"there is no liberty file .*c\.lib"):
        pdk.library(f"{tmp_path / 'a.lib'},{tmp_path / 'c.lib'}")


def test_any_liberty_file_is_a_target(tmp_path):
    (tmp_path / "own.lib").write_text(tiny_liberty())
    assert pdk.library(str(tmp_path / "own.lib")).name == "tiny"
    with pytest.raises(ConfigError, match="there is no target 'gf22'") as raised:
        pdk.library("gf22")
    assert "sky130, asap7, sg13g2, and any FILE.lib" in raised.value.hint


def test_files_are_fetched_to_the_named_folder_and_checked(place, monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    item = replace(pdk.PDKS[0].downloads[0], addresses=("http://127.0.0.1:9/x",))
    monkeypatch.setattr(pdk, "PDKS", (replace(pdk.PDKS[0], downloads=(item,)),))
    with pytest.raises(DataError, match=f"cannot fetch {SKY130}") as raised:
        pdk.fetch("sky130")
    assert f"put them into {place / 'sky130hd'}" in raised.value.hint
    there = place / "sky130hd" / item.file
    there.parent.mkdir(parents=True)
    there.write_text(tiny_liberty())
    monkeypatch.setattr(pdk, "PDKS", (replace(pdk.PDKS[0], downloads=(replace(item, checksum=""),)),))
    assert pdk.fetch("sky130") == [there]
    with pytest.raises(ConfigError, match="there is no PDK 'x'"):
        pdk.fetch("x")


def test_addresses_end_in_the_files_name_and_checksums_are_sha256():
    for known in pdk.PDKS:
        for item in known.downloads:
            assert all(address.endswith(f"/{item.file}") for address in item.addresses)
            assert item.algorithm == "sha256"
            assert len(item.checksum) == 64
