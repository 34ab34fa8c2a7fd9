"""Data sets on the command line."""

import json
import re
from dataclasses import replace

from emamba import data
from emamba.cli.data import verbs
from emamba.files import write

DATA_VERBS = {"list": "catalogue", "fetch": "fetch", "check": "check"}


def test_every_verb_about_data_is_the_twin_of_a_function(emamba):
    assert {command.name or command.callback.__name__ for command in verbs.registered_commands} == set(DATA_VERBS)
    for name, function in DATA_VERBS.items():
        assert getattr(data, function).__doc__
        assert f"Usage: emamba data {name}" in emamba("data", name, "--help").out


def test_data_sets_are_listed_and_checked(emamba, tmp_path):
    (tmp_path / "mars").mkdir()
    listed = emamba("data", "list", "--data-dir", tmp_path).out
    assert re.search(rf"^mars +regression +24,066.*\n +{tmp_path}/mars$", listed, re.MULTILINE)
    assert re.search(r"^cifar-10 .*\n +missing$", listed, re.MULTILINE)
    entries = json.loads(emamba("data", "list", "--data-dir", tmp_path, "--json").out)
    assert [entry["folder"] for entry in entries] == [None, None, None, str(tmp_path / "mars"), None]
    assert re.search(
        r"^identity +digits of scikit-learn.*\n(.*\n)*train +1150$", emamba("data", "check", "digits").out, re.MULTILINE
    )
    assert json.loads(emamba("data", "check", "digits", "--json").out)["validation"] == 287


def test_what_is_fetched_is_printed_and_a_missing_network_is_an_error_of_data(emamba, tmp_path, monkeypatch):
    item = replace(data.SOURCES["mars"].downloads[0], file="x", addresses=("http://127.0.0.1:9/x",), checksum="")
    monkeypatch.setitem(data.SOURCES, "mars", replace(data.SOURCES["mars"], downloads=(item,)))
    monkeypatch.setenv("no_proxy", "*")
    write(tmp_path / "mars" / "x", "there already")
    assert emamba("data", "fetch", "mars", "--data-dir", tmp_path).out == f"{tmp_path}/mars/x\n"
    ended = emamba("data", "fetch", "mars", "--data-dir", tmp_path / "empty")
    assert ended.code == 3
    assert f"put them into {tmp_path}/empty/mars" in ended.told[1]
