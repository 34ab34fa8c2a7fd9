import pytest

from emamba.eda.targets import ECP5, XCUP, Resources, target
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
    ],
)
def test_cells_take_what_their_family_says(family, cell, expected):
    assert family.resources(cell, 2) == expected


@pytest.mark.parametrize(("family", "cell"), [(XCUP, "TRELLIS_FF"), (ECP5, "FDRE"), (XCUP, "URAM288")])
def test_a_cell_that_is_not_known_is_not_passed_over(family, cell):
    with pytest.raises(ToolError, match=f"2 cells of type {cell}"):
        family.resources(cell, 2)


def test_targets_are_known_by_name():
    assert target("ecp5") is ECP5
    with pytest.raises(ConfigError, match="no target 'ice40'") as caught:
        target("ice40")
    assert caught.value.hint == "there are: xcup, ecp5"
