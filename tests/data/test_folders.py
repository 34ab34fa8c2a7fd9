from pathlib import Path

import pytest

from emamba.data.folders import cache, destination, find
from emamba.errors import DataError


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A user whose home, cache and current folder are empty."""
    monkeypatch.delenv("EMAMBA_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def made(*parts) -> Path:
    path = Path(*parts)
    path.mkdir(parents=True)
    return path


def test_a_given_folder_comes_before_the_environment_and_the_environment_before_the_rest(tmp_path, monkeypatch):
    cached = made(tmp_path, "cache", "emamba", "data", "mars")
    assert find("mars") == cached
    nearby = made(tmp_path, "shared", "data", "mars")
    assert find("mars").resolve() == nearby
    named = made(tmp_path, "named", "mars")
    monkeypatch.setenv("EMAMBA_DATA", str(tmp_path / "named"))
    assert find("mars") == named
    given = made(tmp_path, "given", "mars")
    assert find("mars", tmp_path / "given") == given


def test_what_is_not_nearby_is_looked_for_in_the_cache(tmp_path):
    made(tmp_path, "shared", "data", "mars")
    cached = made(tmp_path, "cache", "emamba", "data", "cifar-10")
    assert find("cifar-10") == cached


def test_a_missing_set_says_where_it_was_looked_for_and_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(DataError) as missing:
        find("mars")
    for place in ("shared/data/mars", "cache/emamba/data/mars"):
        assert place in missing.value.message
    for way in ("emamba data fetch mars", "--data-dir", "EMAMBA_DATA"):
        assert way in missing.value.hint
    monkeypatch.setenv("EMAMBA_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=rf"mars is not there: no folder {tmp_path}/nowhere/mars \("):
        find("mars")


def test_what_is_fetched_goes_to_the_cache_unless_a_folder_is_named(tmp_path, monkeypatch):
    assert destination("mars") == tmp_path / "cache" / "emamba" / "data" / "mars"
    monkeypatch.setenv("EMAMBA_DATA", str(tmp_path / "named"))
    assert destination("mars") == tmp_path / "named" / "mars"
    assert destination("mars", tmp_path / "given") == tmp_path / "given" / "mars"


def test_the_cache_is_below_home_unless_xdg_says_otherwise(tmp_path, monkeypatch):
    assert cache() == tmp_path / "cache" / "emamba"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache() == tmp_path / "home" / ".cache" / "emamba"
