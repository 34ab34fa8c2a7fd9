"""The board's parts of a run folder: what is at the pins, with real test frames, and what becomes the bitstream."""

import importlib.util

import numpy as np
import pytest

from emamba import flow
from emamba.config import load_config
from emamba.eda import nextpnr
from emamba.eda.nextpnr import Routing
from emamba.errors import ArtifactError
from emamba.flow import board
from emamba.flow.design import load_design
from emamba.flow.run import outdated
from emamba.flow.stages import SYNTH
from emamba.flow.vectors import test_frames as frames_of
from emamba.graph import load, predict
from emamba.integration import BIT_CYCLES
from lines import Talk, answers

FOUND = Routing("LFE5U-85F, CABGA381, speed grade 6", 63.5, "streams: adder (8.1 ns)", {"TRELLIS_IO": (4, 365)})


def files(run, design) -> dict[str, str]:
    """The Verilog that becomes the bitstream."""
    parts = [run / "rtl" / f"{top}.v" for top in (design.top, design.stream_top)]
    return {path.name: path.read_text() for path in [*parts, run / board.FOLDER / f"{design.serial_top}.v"]}


def test_test_frames_at_the_pins_have_the_golden_results(toy_run, tmp_path):
    """All that `emit` wrote, at the rate of the board, in the bytes that its host script packs and unpacks."""
    design, graph = load_design(toy_run / "rtl.json"), load(toy_run / "graph.json")
    spec = importlib.util.spec_from_file_location("host", toy_run / board.FOLDER / f"{design.top}.py")
    assert spec
    assert spec.loader
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    frames = frames_of(toy_run, load_config(str(toy_run / "config.toml")), graph, None)[:20]
    data = b"".join(host.INPUT.pack(frame) for frame in frames)
    size = len(frames) * host.OUTPUT.bytes
    talks = [
        Talk(data, size, pause=0),
        Talk(data, size, slow=1.02, gaps=0.2, garbage=data[:77]),
        Talk(data, size, 0.98),
    ]
    for found in answers(files(toy_run, design), design.serial_top, BIT_CYCLES, talks, tmp_path / "host"):
        results = [host.OUTPUT.unpack(found[at : at + host.OUTPUT.bytes]) for at in range(0, size, host.OUTPUT.bytes)]
        assert len(found) == size
        assert np.array_equal(results, predict(graph, frames))


def test_the_bitstream_is_of_all_parts_and_of_the_pins(toy_run, monkeypatch):
    asked = []

    def configure(*arguments):
        asked.append(arguments)
        return FOUND, b"bits"

    monkeypatch.setattr(nextpnr, "configure", configure)
    results = flow.synth(toy_run, "ulx3s")
    design = load_design(toy_run / "rtl.json")
    ((verilog, top, constraints, clock),) = asked
    assert verilog == "".join(files(toy_run, design).values())
    assert (top, clock) == (design.serial_top, 25)
    assert 'LOCATE COMP "rx" SITE "M1"' in constraints
    assert (toy_run / board.FOLDER / f"{design.top}.bit").read_bytes() == b"bits"
    assert results["target"] == "ecp5"
    assert results["routing"]["clock_mhz"] == 63.5
    assert results["routing"]["device"].startswith("ULX3S (LFE5U-85F, ")
    assert "not run on hardware" in results["routing"]["device"]
    flow.synth(toy_run, "ulx3s")
    assert len(asked) == 1, "unchanged"
    pins = toy_run / board.FOLDER / f"{design.top}.lpf"
    assert not outdated(SYNTH, toy_run)
    pins.write_text(pins.read_text() + "# mine\n")
    assert outdated(SYNTH, toy_run), "other pins, another bitstream"


def test_parts_that_are_missing_are_told(toy_run):
    design = load_design(toy_run / "rtl.json")
    (toy_run / board.FOLDER / f"{design.top}.lpf").unlink()
    with pytest.raises(ArtifactError, match="lpf is not there") as raised:
        board.configure(toy_run, design)
    assert "emamba emit" in raised.value.hint
