"""The stages in order, and the run folder they leave behind."""

from emamba.flow.run import Listener, Progress, recipe, start
from emamba.flow.stages import demo, doctor, emit, flow, quantize, report, show, synth, train, verify

__all__ = [
    "Listener",
    "Progress",
    "demo",
    "doctor",
    "emit",
    "flow",
    "quantize",
    "recipe",
    "report",
    "show",
    "start",
    "synth",
    "train",
    "verify",
]
