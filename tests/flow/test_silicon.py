"""The accelerator in the cells of a made-up library, as stages of a run."""

import json

import pytest

from cases import scan_case
from emamba import files, flow
from emamba.config import parse_config
from emamba.eda.verilog import verilog
from emamba.errors import ConfigError
from emamba.flow.design import described
from emamba.flow.run import Listener, write_json
from emamba.graph import save
from emamba.report import load_results
from emamba.rtl import build
from liberties import tiny_liberty

CASE = scan_case("small", 1, 2, 2)


@pytest.fixture
def small_run(tmp_path):
    """The run folder of a scan, up to its Verilog."""
    run, design = flow.start(tmp_path / "run", parse_config('name = "small"')), build(CASE.graph, 8)
    save(CASE.graph, run / "graph.json")
    files.write(run / "rtl" / f"{design.top}.v", verilog(design.rtlil, design.top))
    write_json(run / "rtl.json", described(design, 100.0))
    return run


@pytest.fixture
def liberty(tmp_path):
    (tmp_path / "tiny.lib").write_text(tiny_liberty())
    return str(tmp_path / "tiny.lib")


def test_a_run_is_mapped_to_any_liberty_file_and_only_when_something_changed(small_run, liberty):
    said = []
    found = flow.synth(small_run, liberty, listener=Listener(say=said.append))
    assert found == json.loads((small_run / "silicon.json").read_text())
    assert (found["target"], found["library"], found["voltage"], found["clock_mhz"]) == ("tiny.lib", "tiny", 1, 100)
    assert found["area_um2"] == pytest.approx(sum(found["areas_um2"].values()))
    assert "tiny_dff" in (small_run / "silicon" / "netlist.v").read_text()
    assert not (small_run / "synth.json").exists()
    results = load_results(small_run)
    assert results.silicon
    assert results.silicon.area_um2 == found["area_um2"]
    flow.synth(small_run, liberty, listener=Listener(say=said.append))
    assert [line.split(",")[0] for line in said] == ["silicon: new", "silicon: unchanged"]


def test_what_cannot_be_mapped_to_is_an_error_before_anything_runs(small_run, tmp_path):
    (tmp_path / "empty.lib").write_text("")
    for target in ("nowhere.lib", str(tmp_path / "empty.lib"), "gf22"):
        with pytest.raises(ConfigError):
            flow.synth(small_run, target)
    assert not (small_run / "silicon.json").exists()
    with pytest.raises(ConfigError, match="cannot be placed and routed"):
        flow.synth(small_run, "sky130", route=True)
