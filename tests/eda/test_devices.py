import pytest

from emamba.eda.devices import PARTS, parts
from emamba.eda.targets import FPGAS


def test_every_family_has_devices_and_every_device_a_family():
    assert {part.target for part in PARTS} == {it.name for it in FPGAS.values()}


@pytest.mark.parametrize("target", sorted({it.name for it in FPGAS.values()}))
def test_small_ones_come_first(target):
    sizes = [part.has.LUT for part in parts(target)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_memory_in_luts_takes_luts():
    part = next(part for part in PARTS if part.name == "LFE5U-25F")
    shares = part.fills({"LUT": 12_000, "LUTRAM": 144, "FF": 24_288, "DSP": 56, "BRAM": 0})
    assert shares == pytest.approx({"LUT": 0.5, "FF": 1, "DSP": 2, "BRAM": 0})
