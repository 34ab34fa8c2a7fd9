import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from emamba.report.curves import curves
from emamba.report.occupancy import frame_work
from emamba.report.pictures import accuracy_chart, curve_chart, drawn_cycles, loss_chart, occupancy_chart


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]


def marks(svg: str, colour: str) -> int:
    """Strokes begun by thick lines of `colour`."""
    paths = [
        path for path in ElementTree.fromstring(svg).iter("path") if f"stroke: var(--{colour})" in path.get("style", "")
    ]
    return sum(path.get("d", "").count("M") for path in paths if "stroke-width: 8" in path.get("style", ""))


def test_accuracy_names_stages_and_values():
    shown = texts(accuracy_chart({"float": 0.975, "integer": 0.96944}))
    assert [text for text in shown if "." in text and "%" in text] == ["97.50 %", "96.94 %"]
    assert shown.index("float") < shown.index("integers")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_score_alone(share):
    assert f"{100 * share:.2f} %" in texts(accuracy_chart({"float": share}))


def test_loss():
    assert {"epoch", "loss, nats", "0.1", "1"} <= set(texts(loss_chart([2.0, 1.0, 0.05])))


def test_loss_over_many_decades_is_labelled_by_decades():
    shown = texts(loss_chart([2.0, 0.0005]))
    assert "0.01" in shown
    assert "0.02" not in shown


def test_fine_tuning_goes_on_where_training_ended():
    assert "14" not in texts(loss_chart([1.0] * 10))
    assert "14" in texts(loss_chart([1.0] * 10, [1.0] * 5))


@pytest.mark.parametrize("losses", [[], [0.5], [0.0, 0.0], [1.0, 0.0]])
def test_loss_of_hardly_any_epochs(losses):
    assert "epoch" in texts(loss_chart(losses))


def test_curve(results):
    for curve in curves(results):
        assert {"value", "error", "x"} <= set(texts(curve_chart("c", curve)))


def test_occupancy_shows_each_stage_with_its_share_and_each_frame(results):
    shown = texts(occupancy_chart(results.verify, frame_work(results)))
    assert set(results.verify.occupancy.stages) <= set(shown)
    assert shown.count("100 %") == 1
    assert [text for text in shown if text.startswith("frame")] == ["frame 0", "frame 1", "frame 2", "frame 3"]


def test_occupancy_marks_every_interval_in_alternating_shades(results):
    occupancy = replace(results.verify.occupancy, stages=("x",))
    svg = occupancy_chart(replace(results.verify, occupancy=occupancy), frame_work(results))
    assert marks(svg, "accent") == marks(svg, "accent-soft") == 2 * 9


def test_occupancy_stops_after_a_few_frames(results):
    verify = results.verify
    assert drawn_cycles(verify) == verify.latency_cycles + 3 * verify.cycles_per_frame
    short = replace(verify, occupancy=replace(verify.occupancy, cycles=100))
    assert drawn_cycles(short) == 100
    assert "100" in texts(occupancy_chart(short, {}))


def test_occupancy_of_an_idle_design(results):
    idle = replace(results.verify, occupancy=replace(results.verify.occupancy, busy={}))
    assert texts(occupancy_chart(idle, frame_work(results))).count("0 %") == len(idle.occupancy.stages)


def test_matplotlib_waits_for_the_first_picture():
    code = "import sys, emamba.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
