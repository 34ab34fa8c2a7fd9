"""Frames through a simulated design: what comes out, every tensor on request, and how long it takes."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emamba import files
from emamba.eda.process import run
from emamba.eda.simulator import Simulator
from emamba.errors import DataError, MismatchError
from emamba.fixed import Integers
from emamba.rtl.design import Design, Port

Progress = Callable[[int, int, str], None]
Interval = tuple[int, int]

_WINDOW_FRAMES = 3  # the pipeline fills, runs full, and starts to empty


@dataclass(frozen=True)
class Occupancy:
    """The first `cycles` cycles: for each stage the intervals [start, end) in which it was busy."""

    cycles: int
    busy: Mapping[str, tuple[Interval, ...]]


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a simulation gave.

    outputs: [batch, tokens, channels] of the output; tensors: the same of each tensor, traced frames only;
    first_input, last_output: [batch], the cycle in which the first beat of a frame was accepted and the one
    in which its last beat left; cycle 0 is the first one after reset; wrong: [batch], 1 for a frame that the
    AXI4-Stream top marked because its packet had a wrong length; seconds: what the simulator took, by the clock.
    """

    outputs: Integers
    tensors: Mapping[str, Integers]
    first_input: Integers
    last_output: Integers
    wrong: Integers
    occupancy: Occupancy
    seconds: float

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the first beat in to the last beat out, for the first frame."""
        return int(self.last_output[0] - self.first_input[0])

    @property
    def cycles_per_frame(self) -> int:
        """Median distance of the last beats of consecutive frames; the latency of a single frame."""
        return int(np.median(np.diff(self.last_output))) if len(self.last_output) > 1 else self.latency_cycles


def simulate(
    simulator: Simulator,
    frames: Integers,
    seed: int | None = None,
    trace: range = range(0),
    reset_after: int | None = None,
    progress: Progress | None = None,
    lengths: Integers | None = None,
    weights: Integers | None = None,
) -> Simulation:
    """Feeds `frames` [batch, tokens, channels] back to back and records what comes out.

    With a `seed`, both sides stall at random. `trace` says for which consecutive frames every tensor is
    recorded. With `reset_after`, the design is reset once that many input beats were accepted, and the
    frames start over. `progress(done, total, label)` is called from another thread. For an AXI4-Stream top, `lengths`
    [batch] are the beats of each frame's packet (default: right): a short one leaves the rest of its frame out, a long
    one goes on with garbage. `weights` (`rtl.elements`) are written before, in reset.
    MismatchError when the design hangs or breaks the rules of its streams.
    """
    design = simulator.design
    expected = (design.input.tokens, design.input.channels)
    if frames.shape[1:] != expected or not len(frames):
        raise DataError(f"frames have shape {frames.shape}, not (batch, {expected[0]}, {expected[1]})", "reshape them")
    with tempfile.TemporaryDirectory(dir=simulator.executable.parent) as name:
        folder = Path(name)
        files.write(folder / "input.bin", np.ascontiguousarray(frames, np.int64).tobytes())
        loaded = np.zeros((0, 2), np.int64) if weights is None else weights
        files.write(folder / "weights.bin", np.int64(len(loaded)).tobytes() + loaded.astype(np.int64).tobytes())
        beats = np.full(len(frames), design.input.frame_beats) if lengths is None else lengths
        files.write(folder / "packets.bin", np.ascontiguousarray(beats, np.int64).tobytes())
        arguments = _arguments(design, len(frames), trace, seed, reset_after)
        with _watched(folder / "times.bin", len(frames), progress):
            command = [str(simulator.executable.absolute()), str(simulator.number), *map(str, arguments)]
            before = time.perf_counter()
            printed = run(command, folder, "free space on the disk of the run folder")
            seconds = time.perf_counter() - before
        results = dict(line.split(" ", 1) for line in printed.splitlines())
        if "problem" in results:
            raise MismatchError(f"rtl {design.name}: {results['problem']}", "a stage or a link breaks its stream")
        return _read(design, folder, len(trace), int(results["window"]), seconds)


def _arguments(design: Design, frames: int, trace: range, seed: int | None, reset_after: int | None) -> tuple[int, ...]:
    """The command line of the harness. Seeds are moved by one because 0 stands for no stalls."""
    window = min(frames, _WINDOW_FRAMES)
    stalls = 0 if seed is None else 1 + seed
    return frames, trace.start, len(trace), window, stalls, reset_after or 0, _patience(design, stalls > 0)


def _patience(design: Design, stalls: bool) -> int:
    """Cycles without output that no working design needs: many times what one frame takes."""
    return (64 if stalls else 8) * design.frame_cycles + 1000


def _read(design: Design, folder: Path, traced: int, window: int, seconds: float) -> Simulation:
    times = _integers(folder / "times.bin").reshape(-1, 3)
    busy: dict[str, list[Interval]] = {stage.name: [] for stage in design.stages}
    for stage, start, end in _integers(folder / "busy.bin").reshape(-1, 3).tolist():
        busy[design.stages[stage].name].append((start, end))
    occupancy = Occupancy(window, {name: tuple(intervals) for name, intervals in busy.items()})
    outputs = _tensor(folder / "output.bin", design.output, len(times))
    taps = design.taps if traced else ()
    tensors = {tap.name: _tensor(folder / f"tap_{tap.name}.bin", tap, traced) for tap in taps}
    return Simulation(outputs, tensors, times[:, 0], times[:, 1], times[:, 2], occupancy, seconds)


def _tensor(path: Path, port: Port, frames: int) -> Integers:
    values = _integers(path)
    if values.size != frames * port.tokens * port.channels:
        fact = f"rtl: {port.name} gave {values.size} of {frames * port.tokens * port.channels} elements"
        raise MismatchError(fact, "its stage loses beats that nothing waits for")
    return values.reshape(frames, port.tokens, port.channels)


def _integers(path: Path) -> Integers:
    return np.fromfile(path, np.int64)


@contextmanager
def _watched(times: Path, frames: int, progress: Progress | None) -> Iterator[None]:
    """Reports finished frames while the harness appends three integers for each to the file `times`."""
    if progress is None:
        yield
        return
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(0.1):
            done = times.stat().st_size // 24 if times.exists() else 0
            progress(done, frames, "simulated frames")

    watcher = threading.Thread(target=report, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    progress(frames, frames, "simulated frames")
