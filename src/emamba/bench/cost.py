"""The cost model beside Yosys, on designs of the zoo: multipliers, LUTs and flip-flops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emamba.flow import zoo

Progress = Callable[[int, int, str], None]

DESIGNS = (
    *(("mars_fast", interval, False) for interval in (20, 40, 75, 150, 400)),
    *(("digits", interval, False) for interval in (16, 32, 120)),
    *(("mars_paper", interval, False) for interval in (60, 320)),
    *((model, interval, True) for model, interval in (("mars_fast", 20), ("mars_fast", 150), ("digits", 32))),
)
"""Models of the zoo, with their cycles between two tokens, and whether products share DSP blocks."""
TOLERANCE = 0.15


@dataclass(frozen=True)
class Comparison:
    """What the model says of a design, and what Yosys maps it to on AMD UltraScale+."""

    model: str
    interval_cycles: int
    packing: bool
    multipliers: int
    estimated_dsp: int
    dsp: int
    estimated_lut: int
    lut: int
    estimated_ff: int
    ff: int

    @property
    def errors(self) -> tuple[float, float]:
        """Of LUTs and of flip-flops, relative to what was mapped."""
        return self.estimated_lut / self.lut - 1, self.estimated_ff / self.ff - 1

    @property
    def met(self) -> bool:
        """Whether DSP blocks are equal and both errors within the tolerance."""
        return self.estimated_dsp == self.dsp and max(map(abs, self.errors)) <= TOLERANCE


def cost(progress: Progress, designs: Sequence[tuple[str, int, bool]] = DESIGNS) -> list[Comparison]:
    """Estimates, builds and maps each of `designs`: a minute for most of them."""
    found = []
    for done, (model, interval, packing) in enumerate(designs):
        progress(done, len(designs), f"{model} at {interval}")
        found.append(_compared(model, interval, packing))
    return found


def _compared(model: str, interval: int, packing: bool) -> Comparison:
    from emamba.eda.synthesis import synthesize
    from emamba.eda.verilog import verilog
    from emamba.rtl import build, solve
    from emamba.rtl.estimate import components
    from emamba.rtl.primitives import total

    graph = zoo.graph(model)
    foldings = solve(graph, interval, packing=packing)
    estimated = total(list(components(graph, foldings).values()))
    design = build(graph, interval, foldings)
    mapped = synthesize(verilog(design.rtlil, design.top), design.top).totals
    return Comparison(
        model,
        interval,
        packing,
        estimated.multipliers,
        estimated.dsp,
        round(mapped.DSP),
        round(estimated.lut),
        round(mapped.LUT),
        round(estimated.ff),
        round(mapped.FF),
    )


def table(found: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Model and interval, multipliers, then DSP blocks, LUTs and flip-flops: estimated, mapped, error."""
    errors = [column for name in ("LUT", "FF") for column in (f"{name}, model", "Yosys", "error")]
    head = ("design", "multipliers", "DSP, model", "Yosys", *errors)
    return [head, *map(_row, found)]


def summary(found: Sequence[Comparison]) -> list[str]:
    """How many designs are within the tolerance."""
    met = sum(it.met for it in found)
    return [f"{met} of {len(found)} designs have the DSP blocks of the model, and LUTs and FF within {TOLERANCE:.0%}"]


def to_json(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The table for machines."""
    return [{**asdict(it), "met": it.met} for it in found]


def _row(it: Comparison) -> tuple[str, ...]:
    lut, ff = (f"{error:+.1%}" for error in it.errors)
    counts = [f"{count:,}" for count in (it.estimated_lut, it.lut, it.estimated_ff, it.ff)]
    name = f"{it.model} at {it.interval_cycles}" + (", packed" if it.packing else "")
    return name, str(it.multipliers), str(it.estimated_dsp), str(it.dsp), *counts[:2], lut, *counts[2:], ff
