"""That trials pass, that each check can fail, and that one failure leaves the other trials alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emamba.fuzz import conduct as conducting
from emamba.fuzz.conduct import check_pace, conduct, ends
from emamba.fuzz.draw import draw
from emamba.fuzz.trial import load_trial
from emamba.graph import Linear, predict

KEPT = sorted((Path(__file__).parent / "kept").glob("*/trial.json"))
TRIALS = [draw(seed) for seed in (2, 3, 7)]


def test_random_trials_and_all_that_ever_failed_pass(tmp_path):
    trials = [*TRIALS, *map(load_trial, KEPT)]
    assert conduct(trials, tmp_path) == [None] * len(trials)


def test_loaded_weights_are_not_those_of_the_circuit(tmp_path, monkeypatch):
    trial = next(trial for trial in map(draw, range(200)) if trial.loadable and with_weights(trial))
    assert conduct([trial], tmp_path / "loaded") == [None]
    monkeypatch.setattr(conducting, "elements", lambda own, regions, other: np.zeros((0, 2), np.int64))
    found = conduct([trial], tmp_path / "not_loaded")[0]
    assert found
    assert found.kind == "RTL"


def with_weights(trial):
    """Whether the circuit is not the same backwards, and nothing hides that."""
    turned = conducting.backwards(trial)
    return np.any(predict(turned, trial.frames) != predict(trial.graph, trial.frames))


def test_a_wrong_circuit_is_found_and_others_are_not_blamed(tmp_path, monkeypatch):
    wrong, right = with_a_linear(), TRIALS[0]

    def built(trial):
        design, text = original(trial)
        return (design, inverted(text)) if trial is wrong else (design, text)

    original = conducting._circuit
    monkeypatch.setattr(conducting, "_circuit", built)
    found = conduct([wrong, right], tmp_path)
    assert found[0]
    assert found[0].kind == "RTL"
    assert found[1] is None


def test_verilog_that_does_not_compile_fails_alone(tmp_path, monkeypatch):
    def built(trial):
        design, text = original(trial)
        return (design, text.replace("endmodule", "", 1)) if trial is TRIALS[0] else (design, text)

    original = conducting._circuit
    monkeypatch.setattr(conducting, "_circuit", built)
    found = conduct(TRIALS[:2], tmp_path)
    assert found[0]
    assert found[0].kind == "circuit"
    assert found[1] is None


def test_wrong_c_is_found_before_anything_is_simulated(tmp_path, monkeypatch):
    trial = with_a_linear()

    def generated(graph):
        changed = [replace(op, bias=op.bias + (1 << 12)) if isinstance(op, Linear) else op for op in graph.operations]
        return original(replace(graph, operations=tuple(changed)))

    original = conducting.generate
    monkeypatch.setattr(conducting, "generate", generated)
    found = conduct([trial], tmp_path)[0]
    assert found
    assert found.kind == "C"
    assert not (tmp_path / "simulators").exists()


def test_a_wrong_model_of_cycles_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(conducting, "ends", lambda trial: ends(trial) + (np.arange(len(trial.frames)) > 2))
    found = conduct(TRIALS[:1], tmp_path)[0]
    assert found
    assert found.kind == "cycles"
    assert "frame 3 leaves" in found.fact


@pytest.mark.parametrize(("factor", "fact"), [(2, "cycles a frame"), (0, "frames ever leave")])
def test_a_slow_pace_and_a_deadlock_are_found(monkeypatch, factor, fact):
    trial = TRIALS[0]
    left = ends(trial)
    monkeypatch.setattr(conducting, "ends", lambda trial: left * factor if factor else left[:2])
    found = check_pace(trial)
    assert found
    assert found.kind == "pace"
    assert fact in found.fact


def with_a_linear():
    """A trial whose output is linear: nothing behind it hides what is wrong."""
    return next(it for it in map(draw, range(40)) if isinstance(it.graph.output, Linear))


def inverted(text: str) -> str:
    """The Verilog with the payload that leaves inverted."""
    head, assignment, rest = text.partition("assign output__payload = ")
    assert assignment
    return f"{head}{assignment}~{rest}"
