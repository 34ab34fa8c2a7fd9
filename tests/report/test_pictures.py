import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from emamba.report.curves import curves
from emamba.report.occupancy import frame_work
from emamba.report.pictures import curve_chart, drawn_cycles, history_chart, occupancy_chart, score_chart
from emamba.report.results import Epoch
from emamba.report.scores import MEASURES

ACCURACY, ERROR = MEASURES["classification"], MEASURES["regression"]


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]


def marks(svg: str, colour: str) -> int:
    """Strokes begun by thick lines of `colour`."""
    paths = [
        path for path in ElementTree.fromstring(svg).iter("path") if f"stroke: var(--{colour})" in path.get("style", "")
    ]
    return sum(path.get("d", "").count("M") for path in paths if "stroke-width: 8" in path.get("style", ""))


def losses(*values: float) -> str:
    """The picture of a history with these losses."""
    return history_chart("training", [Epoch(i + 1, value) for i, value in enumerate(values)], ACCURACY)


def test_scores_name_forms_and_values():
    shown = texts(score_chart({"float": 0.975, "integer": 0.96944}, ACCURACY))
    assert [text for text in shown if "." in text and "%" in text] == ["97.50 %", "96.94 %"]
    assert shown.index("float") < shown.index("integers")
    assert "Accuracy on the test split, %" in shown


def test_errors_are_in_centimetres():
    shown = texts(score_chart({"float": 0.0762, "integer": 0.1}, ERROR))
    assert {"7.62 cm", "10.00 cm", "RMSE on the test split, cm"} <= set(shown)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_score_alone(share):
    assert f"{100 * share:.2f} %" in texts(score_chart({"float": share}, ACCURACY))


def test_loss():
    shown = texts(losses(2.0, 1.0, 0.05))
    assert {"epoch", "loss", "0.1", "1"} <= set(shown)
    assert "Accuracy, %" not in shown


def test_loss_over_many_decades_is_labelled_by_decades():
    shown = texts(losses(2.0, 0.0005))
    assert "0.01" in shown
    assert "0.02" not in shown


def test_the_validation_split_is_drawn_underneath_where_it_was_measured():
    history = [Epoch(1, 1.0), Epoch(2, 0.5, 0.09), Epoch(3, 0.25, 0.07)]
    shown = texts(history_chart("training", history, ERROR))
    assert {"loss", "RMSE, cm", "epoch", "7", "9"} <= set(shown)


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 0.0], [1.0, 0.0]])
def test_loss_of_hardly_any_epochs(values):
    assert "epoch" in texts(losses(*values))


def test_one_epoch_is_a_dot_at_1():
    assert "1" in texts(history_chart("tuning", [Epoch(1, 0.3)], ACCURACY))


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


def test_occupancy_joins_what_no_eye_tells_apart(results):
    busy = {"x": tuple((start, start + 9) for start in range(0, 100_000, 10))}
    occupancy = replace(results.verify.occupancy, stages=("x",), busy=busy, cycles=100_000)
    verify = replace(results.verify, occupancy=occupancy, cycles_per_frame=20_000, latency_cycles=40_000)
    assert len(occupancy_chart(verify, {"x": 18_000})) < len(occupancy_chart(results.verify, frame_work(results)))


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
