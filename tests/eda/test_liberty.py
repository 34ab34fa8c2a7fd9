"""What is read of a liberty file, and what is said of one that is none."""

import gzip

import pytest

from emamba.eda.liberty import corner, read, unpacked
from emamba.errors import ConfigError
from liberties import slower, tiny_liberty


@pytest.fixture
def path(tmp_path):
    (tmp_path / "tiny.lib").write_text(tiny_liberty())
    return tmp_path / "tiny.lib"


def test_corner_units_and_cells_are_read(path):
    found = read([path])
    assert (found.name, found.voltage, found.temperature, found.time_ns, found.load_ff) == ("tiny", 1, 25, 1, 1000)
    assert found.cells["tiny_dff"].next_state == "D"
    assert found.cells["tiny_nor2"].area == 2
    assert found.cells["tiny_nor2"].capacitance == 2, "of a pin, not of its edges, in fF"
    assert found.cells["tiny_gate"].gate == {"clock": "CK", "enable": "EN", "out": "GCK"}
    assert not found.cells["tiny_nor2"].gate
    assert found.nand2.name == "tiny_nand2", "not that with an inverter, though it is smaller"
    assert found.buffer == found.cells["tiny_buf"]
    assert found.inverter == found.cells["tiny_inv"]


def test_cells_with_an_enable_inside_or_of_a_pattern_are_left_alone(path):
    found = read([path], ["*nor2"])
    assert {name for name, cell in found.cells.items() if found.left_alone(cell)} == {"tiny_dffe", "tiny_nor2"}
    path.write_text(tiny_liberty().replace("area : 1.5;", "area : 1.5; dont_use : true;"))
    assert read([path]).left_alone(read([path]).cells["tiny_buf"])


def test_packed_files_are_unpacked(path, tmp_path):
    packed = tmp_path / "packed.lib.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    library = read([packed])
    assert library.cells == read([path]).cells
    (plain,) = unpacked(library, tmp_path / "plain").paths
    assert plain.name == "packed.lib"
    assert read([plain]).cells == library.cells


def test_units_are_taken_as_they_are(path):
    path.write_text(tiny_liberty(load="ff").replace('time_unit : "1ns"', 'time_unit : "10ps"'))
    found = read([path])
    assert (found.time_ns, found.load_ff, found.nand2.capacitance) == (0.01, 1, 0.002)
    path.write_text(tiny_liberty().replace('time_unit : "1ns"', 'time_unit : "1fortnight"'))
    with pytest.raises(ConfigError, match=r"unit or number.*fortnight"):
        read([path])


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("module x; endmodule", "is not a liberty file: it begins with 'module x; endmodule'"),
        ("", "is not a liberty file"),
        (tiny_liberty()[:-200], "not a whole liberty file: it ends within a group"),
        ("library (x) { }", "not a whole liberty file: it has no cells"),
        (tiny_liberty(flip_flops=False), "has 7 cells, but no flip-flop"),
        (tiny_liberty().replace("nom_voltage : 1.0;", ""), "nom_voltage"),
    ],
)
def test_what_is_no_library_of_standard_cells_says_so(path, content, fact):
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"tiny\.lib") as raised:
        read([path])
    assert fact in raised.value.message
    assert "emamba pdk list" in raised.value.hint


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no liberty file .*nowhere\.lib"):
        read([tmp_path / "nowhere.lib"])
    (tmp_path / "x.lib.gz").write_bytes(b"not packed")
    with pytest.raises(ConfigError, match=r"x\.lib\.gz cannot be read"):
        read([tmp_path / "x.lib.gz"])


def test_files_of_two_corners_do_not_mix(path, tmp_path):
    other = tmp_path / "other.lib"
    other.write_text(tiny_liberty(voltage=0.9))
    with pytest.raises(ConfigError, match=r"other\.lib has voltage 0\.9, tiny\.lib has 1"):
        read([path, other])
    other.write_text(tiny_liberty().replace("tiny_", "other_"))
    both = read([path, other])
    assert {"tiny_inv", "other_inv"} <= set(both.cells)
    assert both.paths == (path, other)


def test_a_corner_has_the_cells_of_the_library_and_leaves_the_same_alone(path, tmp_path):
    other = tmp_path / "slow.lib"
    other.write_text(slower(tiny_liberty(), 1.5, 0.9))
    library = read([path], ["*nor2"])
    found = corner(library, read([other]), {"tiny_inv", "tiny_dff"})
    assert (found.voltage, found.temperature, found.paths) == (0.9, 125, (other,))
    assert found.unused == library.unused


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("tiny_nand2", "other_nand2", "it lacks 1 cells of the netlist: tiny_nand2"),
        ("!(A & B)", "!(A & C)", "it has other pins in 1 cells of the netlist: tiny_nand2"),
        ("tiny_", "other_", "it lacks 2 cells of the netlist: tiny_inv, tiny_nand2"),
    ],
)
def test_other_cells_are_no_corner(path, tmp_path, old, new, fact):
    other = tmp_path / "slow.lib"
    other.write_text(tiny_liberty().replace(old, new))
    with pytest.raises(ConfigError) as raised:
        corner(read([path]), read([other]), {"tiny_inv", "tiny_nand2"})
    assert raised.value.message == f"slow.lib is no other corner of tiny: {fact}"
    assert "another voltage" in raised.value.hint
