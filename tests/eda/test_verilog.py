"""Verilog that is the same everywhere and that a linter has nothing to say about."""

import pytest

from cases import Case, operation_cases
from emamba.eda.verilog import lint, verilog
from emamba.errors import ToolError
from emamba.rtl import build
from networks import random_network

LATCH = "  reg q;\n  always @* if (a) q = b;\n  assign y = q;\n"
TWO_DRIVERS = "  assign y = a;\n  assign y = b;\n"
NARROW = "  wire [3:0] sum = a + b;\n  assign y = sum[3];\n"


def module(body: str) -> str:
    return f"module m(input a, input b, output y);\n{body}endmodule\n"


@pytest.fixture(scope="module")
def design():
    return build(random_network(1).graph, 60)


@pytest.fixture(scope="module")
def text(design):
    return verilog(design.rtlil, design.top)


def test_the_text_begins_with_the_name_and_is_the_same_again(design, text):
    assert text.startswith("// emamba_network1\n\nmodule emamba_network1(")
    assert verilog(design.rtlil, design.top) == text


def test_the_text_tells_nothing_of_the_machine(text):
    assert not any(word in text for word in ("Yosys", "/tmp", "/root", "/home", ".py"))


def test_what_is_observed_is_still_there(design, text):
    for tap in design.taps:
        assert f"  wire busy_{tap.name};\n" in text
        for wire in ("payload", "valid", "ready"):
            assert f" tap_{tap.name}_{wire};\n" in text


def test_the_linter_has_nothing_to_say_about_a_network(design, text):
    lint(text, design.top)


def test_rtlil_that_is_none_is_a_tool_error():
    with pytest.raises(ToolError, match="ERROR"):
        verilog("module \\broken\n", "broken")


@pytest.mark.parametrize("interval_cycles", [4, 1000])
@pytest.mark.parametrize("case", operation_cases(), ids=str)
def test_the_linter_has_nothing_to_say_about_an_operation(case: Case, interval_cycles: int):
    design = build(case.graph, interval_cycles)
    lint(verilog(design.rtlil, design.top), design.top)


@pytest.mark.parametrize(
    ("body", "message"),
    [(LATCH, "LATCH"), (TWO_DRIVERS, "MULTIDRIVEN|ASSIGN"), ("  assign y = c;\n", "'c'"), ("", "UNDRIVEN")],
)
def test_the_linter_sees_faults(body, message):
    with pytest.raises(ToolError, match=message):
        lint(module(body), "m")


def test_width_warnings_are_off():
    lint(module(NARROW), "m")
