"""Records of what was measured in standard cells, as they are read from a run folder."""

import json
from dataclasses import asdict

import pytest

from emamba.errors import ArtifactError
from emamba.report import load_results
from emamba.report.cells import Macros, Timing

SLOW = Timing(
    100, 80.0, -2.5, 90.0, "3 fF a sink, assumed", "scan: 3 cells", library="tiny_ss", voltage=0.7, temperature=125.0
)
MACROS = Macros(
    "ram", 256, 64, False, None, 2, 3, 60_000.0, 30_000.0, None, library="ram_tt", voltage=0.75, temperature=25.0
)


def test_corners_are_records_of_the_same_kind(run):
    whole = {**asdict(SLOW), "corners": [asdict(SLOW)]}
    (run / "timing.json").write_text(json.dumps(whole))
    timing = load_results(run).timing
    assert timing
    assert timing.corners == (SLOW,)


def test_a_macro_may_say_nothing_of_energy_and_access(run):
    (run / "macros.json").write_text(json.dumps({**asdict(MACROS), "memories": []}))
    assert load_results(run).macros == MACROS
    (run / "macros.json").write_text(json.dumps({**asdict(MACROS), "macros": 1.5}))
    with pytest.raises(ArtifactError, match=r"macros is 1\.5, not int"):
        load_results(run)
