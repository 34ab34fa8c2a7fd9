import pytest

from emamba.eda.targets import ECP5, ICE40, XCUP, Resources, target
from emamba.errors import ConfigError, ToolError


@pytest.mark.parametrize(
    ("family", "cell", "expected"),
    [
        (XCUP, "LUT3", Resources(LUT=2)),
        (XCUP, "RAM64M8", Resources(LUTRAM=16)),
        (XCUP, "RAMB18E2", Resources(BRAM=1)),
        (XCUP, "CARRY4", Resources()),
        (ECP5, "LUT4", Resources(LUT=2)),
        (ECP5, "CCU2C", Resources(LUT=4)),
        (ECP5, "TRELLIS_FF", Resources(FF=2)),
        (ECP5, "TRELLIS_DPR16X4", Resources(LUTRAM=12)),
        (ECP5, "MULT18X18D", Resources(DSP=2)),
        (ECP5, "PFUMX", Resources()),
        (ECP5, "$scopeinfo", Resources()),
        (ICE40, "SB_LUT4", Resources(LUT=2)),
        (ICE40, "SB_DFFESR", Resources(FF=2)),
        (ICE40, "SB_MAC16", Resources(DSP=2)),
        (ICE40, "SB_RAM40_4K", Resources(BRAM=2)),
        (ICE40, "SB_CARRY", Resources()),
    ],
)
def test_cells_take_what_their_family_says(family, cell, expected):
    assert family.resources(cell, 2) == expected


@pytest.mark.parametrize(
    ("family", "cell"), [(XCUP, "TRELLIS_FF"), (ECP5, "FDRE"), (XCUP, "URAM288"), (ICE40, "SB_SPRAM256KA")]
)
def test_a_cell_that_is_not_known_is_not_passed_over(family, cell):
    with pytest.raises(ToolError, match=f"2 cells of type {cell}"):
        family.resources(cell, 2)


def test_targets_are_known_by_name():
    assert target("ecp5") is ECP5
    with pytest.raises(ConfigError, match="no target 'max10'") as caught:
        target("max10")
    assert caught.value.hint == "there are: xcup, ecp5, ice40, ulx3s"
