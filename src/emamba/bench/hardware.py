"""MARS in hardware: our variants, measured, beside the designs that others published.

Cycles are from simulation of the emitted Verilog, in which every output was compared with the golden executor;
resources are from Yosys' mapping, before place and route, and the clock is from nextpnr, behind it. The numbers of
others are as their authors state them or, where marked, derived from the structure of their RTL; nothing of theirs
was run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emamba import flow
from emamba.errors import ConfigError
from emamba.flow import zoo
from emamba.flow.run import Listener

MODEL = "mars_fast"


@dataclass(frozen=True)
class Bars:
    """What a variant has to reach; 0: no bar. LUT, FF and clock are those of ECP5."""

    cycles_per_frame: int
    latency_cycles: int
    multipliers: int
    use: float
    lut: int = 0
    ff: int = 0
    clock_mhz: int = 0


@dataclass(frozen=True)
class Variant:
    """A design of the zoo's `mars_fast`, by its wishes, with the targets it is synthesised for.

    With `packing` two products share a DSP block.
    """

    name: str
    interval_cycles: int
    latency_cycles: int
    targets: tuple[str, ...]
    bars: Bars
    packing: bool = False


@dataclass(frozen=True)
class Published:
    """A design of others for the same model class; None: not stated. `source` says who, and what is derived.

    `clock_mhz` is what its authors reached, on a board or in the tools, as they write it.
    """

    name: str
    cycles_per_frame: int
    latency_cycles: int | None
    multipliers: int | None
    use: float | None
    lut: int | None
    ff: int | None
    clock_mhz: str | None
    source: str


@dataclass(frozen=True)
class Measured:
    """What a variant needs. `use` are useful products over what the multipliers could do, 0 to 1.

    `resources` by target: LUT (with those used as memory and, on ECP5, two for each carry cell), FF, DSP, BRAM.
    `routing` is that of ECP5, as synth.json has it (empty: not routed).
    """

    variant: Variant
    frames: int
    cycles_per_frame: int
    latency_cycles: int
    multipliers: int
    use: float
    resources: dict[str, dict[str, float]]
    routing: dict[str, Any]

    def met(self) -> dict[str, bool]:
        """For each bar of the variant, whether it is reached."""
        bars, ecp5 = self.variant.bars, self.resources.get("ecp5", {})
        reached = {
            "cycles_per_frame": self.cycles_per_frame <= bars.cycles_per_frame,
            "latency_cycles": self.latency_cycles <= bars.latency_cycles,
            "multipliers": self.multipliers <= bars.multipliers,
            "use": self.use >= bars.use,
        }
        if bars.clock_mhz:
            reached["clock_mhz"] = self.routing.get("clock_mhz", 0) >= bars.clock_mhz
        limits = {"lut": bars.lut, "ff": bars.ff}
        return reached | {name: ecp5[name.upper()] <= most for name, most in limits.items() if most}


_FAST = Bars(320, 900, 640, 0.85)
VARIANTS = (
    Variant("fast", 20, 650, ("xcup",), _FAST),
    Variant("packed", 20, 650, ("xcup",), _FAST, packing=True),
    Variant("small", 400, 9000, ("xcup", "ecp5"), Bars(7600, 9000, 40, 0.60, 12_000, 12_000, 100)),
)
PUBLISHED = (
    Published(
        "eMamba", 928, 1970, 900, 0.35, None, None, None, "Kim et al., authors' RTL; all derived from its structure"
    ),
    Published(
        "ECP5, first", 15_792, 25_249, 0, None, 43_500, 44_600, "60-100", "reimplementation without DSP, as reported"
    ),
    Published(
        "ECP5, later", 7600, 20_763, 0, None, 43_500, 44_600, "60-100", "the same; resources are those of the first"
    ),
    Published("KV260", 2600, None, None, None, None, None, None, "reimplementation with one shared block, as reported"),
)


def hardware(
    folder: Path, frames: int, names: Sequence[str], listener: Listener, data_dir: Path | None = None
) -> list[Measured]:
    """Builds, verifies on `frames` test frames, and synthesises the variants `names` (none: all), each in a run
    folder below `folder`. MismatchError if one does not give the golden integers, ConfigError if one is not known."""
    known = {variant.name: variant for variant in VARIANTS}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no variant {name!r}", f"there are: {', '.join(known)}")
    return [_measured(known[name], folder / name, frames, listener, data_dir) for name in names or known]


def _measured(variant: Variant, run: Path, frames: int, listener: Listener, data_dir: Path | None) -> Measured:
    from emamba.rtl.estimate import products

    if not (run / "graph.json").is_file():
        zoo.take_out(MODEL, run)
    wish = {"interval": variant.interval_cycles, "latency": variant.latency_cycles, "packing": variant.packing}
    built = flow.build(run, **wish, listener=listener)
    design = built["rtl"]
    found = flow.verify(run, frames, listener=listener, data_dir=data_dir)
    multipliers = sum(stage["multipliers"] for stage in design["stages"])
    mapped = {name: flow.synth(run, name, name == "ecp5", listener=listener) for name in variant.targets}
    return Measured(
        variant=variant,
        frames=found["frames"],
        cycles_per_frame=found["cycles_per_frame"],
        latency_cycles=found["latency_cycles"],
        multipliers=multipliers,
        use=products(zoo.graph(MODEL)) / (multipliers * found["cycles_per_frame"]),
        resources={target: _resources(synth) for target, synth in mapped.items()},
        routing=mapped.get("ecp5", {}).get("routing", {}),
    )


def _resources(synth: dict[str, Any]) -> dict[str, float]:
    """LUTs used as memory count as LUTs."""
    totals = dict(synth["totals"])
    totals["LUT"] += totals.pop("LUTRAM")
    return totals


def table(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Ours first, then the published designs; a bar that is missed says so."""
    head = ("design", "cycles a frame", "latency", "multipliers", "use", "DSP", "LUT", "FF", "BRAM", "clock", "from")
    rows = [row for it in found for row in _rows(it)]
    return [head, *rows, *map(_published_row, PUBLISHED)]


def bars(found: Sequence[Measured]) -> list[str]:
    """One line a variant: its bars, and which it misses; then how far it is ahead of the best published design."""
    return [line for it in found for line in (_bar_line(it), *_clock_line(it), *_ratio_lines(it))]


def to_json(found: Sequence[Measured]) -> dict[str, Any]:
    """The table for machines."""
    measured = [{**asdict(it), "met": it.met(), "ratios": ratios(it)} for it in found]
    return {"measured": measured, "published": [asdict(it) for it in PUBLISHED]}


def ratios(it: Measured) -> dict[str, float]:
    """Frames a second at one clock, per multiplier and per LUT4, over the best published ones that state them."""
    best = min(other.cycles_per_frame * other.multipliers for other in PUBLISHED if other.multipliers)
    found = {"multiplier": best / (it.cycles_per_frame * it.multipliers)}
    if "ecp5" in it.resources:
        least = min(other.cycles_per_frame * other.lut for other in PUBLISHED if other.lut)
        found["LUT4"] = least / (it.cycles_per_frame * it.resources["ecp5"]["LUT"])
    return found


def _rows(it: Measured) -> list[tuple[str, ...]]:
    """A row for each target."""
    clock = {"ecp5": f"{it.routing['clock_mhz']:.1f} MHz"} if it.routing else {}
    speed = f"{it.cycles_per_frame:,}", f"{it.latency_cycles:,}", str(it.multipliers), f"{it.use:.0%}"
    return [
        (
            f"{it.variant.name}, {target}",
            *speed,
            *(f"{used[name]:,g}" for name in ("DSP", "LUT", "FF", "BRAM")),
            clock.get(target, "-"),
            "measured",
        )
        for target, used in it.resources.items()
    ]


def _published_row(it: Published) -> tuple[str, ...]:
    counts = [it.cycles_per_frame, it.latency_cycles, it.multipliers]
    use = "-" if it.use is None else f"{it.use:.0%}"
    clock = f"{it.clock_mhz} MHz" if it.clock_mhz else "-"
    return it.name, *map(_stated, counts), use, "-", _stated(it.lut), _stated(it.ff), "-", clock, it.source


def _stated(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _bar_line(it: Measured) -> str:
    limits = {name: limit for name, limit in asdict(it.variant.bars).items() if limit}
    wanted = [f"{name} {'>=' if name in ('use', 'clock_mhz') else '<='} {limit:,g}" for name, limit in limits.items()]
    missed = [name for name, reached in it.met().items() if not reached]
    return f"{it.variant.name}: bars {', '.join(wanted)}: {'missed ' + ', '.join(missed) if missed else 'all met'}"


def _clock_line(it: Measured) -> list[str]:
    """What limits the clock, where there is one."""
    found = it.routing
    if not found:
        return []
    fact = f"{found['clock_mhz']:.1f} MHz after place and route, {found['device']}"
    return [f"{it.variant.name}: {fact}; slowest path: {found['critical_path']}"]


def _ratio_lines(it: Measured) -> list[str]:
    return [
        f"{it.variant.name}: {ratio:.2f}x the frames a second per {unit} of the best published design (bar 3x)"
        for unit, ratio in ratios(it).items()
    ]
