"""The stages in order, and the run folder they leave behind."""

from emamba.flow.hardware import build, explore, weights
from emamba.flow.run import SILENT, Listener, Progress, recipe, start
from emamba.flow.stages import demo, doctor, emit, flow, quantize, report, show, synth, teacher, train, verify

__all__ = [
    "SILENT",
    "Listener",
    "Progress",
    "build",
    "demo",
    "doctor",
    "emit",
    "explore",
    "flow",
    "quantize",
    "recipe",
    "report",
    "show",
    "start",
    "synth",
    "teacher",
    "train",
    "verify",
    "weights",
]
