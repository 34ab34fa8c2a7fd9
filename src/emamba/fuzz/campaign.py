"""Fuzzing: random trials until enough have passed; what fails is shrunk and kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emamba.fuzz.conduct import Failure, Kind, check_pace, conduct
from emamba.fuzz.draw import draw
from emamba.fuzz.shrink import shrink
from emamba.fuzz.trial import Trial, load_trial, save_trial

_AT_ONCE = 24  # trials in one run of the compiler: more save little, and a failure costs the whole run again

Say = Callable[[str], None]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Found:
    """A failure: of the trial drawn with `seed`, shrunk to `operations`, and kept in `path`."""

    seed: int
    kind: Kind
    fact: str
    operations: int
    path: str


def fuzz(graphs: int, seed: int, folder: Path, progress: Progress, say: Say = lambda line: None) -> list[Found]:
    """Conducts the trials of `graphs` seeds from `seed` on; failures are shrunk and written below `folder`."""
    found: list[Found] = []
    for start in range(0, graphs, _AT_ONCE):
        progress(start, graphs, "graphs")
        seeds = range(seed + start, seed + min(start + _AT_ONCE, graphs))
        trials = [draw(own) for own in seeds]
        for own, trial, failure in zip(seeds, trials, _conducted(trials), strict=True):
            if failure:
                say(f"seed {own} fails: {failure.kind}: {failure.fact}")
                found.append(_kept(own, *_shrunk(trial, failure), folder))
        say(f"{seeds.stop - seed} graphs, {len(found)} failures")
    return found


def replay(path: Path) -> Failure | None:
    """The first check that the trial in `path` fails, or None."""
    return _conducted([load_trial(path)])[0]


def _conducted(trials: Sequence[Trial]) -> list[Failure | None]:
    with tempfile.TemporaryDirectory() as folder:
        return conduct(trials, Path(folder))


def _shrunk(trial: Trial, failure: Failure) -> tuple[Trial, Failure]:
    """The smallest trial that fails in the same check, and how."""
    check = _paced if failure.kind == "pace" else _conducted
    if failure.kind == "pace":  # stalls have no part in it
        trial = replace(trial, stalls=(), reset_after=0)

    def failing(trials: Sequence[Trial]) -> list[bool]:
        return [found is not None and found.kind == failure.kind for found in check(trials)]

    smallest = shrink(trial, failing)
    return smallest, check([smallest])[0] or failure


def _paced(trials: Sequence[Trial]) -> list[Failure | None]:
    """Without building anything."""
    return [check_pace(trial) for trial in trials]


def _kept(seed: int, trial: Trial, failure: Failure, folder: Path) -> Found:
    path = save_trial(trial, folder / f"fuzz{seed}")
    return Found(seed, failure.kind, failure.fact, len(trial.graph.operations), str(path))
