"""Yosys runs, and what it complains about arrives."""

import importlib.util

import pytest

from emamba.eda.yosys import yosys, yosys_at_once
from emamba.errors import ToolError


def test_commands_run_in_order_on_one_design(tmp_path):
    (tmp_path / "a.v").write_text("module a(input x, output y); assign y = !x; endmodule\n")
    printed = yosys(["read_verilog a.v", "rename a b", "write_verilog -noattr b.v"], tmp_path)
    assert "Parsing Verilog input" in printed
    assert "module b(x, y);" in (tmp_path / "b.v").read_text()


def test_an_error_says_what_yosys_said(tmp_path):
    with pytest.raises(ToolError, match=r"ERROR: File `nothing.v' not found"):
        yosys(["read_verilog nothing.v"], tmp_path)


def test_several_lists_of_commands_each_have_a_design_and_a_log(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.v").write_text(f"module {name}(input x, output y); assign y = !x; endmodule\n")
    yosys_at_once({name: [f"read_verilog {name}.v", f"write_rtlil {name}.il"] for name in "ab"}, tmp_path)
    assert "module \\b" in (tmp_path / "b.il").read_text()
    assert "module \\b" not in (tmp_path / "a.il").read_text()
    assert "Parsing Verilog input from `a.v'" in (tmp_path / "a.log").read_text()


def test_an_error_of_one_of_several_says_what_yosys_said(tmp_path):
    with pytest.raises(ToolError, match=r"ERROR: File `nothing.v' not found"):
        yosys_at_once({"good": ["help"], "bad": ["read_verilog nothing.v"]}, tmp_path)


def test_a_missing_wheel_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pyosys is not installed") as raised:
        yosys(["help"], tmp_path)
    assert "pip install pyosys" in raised.value.hint
