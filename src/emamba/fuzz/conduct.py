"""Many trials at once through C and simulated Verilog: one compiler run for all circuits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from emamba.eda.compiler import build_firmware, run_firmware
from emamba.eda.simulation import Simulation, simulate
from emamba.eda.simulator import Simulator, build_simulators
from emamba.eda.verilog import verilog
from emamba.errors import MismatchError, ToolError
from emamba.firmware import generate
from emamba.fixed import Integers
from emamba.flow.verification import Golden
from emamba.fuzz.trial import Trial
from emamba.graph import Graph, Operation, arrays, predict
from emamba.rtl import Design, build, elements
from emamba.rtl.buffers import slowest
from emamba.rtl.performance import network
from emamba.rtl.weights import regions

SETTLED = 6  # frames: of fewer, the last ones say nothing about pace

Kind = Literal["C", "circuit", "RTL", "stalled RTL", "cycles", "pace"]


@dataclass(frozen=True)
class Failure:
    """What went wrong in which check: the first one of those that `conduct` lists."""

    kind: Kind
    fact: str


class _FailedError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def conduct(trials: Sequence[Trial], folder: Path) -> list[Failure | None]:
    """For each trial the first check that fails, or None; `folder` takes what is built.

    pace: by the model of cycles, frames leave as fast as the slowest stage allows. C: every tensor, compiled with
    sanitizers, is golden. circuit: it can be built. RTL, stalled RTL: every tensor is golden, and streams keep their
    rules, loaded weights or constants. cycles: each frame leaves in the cycle that the model says.
    """
    found: list[Failure | None] = [None] * len(trials)
    designs: dict[int, tuple[Design, str]] = {}
    for index, trial in enumerate(trials):
        with _noted(found, index):
            golden = Golden(trial.graph, trial.frames, predict(trial.graph, trial.frames))
            if failure := check_pace(trial):
                raise _FailedError(failure)
            _check_firmware(golden, folder / f"firmware_{index}")
            designs[index] = _circuit(trial)
    for index, simulator in _simulators(designs, folder / "simulators", found).items():
        with _noted(found, index):
            _check_rtl(trials[index], simulator)
    return found


def ends(trial: Trial) -> Integers:
    """For each frame the cycles from the first beat in to its last beat out, by the model."""
    frames = len(trial.frames)
    patience = 1000 + 64 * slowest(trial.graph, trial.foldings) * (frames + len(trial.graph.operations))
    return np.array(network(trial.graph, trial.foldings).run(frames, patience))


def check_pace(trial: Trial) -> Failure | None:
    """Whether the second half of the frames leaves slower than the slowest stage needs, by the model."""
    left, frame = ends(trial), slowest(trial.graph, trial.foldings)
    if len(left) < len(trial.frames):
        return Failure("pace", f"only {len(left)} of {len(trial.frames)} frames ever leave")
    half = len(left) // 2
    jitter = max(folding.steps - 1 for folding in trial.foldings.values())  # a serial scan waits for its slot
    if half < SETTLED // 2 or left[-1] - left[-1 - half] <= half * frame + jitter:
        return None
    pace = (left[-1] - left[-1 - half]) / half
    return Failure("pace", f"{pace:g} cycles a frame, where the slowest stage needs {frame}")


@contextmanager
def _noted(found: list[Failure | None], index: int) -> Iterator[None]:
    try:
        yield
    except _FailedError as error:
        found[index] = error.failure


def _check_firmware(golden: Golden, folder: Path) -> None:
    try:
        runner = build_firmware(generate(golden.graph), golden.graph, folder, checked=True)
        _compare("C", golden, *run_firmware(runner, golden.frames, len(golden.frames)))
    except ToolError as error:  # a warning, or what a sanitizer says
        raise _FailedError(Failure("C", error.message)) from error


def _circuit(trial: Trial) -> tuple[Design, str]:
    graph = backwards(trial) if trial.loadable else trial.graph
    try:
        design = build(graph, trial.interval_cycles, dict(trial.foldings), trial.loadable)
        return design, verilog(design.rtlil, design.top)
    except Exception as error:  # whatever goes wrong in there, a legal graph has to become a circuit
        raise _FailedError(Failure("circuit", repr(error))) from error


def backwards(trial: Trial) -> Graph:
    """The graph of `trial` with all that can be loaded in reverse order: other weights, no wider than its own."""

    def turned(op: Operation) -> Operation:
        return replace(op, **{name: arrays(op)[name][::-1] for name in regions(op, trial.foldings[op.name])})

    return replace(trial.graph, operations=tuple(map(turned, trial.graph.operations)))


def _simulators(
    designs: dict[int, tuple[Design, str]], folder: Path, found: list[Failure | None]
) -> dict[int, Simulator]:
    """One program for all, or, where that is refused, one for each that is not."""
    if not designs:
        return {}
    try:
        built = build_simulators(list(designs.values()), folder, optimised=False)
        return dict(zip(designs, built, strict=True))
    except ToolError as error:
        if len(designs) == 1:
            found[next(iter(designs))] = Failure("circuit", error.message)
            return {}
        alone = [_simulators({index: design}, folder, found) for index, design in designs.items()]
        return {index: simulator for one in alone for index, simulator in one.items()}


def _check_rtl(trial: Trial, simulator: Simulator) -> None:
    golden = Golden(trial.graph, trial.frames, predict(trial.graph, trial.frames))
    weights = elements(backwards(trial), simulator.design.regions, trial.graph) if trial.loadable else None
    measured = _simulated("RTL", golden, simulator, weights)
    left = measured.last_output - measured.first_input[0]
    different = np.flatnonzero(left != ends(trial))
    if len(different):
        frame = different[0]
        fact = f"frame {frame} leaves in cycle {left[frame]}, by the model in {ends(trial)[frame]}"
        raise _FailedError(Failure("cycles", fact))
    for seed in trial.stalls:
        _simulated("stalled RTL", golden, simulator, weights, seed, trial.reset_after or None)


def _simulated(
    kind: Kind,
    golden: Golden,
    simulator: Simulator,
    weights: Integers | None,
    seed: int | None = None,
    reset_after: int | None = None,
) -> Simulation:
    try:
        whole = range(len(golden.frames))
        simulation = simulate(simulator, golden.frames, seed, whole, reset_after, weights=weights)
    except (MismatchError, ToolError) as error:
        raise _FailedError(Failure(kind, error.message)) from error
    _compare(kind, golden, simulation.outputs, dict(simulation.tensors))
    return simulation


def _compare(kind: Kind, golden: Golden, outputs: Integers, tensors: dict[str, Integers]) -> None:
    if found := golden.first_difference(outputs, tensors):
        raise _FailedError(Failure(kind, f"{found}"))
