"""SRAM macros: what is read of one, which memories a design has, and what these would take in macros, by hand."""

import os
from pathlib import Path

import pytest

from emamba.eda.macros import Memory, alternative, macros_of, memories, read_macro
from emamba.errors import ConfigError
from liberties import tiny_liberty, tiny_macro


@pytest.fixture
def path(tmp_path):
    (tmp_path / "sram.lib").write_text(tiny_macro())
    return tmp_path / "sram.lib"


def test_size_ports_and_costs_of_a_macro_are_read(path):
    found = read_macro(path)
    assert (found.macro, found.library, found.voltage, found.temperature) == ("tiny_ram", "tiny_sram", 0.9, 25)
    assert (found.words, found.bits, found.area_um2, found.leakage_nw) == (4, 8, 100, 3000)
    assert (found.read_pj, found.write_pj) == (5.5, 9.5), "not 8.5 of writing alone, nor 77 of the port for tests"
    assert found.access_ns == 2.5
    assert found.masked
    assert not found.at_once


def test_what_the_file_does_not_say_is_not_known(path):
    path.write_text(
        tiny_macro(masked=False, at_once=True, powers=False).replace("cell_rise", "x").replace("cell_fall", "y")
    )
    found = read_macro(path)
    assert (found.read_pj, found.write_pj, found.access_ns) == (None, None, None)
    assert not found.masked
    assert found.at_once, "it reads at another address than it writes to"


def test_without_conditions_for_writing_both_take_the_most(path):
    path.write_text(tiny_macro().replace('when : "EN & WE"; }', "}"))
    found = read_macro(path)
    assert (found.read_pj, found.write_pj) == (77, 77)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (tiny_liberty(), "has 0 SRAM macros among its 9 cells"),
        (tiny_macro().replace("word_width : 8;", ""), "no address_width or no word_width"),
        (tiny_macro()[:-100], "not a whole liberty file"),
    ],
)
def test_what_is_no_macro_says_so(path, content, fact):
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"sram\.lib") as raised:
        read_macro(path)
    assert fact in raised.value.message


def test_the_macro_of_a_real_process():
    place = Path(os.environ.get("EMAMBA_PDK") or Path(__file__).parents[3] / "shared" / "pdk")
    found = next(place.glob("sg13g2/RM_IHPSG13_1P_256x64_c2_bm_bist_typ_1p20V_25C.lib*"), None)
    if found is None:
        pytest.skip(f"no SRAM macro of sg13g2 in {place}: set EMAMBA_PDK to the folder with the PDKs")
    macro = read_macro(found)
    assert (macro.words, macro.bits, macro.masked, macro.at_once) == (256, 64, True, False)
    assert (macro.area_um2, macro.leakage_nw) == (93180.5344, 198.0155)
    assert (macro.read_pj, macro.write_pj, macro.access_ns) == pytest.approx((49.634, 72.5565, 3.2707))


@pytest.mark.parametrize(
    ("words", "bits", "ports", "masked", "count"),
    [
        (4, 8, 1, True, 1),
        (5, 8, 1, True, 2),
        (4, 9, 1, True, 2),
        (8, 4, 1, True, 1),  # two words side by side
        (8, 4, 1, False, 2),
        (9, 4, 2, True, 4),
        (12, 3, 1, True, 2),
        (6, 17, 1, True, 6),
    ],
)
def test_a_memory_is_tiled(path, words, bits, ports, masked, count):
    path.write_text(tiny_macro(masked=masked))
    assert macros_of(Memory("a", "weight", words, bits, ports, True), read_macro(path)) == count


def test_macros_take_what_they_can_serve_where_that_pays(path):
    found = [
        Memory("a", "weight", 8, 8, 1, True),
        Memory("a", "bias", 4, 2, 1, True),
        Memory("b", "state", 4, 8, 1, True),
        Memory("b", "queue", 4, 8, 1, False),
    ]
    areas, reads = {"a": 720.0, "b": 640.0}, {"a": 10, "b": 10}
    weights = [("a", "weight"), ("a", "bias")]
    one = alternative(found, read_macro(path), weights, areas, reads)
    assert [it["chosen"] for it in one["memories"]] == [True, False, False, False]
    assert [it["flip_flops_um2"] for it in one["memories"]] == [640, 80, 320, 320]
    assert [it["served"] for it in one["memories"]] == [True, True, False, False]
    assert (one["chosen"], one["macros"], one["flip_flops_um2"], one["macros_um2"]) == (1, 2, 640, 200)
    path.write_text(tiny_macro(at_once=True))
    both = alternative(found, read_macro(path), weights, areas, reads)
    assert [it["chosen"] for it in both["memories"]] == [True, False, True, False]
    assert [it["served"] for it in both["memories"]] == [True, True, True, False], "a queue is read without a register"
    assert both["reads_nj"] == pytest.approx(20 * 5.5e-3)


VERILOG = """
module top(clk, a, d, en, q); input clk, en; input [2:0] a; input [4:0] d; output [4:0] q; wire [4:0] x;
  \\top.scan  scan (.clk(clk), .a(a), .d(d), .en(en), .q(x));
  \\top.link_scan_to_x  link (.clk(clk), .a(a), .d(x), .en(en), .q(q));
endmodule
module \\top.scan (clk, a, d, en, q); input clk, en; input [2:0] a; input [4:0] d; output reg [4:0] q;
  reg [4:0] state [5:0]; reg [4:0] table_ [7:0];
  initial begin table_[0] = 1; table_[1] = 5; table_[2] = 7; table_[3] = 2; table_[4] = 9; table_[5] = 11;
    table_[6] = 3; table_[7] = 8; end
  always @(posedge clk) begin if (en) state[a] <= d; if (en) q <= state[a] ^ table_[a]; end
endmodule
module \\top.link_scan_to_x (clk, a, d, en, q); input clk, en; input [2:0] a; input [4:0] d; output [4:0] q;
  \\top.link_scan_to_x.fifo fifo (.clk(clk), .a(a), .d(d), .en(en), .q(q));
endmodule
module \\top.link_scan_to_x.fifo (clk, a, d, en, q); input clk, en; input [2:0] a; input [4:0] d; output reg [4:0] q;
  reg [4:0] storage [4:0];
  always @(posedge clk) begin if (en) storage[a] <= d; if (en) q <= storage[a]; end
endmodule
"""


def test_memories_that_are_written_are_found_with_their_components():
    found = {it.name: it for it in memories(VERILOG, "top")}
    assert set(found) == {"state", "storage"}, "not the table, which is constant"
    assert found["state"] == Memory("scan", "state", 6, 5, 1, False), "logic lies before its register"
    assert found["storage"] == Memory("links", "storage", 5, 5, 1, True)
