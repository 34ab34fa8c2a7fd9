"""The run folder: what a stage depends on, what it left behind, and whether it has to run again.

`stages.json` holds, for each finished stage, a key over all it depended on (recipe sections, contents of
the files it read, options, version of the package) and the hash of each file it wrote. A stage runs
again when the key has changed, or when one of its files is missing or was altered.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from emamba import __version__, files
from emamba.config import Config, dump_config, load_config
from emamba.errors import ArtifactError

Progress = Callable[[int, int, str], None]  # steps done, steps in all (0: unknown), what is being done

RECIPE = "config.toml"
RECORDS = "stages.json"


@dataclass(frozen=True)
class Listener:
    """Who is told how things go: `progress(done, total, label)` often, `say(line)` at every turn."""

    progress: Progress = lambda done, total, label: None
    say: Callable[[str], None] = lambda line: None


SILENT = Listener()
Options = Mapping[str, object]


@dataclass(frozen=True)
class Stage:
    """What a stage depends on: keys of the recipe, files that have to be there, patterns of files that may."""

    name: str
    sections: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What a finished stage left: the key of its inputs, its options, and the hash of each file written."""

    key: str
    options: Mapping[str, object]
    outputs: Mapping[str, str]


_NOTHING = Record("", {}, {})
Work = Callable[[Path, Config, Progress], Iterable[Path]]


def start(run: Path, config: Config) -> Path:
    """The run folder `run` of the recipe `config`; a new recipe replaces the one that was there."""
    text = dump_config(config)
    path = run / RECIPE
    if not path.exists() or files.read_bytes(path) != text.encode():
        files.write(path, text)
    return run


def recipe(run: Path) -> Config:
    """The recipe of the run folder `run`; ArtifactError if it is none."""
    path = run / RECIPE
    if not path.is_file():
        raise ArtifactError(f"{run} is not a run folder: it has no {RECIPE}", "make one: emamba train RECIPE --run DIR")
    return load_config(path)


def perform(
    stage: Stage,
    run: Path,
    work: Work,
    options: Options | None = None,
    force: bool = False,
    listener: Listener = SILENT,
) -> None:
    """Calls `work(run, recipe, progress)`, which gives the files it wrote, unless `stage` is up to date.

    Files of an earlier run of the stage that it no longer writes are removed.
    """
    config, options = recipe(run), options or {}
    wanted = key(stage, run, config, options)
    why = "forced" if force else reason(stage, run, wanted)
    if why is None:
        listener.say(f"{stage.name}: unchanged, skipped")
        return
    listener.progress(0, 0, stage.name)
    before = time.perf_counter()
    written = {path.relative_to(run).as_posix(): _hash(path) for path in work(run, config, listener.progress)}
    known = records(run)
    _remove(run, set(known.get(stage.name, _NOTHING).outputs) - set(written))
    _store(run, {**known, stage.name: Record(wanted, options, written)})
    listener.say(f"{stage.name}: {why}, done in {time.perf_counter() - before:.1f} s")


def adopt(stage: Stage, run: Path, written: Iterable[Path]) -> None:
    """Records that `stage` left the files `written`, which came from elsewhere."""
    outputs = {path.relative_to(run).as_posix(): _hash(path) for path in written}
    _store(run, {**records(run), stage.name: Record(key(stage, run, recipe(run), {}), {}, outputs)})


def forget(stage: Stage, run: Path) -> None:
    """Removes what `stage` left, because it is known to be wrong."""
    known = records(run)
    _remove(run, known.pop(stage.name, _NOTHING).outputs)
    _store(run, known)


def key(stage: Stage, run: Path, config: Config, options: Options) -> str:
    """A hash over all that the result of `stage` depends on; ArtifactError if a file is missing."""
    whole = config.model_dump(mode="json")
    chosen = {section: whole[section] for section in stage.sections}
    settings = json.dumps([stage.name, chosen, options], sort_keys=True)
    found = [path for pattern in stage.finds for path in sorted(run.glob(pattern))]
    read = [(path.relative_to(run).as_posix(), _hash(path)) for path in (*(run / name for name in stage.reads), *found)]
    return files.digest(__version__, settings, *chain(*read))


def reason(stage: Stage, run: Path, wanted: str) -> str | None:
    """Why `stage` has to run, or None if what it left is what it would make."""
    record = records(run).get(stage.name)
    if record is None:
        return "new"
    if record.key != wanted:
        return "inputs changed"
    for name, content in record.outputs.items():
        if not (run / name).is_file():
            return f"{name} was missing"
        if _hash(run / name) != content:
            return f"{name} was altered"
    return None


def outdated(stage: Stage, run: Path) -> bool:
    """Whether `stage` has finished, but what it depends on is no longer what it was."""
    record = records(run).get(stage.name)
    if record is None:
        return False
    try:
        return key(stage, run, recipe(run), record.options) != record.key
    except ArtifactError:
        return True


def records(run: Path) -> dict[str, Record]:
    """The finished stages of `run`. A damaged record counts as none: the stages then run again."""
    path = run / RECORDS
    try:
        stored = json.loads(files.read_bytes(path)) if path.exists() else {}
        return {
            name: Record(str(record["key"]), dict(record["options"]), dict(record["outputs"]))
            for name, record in stored.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_json(path: Path, value: object) -> Path:
    """`value` as JSON at `path`; equal values give equal bytes."""
    return files.write(path, json.dumps(value, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object at `path`; ArtifactError if it is none."""
    try:
        value = json.loads(files.read_bytes(path))
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: {error}", "run its stage again with --force") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} is damaged: it holds no object", "run its stage again with --force")
    return value


def _hash(path: Path) -> str:
    return files.digest(files.read_bytes(path))


def _remove(run: Path, names: Iterable[str]) -> None:
    """Removes files of the run folder; names that lead out of it are not ours to remove."""
    for name in names:
        if (run / name).resolve().is_relative_to(run.resolve()):
            (run / name).unlink(missing_ok=True)


def _store(run: Path, known: Mapping[str, Record]) -> None:
    write_json(run / RECORDS, {name: vars(record) for name, record in sorted(known.items())})
