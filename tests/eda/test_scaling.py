"""From open libraries to 22 nm."""

import math
import os
from pathlib import Path

import pytest

from emamba.eda import pdk
from emamba.eda.scaling import NAND2_UM2, ROADS, Chip, area_22nm, energy_22nm


def test_a_nand_of_every_library_becomes_that_of_22_nm():
    for target, road in ROADS.items():
        low, high = area_22nm(target, road.nand2_um2)
        assert low == pytest.approx(NAND2_UM2 * road.area[0])
        assert high == pytest.approx(NAND2_UM2 * road.area[1])
        assert low <= NAND2_UM2 <= high
    assert pytest.approx(0.2, rel=0.01) == NAND2_UM2


def test_energy_goes_with_length_and_the_square_of_the_voltage():
    low, high = energy_22nm("sky130", 1.6, 100.0)
    assert low == pytest.approx(100 * math.sqrt(NAND2_UM2 / 3.7536) / 4)
    assert high == pytest.approx(low * ROADS["sky130"].energy[1])
    assert energy_22nm("asap7", 0.8, 100.0)[1] == pytest.approx(100 * math.sqrt(NAND2_UM2 / 0.05832))


def test_every_road_gives_the_interval_of_all():
    """mars_fast with 320 and with 6,400 cycles a frame, as measured: docs/silicon.md."""
    fast = {"sky130": (3.269, 1.8, 1659), "sg13g2": (6.308, 1.2, 1068), "asap7": (0.0567, 0.7, 64.8)}
    small = {"sky130": (1.158, 1.8, 6209), "sg13g2": (2.381, 1.2, 4029), "asap7": (0.02016, 0.7, 235.0)}
    for design, area, energy in ((fast, (0.174, 0.194), (75.6, 157)), (small, (0.0616, 0.069), (283, 568))):
        for target, (mm2, voltage, nj) in design.items():
            assert area_22nm(target, mm2) == pytest.approx(area, rel=0.07)
            assert energy_22nm(target, voltage, nj) == pytest.approx(energy, rel=0.06)


def test_the_chip_takes_what_is_derived_of_it():
    assert Chip().energy_nj == pytest.approx(125.2, abs=0.05)


@pytest.mark.parametrize("target", ROADS)
def test_the_smallest_nand_is_that_of_the_liberty_file(target, monkeypatch):
    place = Path(os.environ.get("EMAMBA_PDK") or Path(__file__).parents[3] / "shared" / "pdk")
    if not place.is_dir():
        pytest.skip(f"no PDKs in {place}")
    monkeypatch.setenv("EMAMBA_PDK", str(place))
    nands = [cell.area for name, cell in pdk.library(target).cells.items() if "nand2_" in name or "NAND2x" in name]
    assert min(nands) == pytest.approx(ROADS[target].nand2_um2)
