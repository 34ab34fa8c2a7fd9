import re
from dataclasses import replace

import pytest

from emamba.config import CurveConfig, LstmConfig
from emamba.report import Results
from emamba.report.results import Routing
from emamba.report.summary import (
    Row,
    clock_mhz,
    counted,
    curve_form,
    frames_per_second,
    groups,
    not_run,
    number,
    percent,
    summary,
)

LABELS = [
    "Accuracy, float", "Accuracy, approximated", "Accuracy, post-training integers", "Accuracy, integers",
    "Parameters", "Cycles a frame", "Latency, cycles", "Frames a second", "Multipliers busy", "Multipliers",
    "LUT", "FF", "DSP", "BRAM", "Smallest device", "Code, bytes", "Constants, bytes", "RAM, bytes", "Mismatches",
]  # fmt: skip


def rows(results) -> dict[str, Row]:
    return {row.label: row for row in summary(results)}


def test_rows_are_the_same_whatever_has_run(results, empty):
    assert [row.label for row in summary(results)] == [row.label for row in summary(empty)] == LABELS


def test_values(results):
    values = {label: row.value for label, row in rows(results).items()}
    assert values["Accuracy, integers"] == "96.94 %"
    assert values["Cycles a frame"] == "360"
    assert values["Latency, cycles"] == "409"
    assert values["Frames a second"] == f"{100e6 / 360:,.0f}"
    assert re.fullmatch(r"\d+ %", values["Multipliers busy"])
    assert values["Multipliers"] == "6"
    assert values["BRAM"] == "1.5"
    assert values["Constants, bytes"] == "12,345"
    assert values["Mismatches"] == "0"


def test_notes_say_how_it_was_measured(results):
    notes = {label: row.note for label, row in rows(results).items()}
    assert "\N{MINUS SIGN}0.56 points to float" in notes["Accuracy, integers"]
    assert "17 segments, optimal knots" in notes["Accuracy, approximated"]
    assert "100 MHz" in notes["Frames a second"]
    assert "target xcup" in notes["LUT"]
    assert "12 frames" in notes["Mismatches"]
    assert "11 of 12" in notes["Mismatches"]
    assert "no stalls" in notes["Mismatches"]


def test_an_error_is_told_in_centimetres(radar):
    found = rows(radar)
    assert [(label, row.value) for label, row in found.items() if label.startswith("RMSE")] == [
        ("RMSE, float", "7.62 cm"),
        ("RMSE, approximated", "7.63 cm"),
        ("RMSE, post-training integers", "7.70 cm"),
        ("RMSE, integers", "7.65 cm"),
        ("RMSE, subject 1", "9.12 cm"),
        ("RMSE, subject 2", "7.00 cm"),
    ]
    assert not [label for label in found if label.startswith("Accuracy")]
    assert found["RMSE, integers"].note.endswith("; test split; +0.03 cm to float; validation 8.15 cm")
    assert found["RMSE, float"].note.endswith("; test split; validation 8.11 cm")
    assert found["RMSE, subject 1"].note.endswith("no labels of this subject in training")
    assert found["RMSE, subject 2"].note == "integers; test split"


def test_a_baseline_has_one_accuracy_and_its_parameters(results):
    config = results.config.model_copy(update={"model": LstmConfig(kind="lstm")})
    training = replace(results.training, scores={"float": 0.9})
    found = summary(Results(config, training=training))
    assert [(row.label, row.value) for row in found] == [
        ("Accuracy, float", "90.00 %"),
        ("Parameters", f"{training.parameters:,}"),
    ]
    assert found[0].note == "float32; test split"


def test_stalls_are_told(results):
    stalled = replace(results, verify=replace(results.verify, stalled=True))
    assert "random stalls" in rows(stalled)["Mismatches"].note


SPEED = ["Cycles a frame", "Latency, cycles", "Frames a second", "Multipliers busy"]


@pytest.mark.parametrize(
    ("stage", "verb", "labels"),
    [
        ("training", "train", ["Parameters"]),
        ("quantization", "quantize", ["Accuracy, post-training integers", "Accuracy, integers"]),
        ("firmware", "emit", ["Code, bytes", "Constants, bytes", "RAM, bytes"]),
        ("rtl", "emit", ["Multipliers busy", "Multipliers"]),
        ("verify", "verify", [*SPEED, "Mismatches"]),
        ("synth", "synth", ["LUT", "FF", "DSP", "BRAM", "Smallest device"]),
    ],
)
def test_what_has_not_run_names_its_command(results, stage, verb, labels):
    found = summary(replace(results, **{stage: None}))
    assert [row.label for row in found if row.value == "\N{EN DASH}"] == labels
    assert [row.label for row in found if row.note == not_run(verb)] == labels


def test_the_clock_is_the_emitted_one(results):
    assert clock_mhz(replace(results, rtl=replace(results.rtl, clock_mhz=250.0))) == 250.0
    assert clock_mhz(replace(results, rtl=None)) == results.config.hardware.clock_mhz


@pytest.mark.parametrize(("clock", "word"), [(120.0, "meets"), (90.0, "does not meet")])
def test_a_routed_clock_is_told_apart_from_what_was_mapped(results, clock, word):
    assert "Clock, MHz" not in rows(results)
    routing = Routing("LFE5U-85F", clock, "b0_scan: register, adder (8.3 ns)", {"MULT18X18D": (40, 156)})
    found = rows(replace(results, synth=replace(results.synth, routing=routing)))
    assert found["Clock, MHz"].value == f"{clock}"
    assert "placed and routed: 40 of 156 MULT18X18D; slowest path: b0_scan" in found["Clock, MHz"].note
    assert found["Frames a second"].note.endswith(f"the design {word} after place and route on LFE5U-85F")
    assert "not placed or routed" in found["LUT"].note


def test_no_rate_without_simulation(empty):
    assert frames_per_second(empty) is None


def test_groups_hold_every_row(results):
    assert [row for group in groups(results) for row in group.rows] == summary(results)


def test_numbers():
    assert number(1234567) == "1,234,567"
    assert number(7.5) == "7.5"
    assert number(7, 1) == "7.0"
    assert percent(0.12345) == "12.35 %"
    assert [counted(count, "epoch") for count in (0, 1, 2000)] == ["0 epochs", "1 epoch", "2,000 epochs"]


def test_curve_forms(empty):
    assert curve_form(empty.config.model.exp) == "exact"
    assert curve_form(empty.config.model.silu) == "17 segments, optimal knots"


@pytest.mark.parametrize(
    ("silu", "exp", "note"),
    [
        (False, False, "exact SiLU and exp"),
        (True, False, "exact exp, learned SiLU"),
        (True, True, "learned SiLU and exp"),
    ],
)
def test_the_float_form_keeps_learned_curves(results, silu, exp, note):
    forms = [CurveConfig(form="segments", knots="learned" if it else "optimal") for it in (silu, exp)]
    model = results.config.model.model_copy(update={"silu": forms[0], "exp": forms[1]})
    found = rows(replace(results, config=results.config.model_copy(update={"model": model})))
    assert found["Accuracy, float"].note == f"float32, {note}; test split"
