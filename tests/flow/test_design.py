"""rtl.json: a design comes back from it, without the text of its circuit."""

import json
from dataclasses import replace

import pytest

from emamba.errors import ArtifactError
from emamba.fixed import Integer
from emamba.flow.design import described, load_design
from emamba.flow.run import write_json
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.weights import Region

INPUT = Port("input", 4, 2, Integer(8), 16)
OUTPUT = Port("pool", 4, 1, Integer(8, signed=False), 1)
STAGES = (Stage("input", "Input", 2, 0, 2, ()), Stage("pool", "Pool", 1, 0, 4, ("input",)))
DESIGN = Design("toy", "emamba_toy", "module", 40, INPUT, OUTPUT, STAGES, (INPUT, OUTPUT), "5eed" * 16)


@pytest.fixture
def stored(tmp_path):
    return write_json(tmp_path / "rtl.json", described(DESIGN, 125.0))


def test_a_design_comes_back_without_its_circuit(stored):
    assert load_design(stored) == replace(DESIGN, rtlil="")


def test_regions_come_back_too(tmp_path):
    regions = (Region("head", "weight", (3, 4, 1, 2), (2, 0, 1, 3), 8, Integer(7), 64),)
    stored = write_json(tmp_path / "rtl.json", described(replace(DESIGN, regions=regions), 125.0))
    assert load_design(stored).regions == regions


def test_the_file_says_what_the_report_reads(stored):
    document = json.loads(stored.read_text())
    assert (document["top"], document["interval_cycles"], document["clock_mhz"]) == ("emamba_toy", 40, 125.0)
    stage = {"name": "pool", "kind": "Pool", "lanes": 1, "multipliers": 0, "cycles": 4, "sources": ["input"]}
    assert document["stages"][1] == stage
    assert "rtlil" not in document


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("top"),
        lambda d: d.update(stages=3),
        lambda d: d["stages"][0].update(more=1),
        lambda d: d["input"].pop("lanes"),
        lambda d: d["input"].update(dtype=8),
        lambda d: d.update(taps=[3]),
        lambda d: d["input"]["dtype"].update(bits="9"),
        lambda d: d.update(top="../x"),
        lambda d: d.pop("hash"),
    ],
)
def test_a_damaged_file_is_said(stored, change):
    document = json.loads(stored.read_text())
    change(document)
    write_json(stored, document)
    with pytest.raises(ArtifactError, match=r"rtl\.json was altered"):
        load_design(stored)
