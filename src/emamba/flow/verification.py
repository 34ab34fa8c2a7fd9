"""Proof that golden executor, compiled C and simulated Verilog give the same integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emamba.eda.compiler import Runner, build_firmware, run_firmware
from emamba.eda.simulation import Simulation, simulate
from emamba.eda.simulator import Simulator, build_simulator
from emamba.errors import MismatchError
from emamba.fixed import Integers
from emamba.flow.run import Progress
from emamba.graph import Graph, predict, run
from emamba.rtl.design import Design

Tensors = Mapping[str, Integers]

_LONG_CYCLES = 1_000_000  # at most so many in a simulation for which optimising the simulator does not pay


@dataclass(frozen=True)
class Difference:
    """The first element that is not what golden says."""

    tensor: str
    frame: int
    token: int
    element: int
    expected: int
    got: int


@dataclass(frozen=True)
class Verification:
    """What was compared without a difference, and how fast the simulated design was."""

    frames: int
    traced: int
    tensors: int
    stalled: bool
    simulation: Simulation

    def to_json(self) -> dict[str, Any]:
        """The content of verify.json."""
        occupancy = self.simulation.occupancy
        compared = {"c": self.frames, "rtl": self.frames, "tensors": self.tensors if self.traced else 0}
        return {
            "frames": self.frames,
            "compared": {**compared, "traced_frames": self.traced},
            "mismatches": 0,  # by construction: the first one is an error, and there is no Verification
            "cycles_per_frame": self.simulation.cycles_per_frame,
            "latency_cycles": self.simulation.latency_cycles,
            "stalled": self.stalled,
            "occupancy": {
                "stages": list(occupancy.busy),
                "cycles": occupancy.cycles,
                "busy": {stage: [list(interval) for interval in busy] for stage, busy in occupancy.busy.items()},
            },
        }


def verify(
    graph: Graph,
    sources: Mapping[str, str],
    design: Design,
    verilog: str,
    frames: Integers,
    folder: Path,
    trace_frames: int = 16,
    stalls: int | None = None,
    progress: Progress = lambda done, total, label: None,
) -> Verification:
    """Runs `frames` [batch, tokens, channels] through all three and compares every output.

    Of the first `trace_frames` frames every tensor is compared too. With the seed `stalls` the Verilog
    runs a second time, under random stalls on both sides. `folder` takes what is built.
    MismatchError at the first difference: executor, tensor, frame, token, element, expected, got.
    """
    traced = min(trace_frames, len(frames))
    golden = Golden(graph, frames, predict(graph, frames))
    progress(0, 0, "compile C")
    firmware = build_firmware(sources, graph, folder / "firmware")
    _check_firmware(golden, firmware, traced)
    progress(0, 0, "compile Verilog")
    long = len(frames) * design.frame_cycles > _LONG_CYCLES
    simulator = build_simulator(design, verilog, folder, optimised=long)
    measured = simulate(simulator, frames, trace=range(traced), progress=progress)
    _check_rtl(golden, simulator, traced, measured, None)
    if stalls is not None:
        stalled = simulate(simulator, frames, stalls, trace=range(traced), progress=progress)
        _check_rtl(golden, simulator, traced, stalled, stalls)
    return Verification(len(frames), traced, len(graph.operations), stalls is not None, measured)


def compare(executor: str, graph: Graph, frames: Integers, outputs: Integers) -> None:
    """Nothing, if `outputs` [batch, time, channels] are what golden says of `frames`; else MismatchError."""
    _report(executor, Golden(graph, frames, predict(graph, frames)).first_difference(outputs, {}))


@dataclass(frozen=True, eq=False)
class Golden:
    """What is right: a graph, frames for it, and its outputs for them [batch, time, channels]."""

    graph: Graph
    frames: Integers
    outputs: Integers

    def first_difference(self, outputs: Integers, tensors: Tensors, first_frame: int = 0) -> Difference | None:
        """The first difference in `tensors`, which begin with frame `first_frame`, else in all `outputs`.

        Tensors in the order of the graph, so that the operation named is the one at fault; within a tensor
        by frame, token, element.
        """
        count = max((len(tensor) for tensor in tensors.values()), default=0)
        expected = run(self.graph, self.frames[first_frame : first_frame + count]) if count else {}
        for op in self.graph.operations:
            if op.name in tensors and (found := _difference(op.name, expected[op.name], tensors[op.name], first_frame)):
                return found
        return _difference(self.graph.output.name, self.outputs, outputs, 0)


def _difference(tensor: str, expected: Integers, got: Integers, first_frame: int) -> Difference | None:
    places = np.argwhere(got != expected[: len(got)])
    if not len(places):
        return None
    frame, token, element = (int(index) for index in places[0])
    values = int(expected[frame, token, element]), int(got[frame, token, element])
    return Difference(tensor, first_frame + frame, token, element, *values)


def _check_firmware(golden: Golden, runner: Runner, traced: int) -> None:
    outputs, tensors = run_firmware(runner, golden.frames, traced)
    found = golden.first_difference(outputs, tensors)
    if found and found.frame >= traced:
        _, tensors = run_firmware(runner, golden.frames[found.frame : found.frame + 1], 1)
        found = golden.first_difference(outputs, tensors, found.frame)
    _report("C", found)


def _check_rtl(golden: Golden, simulator: Simulator, traced: int, simulation: Simulation, stalls: int | None) -> None:
    found = golden.first_difference(simulation.outputs, simulation.tensors)
    if found and found.frame >= traced:
        again = simulate(simulator, golden.frames, stalls, trace=range(found.frame, found.frame + 1))
        found = golden.first_difference(simulation.outputs, again.tensors, found.frame)
    _report("RTL" if stalls is None else f"RTL under stalls (seed {stalls})", found)


def _report(executor: str, found: Difference | None) -> None:
    if found is None:
        return
    raise MismatchError(
        f"{executor} differs from golden first in tensor {found.tensor}, frame {found.frame}, token {found.token}, "
        f"element {found.element}: expected {found.expected}, got {found.got}",
        f"its sources agree, so look at operation {found.tensor}; `emamba emit RUN --force` writes C and RTL again",
    )
