"""The timing of small netlists, by hand where numbers are made up; and what is said without OpenSTA."""

import re
import shutil

import pytest

from emamba.eda import opensta
from emamba.eda.cells import measured
from emamba.eda.liberty import read
from emamba.eda.opensta import analyse, clocked
from emamba.errors import ToolError
from liberties import slower, tiny_liberty

needs_opensta = pytest.mark.skipif(shutil.which("sta") is None, reason="needs `apt install opensta`")

NETLIST = """module top(clk, d, q);
  input clk; wire clk;
  input d; wire d;
  output q; wire q;
  wire x;
  \\top.first  first (
    .clk(clk), .d(d), .x(x)
  );
  \\top.block_1_scan  block_1_scan (
    .clk(clk), .x(x), .q(q)
  );
endmodule
module \\top.first (clk, d, x);
  input clk; wire clk;
  input d; wire d;
  output x; wire x;
  tiny_dff _0_ (
    .C(clk), .D(d), .Q(x)
  );
endmodule
module \\top.block_1_scan (clk, x, q);
  input clk; wire clk;
  input x; wire x;
  output q; wire q;
  wire y, z;
  tiny_inv _1_ (
    .A(x), .Y(y)
  );
  tiny_inv _2_ (
    .A(y), .Y(z)
  );
  tiny_dff _3_ (
    .C(clk), .D(z), .Q(q)
  );
endmodule
"""


@pytest.fixture
def library(tmp_path):
    (tmp_path / "tiny.lib").write_text(tiny_liberty())
    return read([tmp_path / "tiny.lib"])


@needs_opensta
def test_the_slowest_path_in_words_and_the_clock_that_follows(library):
    found = analyse(measured(NETLIST, "top", library), library, 1000)
    # Three cells of about 0.1 ns, each with a load of 2 fF and as many ps, and 0.05 ns of setup.
    assert 1e3 / found.clock_without_wires_mhz == pytest.approx(0.4, abs=0.12)
    wires = 3 * opensta.wire_ff(library) * 1e-3
    assert 1e3 / found.clock_mhz - 1e3 / found.clock_without_wires_mhz == pytest.approx(wires, rel=0.5)
    assert found.slack_ns == pytest.approx(1 - 1e3 / found.clock_mhz, abs=1e-3)
    assert found.wires == "2.3 fF a sink, assumed"
    first, second = found.critical_path.split("; ")
    assert first.startswith("first: flip-flop (0.1")
    assert second.startswith("block_1_scan: flip-flop, 2 cells (0.2")
    assert found.to_json()["wished_mhz"] == 1000


@needs_opensta
def test_a_clock_gate_with_several_delays_makes_no_cycle_longer(tmp_path):
    """The clock is ideal: OpenSTA must not give back as pessimism what it never took, as it did with real cells."""
    text = tiny_liberty()
    arc = re.search(r'timing \(\) \{ related_pin : "CK"; timing_sense[^"]*("[^"]*"[^"]*)*?\} \}', text)
    assert arc
    fast, slow = (arc[0].replace("positive_unate;", f'positive_unate; when : "{it}";') for it in ("EN", "!EN"))
    (tmp_path / "tiny.lib").write_text(text.replace(arc[0], fast + slow.replace("0.1,", "0.4,")))
    library = read([tmp_path / "tiny.lib"])
    gate = "  wire x, awake;\n  tiny_gate sleep (\n    .CK(clk),\n    .EN(d),\n    .GCK(awake)\n  );\n"
    gated = NETLIST.replace("  wire x;\n", gate, 1).replace("    .clk(clk),", "    .clk(awake),\n   ")
    plain, behind = (analyse(measured(it, "top", library), library, 100) for it in (NETLIST, gated))
    assert behind.clock_mhz == pytest.approx(plain.clock_mhz)


@needs_opensta
def test_units_of_the_library_do_not_matter(library, tmp_path):
    other = tmp_path / "other.lib"
    other.write_text(tiny_liberty().replace('time_unit : "1ns"', 'time_unit : "100ps"'))
    fast, slow = (analyse(measured(NETLIST, "top", it), it, 100) for it in (read([other]), library))
    assert fast.clock_without_wires_mhz == pytest.approx(10 * slow.clock_without_wires_mhz, rel=0.02)


@needs_opensta
def test_a_slower_corner_has_a_slower_clock(library, tmp_path):
    """Slews are longer too, but no table of made-up cells looks far along that axis."""
    other = tmp_path / "slow.lib"
    other.write_text(slower(tiny_liberty(), 1.5, 0.9))
    typical, slow = (analyse(measured(NETLIST, "top", it), it, 100) for it in (library, read([other])))
    assert typical.clock_without_wires_mhz / slow.clock_without_wires_mhz == pytest.approx(1.5, rel=0.05)
    assert typical.clock_mhz / slow.clock_mhz == pytest.approx(1.5, rel=0.05)


@needs_opensta
def test_a_netlist_without_paths_or_with_errors_is_a_tool_error(library):
    alone = "module top(clk);\n  input clk; wire clk;\nendmodule\n"
    with pytest.raises(ToolError, match="no path between flip-flops"):
        analyse(measured(alone, "top", library), library, 100)
    with pytest.raises(ToolError, match="OpenSTA says: Error:"):
        analyse(measured(alone.replace("wire clk", "wire ("), "top", library), library, 100)


def test_without_opensta_it_is_said_how_to_get_it(library, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="sta is not installed") as raised:
        analyse(measured(NETLIST, "top", library), library, 100)
    assert "apt install opensta" in raised.value.hint


GATED = """module top(clk, rst, d, q);
  input clk, rst, d; output q; wire awake, x;
  tiny_gate sleep (
    .CK(clk),
    .EN(rst),
    .GCK(awake)
  );
  \\top.one  one (
    .clk(awake),
    .d(d),
    .q(q)
  );
endmodule
module \\top.one (clk, d, q);
  input clk, d; output q; wire inner, x, y;
  tiny_gate _1_ (
    .CK(clk),
    .EN(d),
    .GCK(inner)
  );
  tiny_dff _2_ (
    .C(inner),
    .D(d),
    .Q(x)
  );
  tiny_inv _3_ (
    .A(x),
    .Y(y)
  );
  tiny_dff _4_ (
    .C(inner),
    .D(y),
    .Q(q)
  );
endmodule
"""


def test_all_flip_flops_behind_clock_gates_have_the_same_clock(library):
    text = clocked(measured(GATED, "top", library), library)
    assert [line.strip() for line in text.splitlines() if "clk)" in line or "GCK" in line] == [
        ".CK(clk),",
        ".GCK(awake)",
        ".clk(clk),",
        ".CK(clk),",
        ".GCK(inner)",
        ".C(clk),",
        ".C(clk),",
    ]


@needs_opensta
def test_a_path_behind_two_clock_gates_is_found(library):
    found = analyse(measured(GATED, "top", library), library, 100)
    assert found.critical_path.startswith("one: flip-flop, 1 cell")
