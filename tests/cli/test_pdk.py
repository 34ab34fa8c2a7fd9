"""Standard cells on the command line."""

import json
import re
from dataclasses import replace

from emamba.cli.pdk import verbs
from emamba.eda import pdk
from emamba.files import write

PDK_VERBS = {"list": "catalogue", "fetch": "fetch"}


def test_every_verb_about_pdks_is_the_twin_of_a_function(emamba):
    assert {command.name or command.callback.__name__ for command in verbs.registered_commands} == set(PDK_VERBS)
    for name, function in PDK_VERBS.items():
        assert getattr(pdk, function).__doc__
        assert f"Usage: emamba pdk {name}" in emamba("pdk", name, "--help").out


def test_pdks_are_listed_and_fetched(emamba, tmp_path, monkeypatch):
    monkeypatch.setenv("EMAMBA_PDK", str(tmp_path))
    item = replace(pdk.PDKS[0].downloads[0], addresses=("http://127.0.0.1:9/x",), checksum="")
    monkeypatch.setattr(pdk, "PDKS", (replace(pdk.PDKS[0], downloads=(item,)),))
    assert re.search(r"^sky130 +SkyWater.*\n +missing$", emamba("pdk", "list").out, re.MULTILINE)
    path = write(tmp_path / "sky130hd" / item.file, "there already")
    assert emamba("pdk", "fetch", "sky130").out == f"{path}\n"
    (entry,) = json.loads(emamba("pdk", "list", "--json").out)
    assert entry["folder"] == str(tmp_path / "sky130hd")
