"""The whole road on a toy, from images to a report: about 30 s on two idle cores."""

import json
import os
import re

import pytest

from emamba import cli, flow
from emamba.config import parse_config
from toy import TOY

pytestmark = pytest.mark.xdist_group("tiny")  # one worker makes the run that all of them look at
CONFIG = parse_config("training.epochs = 1\n" + TOY)
STAGES = ["train", "quantize", "emit", "verify", "synth", "report"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished run, what its report says, what was told on the way, and the seconds of processor time."""
    run = tmp_path_factory.mktemp("tiny") / "run"
    said, before = [], sum(os.times()[:4])
    results = flow.flow(CONFIG, run, listener=flow.Listener(say=said.append))
    return run, results, said, sum(os.times()[:4]) - before


def test_every_stage_runs_once_in_order(tiny):
    _, _, said, _ = tiny
    turns = [line for line in said if not line.startswith("Verilator: 360 frames in ")]
    assert len(turns) == len(said) - 1, "and how fast the simulation was"
    assert [line.split(":")[0] for line in turns] == STAGES
    assert all(": new, done in " in line for line in turns)


def test_no_other_worker_makes_it_again(tiny, tmp_path_factory):
    """With pytest 9.2, groups were ignored without a word, and every worker made what one should."""
    made = list(tmp_path_factory.getbasetemp().parent.glob("popen-*/tiny[0-9]"))
    assert len(made) <= 1, "run with --dist loadgroup, as make test does"


def test_it_is_quick(tiny):
    assert tiny[3] < 75, "seconds of two processors"


def test_golden_c_and_rtl_agree_on_every_test_image(tiny):
    verified = tiny[1]["verify"]
    assert verified["mismatches"] == 0
    assert verified["frames"] == verified["compared"]["c"] == verified["compared"]["rtl"] == 360
    assert verified["compared"]["tensors"] == 18


def test_the_asked_interval_is_met(tiny):
    assert tiny[1]["verify"]["cycles_per_frame"] <= 4 * CONFIG.hardware.interval_cycles


def test_resources_are_counted(tiny):
    totals = tiny[1]["synth"]["totals"]
    assert totals["LUT"] > 100
    assert totals["FF"] > 100
    assert totals["DSP"] > 0


def test_the_folder_holds_one_artifact_a_stage(tiny):
    found = {path.relative_to(tiny[0]).as_posix() for path in tiny[0].rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("build/")} == {
        "config.toml",
        "stages.json",
        "model.safetensors",
        "training.json",
        "graph.json",
        "graph.npz",
        "quantization.json",
        "firmware/emamba_toy.c",
        "firmware/emamba_toy.h",
        "firmware.json",
        "rtl/emamba_toy.v",
        "rtl/axis_emamba_toy.v",
        "rtl/axi_emamba_toy.v",
        "rtl/emamba_toy.core",
        "integration/vivado/package_ip.tcl",
        "integration/vivado/synthesize.tcl",
        "integration/vivado/block_design.tcl",
        "integration/vivado/clock.xdc",
        "integration/pynq/emamba_toy.py",
        "integration/ulx3s/emamba_toy.lpf",
        "integration/ulx3s/emamba_toy.py",
        "integration/ulx3s/uart_emamba_toy.v",
        "integration/cocotb/bus.py",
        "integration/cocotb/run.py",
        "integration/cocotb/test_emamba_toy.py",
        "integration/cocotb/vectors.json",
        "rtl.json",
        "verify.json",
        "synth.json",
        "report.html",
        "report.json",
    }


def test_running_it_again_skips_everything(tiny):
    said = []
    assert flow.flow(CONFIG, tiny[0], listener=flow.Listener(say=said.append)) == tiny[1]
    assert said == [f"{stage}: unchanged, skipped" for stage in STAGES]


def test_the_command_line_ends_with_the_table(tiny, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["flow", str(tiny[0])])
    out = capsys.readouterr().out
    labels = ["Accuracy, float", "Accuracy, approximated", "Accuracy, integers", "Parameters", "Cycles a frame",
              "Latency, cycles", "Frames a second", "LUT", "FF", "DSP", "BRAM", "Mismatches"]  # fmt: skip
    for label in labels:
        assert re.search(rf"^{label} +[\d,.]+", out, re.MULTILINE), label
    assert out.splitlines()[-1] == f"report: {tiny[0]}/report.html"


def test_random_stalls_change_nothing(tiny):
    verified = flow.verify(tiny[0], frames=12, stalls=True, seed=5)
    assert (verified["mismatches"], verified["frames"], verified["stalled"]) == (0, 12, True)


def test_a_changed_weight_in_the_c_is_a_mismatch_and_removes_the_proof(tiny, capsys):
    run, _, _, _ = tiny
    source = run / "firmware" / "emamba_toy.c"
    before = source.read_text()
    found = re.search(r"b0_z__weight\[[^\]]*\] = \{\s*(-?\d+)", before)
    assert found
    source.write_text(before[: found.start(1)] + str(int(found[1]) ^ 64) + before[found.end(1) :])
    with pytest.raises(SystemExit, match="6"):
        cli.main(["verify", str(run)])
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert re.search(r"C differs from golden first in tensor b0_z, frame \d+, token \d+, element 0: expected", error)
    assert hint.startswith("hint: ")
    assert not (run / "verify.json").exists()
    assert "verify" not in json.loads((run / "stages.json").read_text())
    flow.flow(CONFIG, run)
    assert source.read_text() == before
    assert json.loads((run / "verify.json").read_text())["mismatches"] == 0
