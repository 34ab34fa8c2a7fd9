"""The cost model in standard cells beside what was mapped and evaluated, and where the prices of the model come from.

Two of the designs are those of docs/silicon.md; most others are small networks of the digits, trained for two epochs,
which differ in convolution, head, states, sizes, curves, scales, folding, and where weights lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emamba import flow
from emamba.config import parse_config
from emamba.eda.power import CLOCK_NET
from emamba.errors import ConfigError
from emamba.flow import zoo
from emamba.flow.run import Listener, recipe
from emamba.graph import load
from emamba.rtl.estimate import Estimate
from emamba.rtl.primitives import Cost
from emamba.rtl.standard_cells import CLOCKED, PRICES, UNITS, Cells, Prices, amounts, clocked, in_cells

TOLERANCE = 0.20


@dataclass(frozen=True)
class Design:
    """A model of the zoo, or the lines of a recipe for the digits; its wishes for the accelerator."""

    name: str
    interval_cycles: int
    latency_cycles: int | None = None
    model: str = ""
    lines: str = ""


_TRAINED = """
name = "{name}"
data.name = "digits"
data.patch = 2
training.epochs = 2
quantization.finetune_epochs = 0
model.blocks = 1
{lines}
"""
_POINTWISE = 'd_model = 12\nmodel.expand = 1\nmodel.d_state = 8\nmodel.convolution = "pointwise"\nmodel.head = "mean"'
_SQUARE = 'd_model = 8\nmodel.d_state = 4\nmodel.convolution = "square"\nmodel.d_conv = 3\nmodel.head = "flatten"'
_SEGMENTS = 'model.exp.form = "segments"\nmodel.exp.segments = 11'

DESIGNS = (
    Design("narrow", 64, lines="model.d_model = 8\nmodel.d_state = 2"),
    Design("loaded", 128, lines='model.d_model = 12\nmodel.d_state = 4\nhardware.weights = "ram"'),
    Design(
        "square", 100, lines=f'model.{_SQUARE}\nmodel.convolution_silu = true\nquantization.weight_scales = "channel"'
    ),
    Design("states", 200, lines=f"model.{_POINTWISE}"),
    Design("fast", 12, lines=f"model.d_model = 8\nmodel.d_state = 4\n{_SEGMENTS}"),
    Design("digits_120", 120, model="digits"),
    Design("mars_fast_20", 20, 650, model="mars_fast"),
    Design("mars_fast_400", 400, 9000, model="mars_fast"),
)


@dataclass(frozen=True, eq=False)
class Sample:
    """A design as estimated, and as measured: um2 and nJ a frame by component; the clock net is in none of them."""

    name: str
    estimate: Estimate
    areas: dict[str, float]
    energies: dict[str, float]
    clock_net: float

    @property
    def measured(self) -> Cells:
        """The whole design."""
        return Cells(sum(self.areas.values()) * 1e-6, sum(self.energies.values()) + self.clock_net)


@dataclass(frozen=True)
class Comparison:
    """A design as measured, as the model has it, and as it would have it if this design had not been measured."""

    name: str
    multipliers: int
    cycles_per_frame: int
    measured: Cells
    model: Cells
    unseen: Cells

    @property
    def met(self) -> bool:
        """Whether prices that do not know the design are within the tolerance in both respects."""
        return max(map(abs, errors(self.unseen, self.measured))) <= TOLERANCE


def cells(
    folder: Path, target: str, listener: Listener, data_dir: Path | None = None, designs: Sequence[Design] = DESIGNS
) -> tuple[list[Comparison], Prices]:
    """Makes, maps and evaluates `designs`, each in a run folder below `folder`; compares, and fits prices to them.

    ConfigError if the model has no prices of `target`.
    """
    if target not in PRICES:
        raise ConfigError(f"the cost model has no prices of {target}", f"there are: {', '.join(PRICES)}")
    return compared([_sample(it, folder / it.name, target, listener, data_dir) for it in designs], PRICES[target])


def compared(samples: Sequence[Sample], known: Prices) -> tuple[list[Comparison], Prices]:
    """Each sample beside `known` prices and those of all other samples; prices of all, with errors of the latter."""
    found = []
    for it in samples:
        unseen = in_cells(it.estimate, fit([other for other in samples if other is not it]))
        cost, speed = it.estimate.total, it.estimate.performance
        model = in_cells(it.estimate, known)
        found.append(Comparison(it.name, cost.multipliers, speed.cycles_per_frame, it.measured, model, unseen))
    area, energy = worst(found)
    return found, replace(fit(samples), area_error=round(area, 3), energy_error=round(energy, 3))


def fit(samples: Sequence[Sample]) -> Prices:
    """Non-negative least squares over all components; each design counts the same. Errors are not known here: 1."""
    areas = [_area_rows(it) for it in samples]
    energies = [_energy_rows(it) for it in samples]
    nets = [_net_row(it) for it in samples]
    area, energy, net = (_least_squares(np.concatenate(rows)) for rows in (areas, energies, nets))
    work, clock = energy[: len(UNITS)], energy[len(UNITS) :] + net
    return Prices(_rounded(area), _rounded(work), _rounded(clock), len(samples), 1.0, 1.0)


def errors(estimated: Cells, measured: Cells) -> tuple[float, float]:
    """Of area and energy, in shares of what was measured."""
    return estimated.area_mm2 / measured.area_mm2 - 1, estimated.energy_nj / measured.energy_nj - 1


def worst(found: Sequence[Comparison]) -> tuple[float, float]:
    """The largest errors of area and of energy, of prices that do not know the design."""
    area, energy = zip(*(map(abs, errors(it.unseen, it.measured)) for it in found), strict=True)
    return max(area), max(energy)


def table(found: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Area and energy of each design: measured, and the errors of the model and of prices that do not know it."""
    columns = [column for name in ("mm2", "nJ a frame") for column in (name, "model", "unseen")]
    return [("design", "multipliers", "cycles a frame", *columns), *map(_row, found)]


def summary(found: Sequence[Comparison], prices: Prices) -> list[str]:
    """How far off prices are that do not know a design, and the prices of all designs."""
    met, (area, energy) = sum(it.met for it in found), worst(found)
    columns = {"um2": UNITS, "fJ a cycle at work": UNITS, "fJ a cycle": CLOCKED}
    listed = zip(columns.items(), (prices.area_um2, prices.work_fj, prices.clock_fj), strict=True)
    return [
        f"{met} of {len(found)} designs within {TOLERANCE:.0%} when all others are known; "
        f"at most {area:.1%} off in area and {energy:.1%} in energy",
        *(
            f"{unit}: {', '.join(f'{n} {v:g}' for n, v in zip(names, values, strict=True))}"
            for (unit, names), values in listed
        ),
    ]


def to_json(found: Sequence[Comparison], prices: Prices) -> dict[str, Any]:
    """The table for machines, and the prices."""
    return {"designs": [{**asdict(it), "met": it.met} for it in found], "prices": asdict(prices)}


def _sample(design: Design, run: Path, target: str, listener: Listener, data_dir: Path | None) -> Sample:
    from emamba.rtl import estimate, solve

    _make(design, run, listener, data_dir)
    found = flow.synth(run, target, gates=True, listener=listener, data_dir=data_dir)
    graph, wish = load(run / "graph.json"), recipe(run).hardware
    foldings = solve(graph, wish.interval_cycles, wish.latency_cycles, wish.packing)
    made = estimate(graph, foldings, wish.weights == "ram")
    frame_us = found["power"]["interval_cycles"] / found["power"]["clock_mhz"]
    areas = {it.pop("name"): float(sum(it.values())) for it in found["components"]}
    energies = {it.pop("name"): sum(it.values()) * frame_us for it in found["power"]["components"]}
    return Sample(design.name, made, areas, energies, energies.pop(CLOCK_NET))


def _make(design: Design, run: Path, listener: Listener, data_dir: Path | None) -> None:
    """The run folder of the design up to its Verilog."""
    if not design.model:
        trained = parse_config(_TRAINED.format(name=design.name, lines=design.lines), design.name)
        wish = trained.hardware.model_copy(update={"interval_cycles": design.interval_cycles})
        flow.train(trained.model_copy(update={"hardware": wish}), run, listener=listener, data_dir=data_dir)
        flow.quantize(run, listener=listener, data_dir=data_dir)
        flow.emit(run, listener=listener)
        return
    if not (run / "graph.json").is_file():
        zoo.take_out(design.model, run)
    flow.build(run, interval=design.interval_cycles, latency=design.latency_cycles, listener=listener)


def _area_rows(it: Sample) -> NDArray[np.float64]:
    """[components, units and area], in shares of the whole area."""
    rows = [(*amounts(cost), it.areas[name]) for name, cost in it.estimate.components.items()]
    return np.array(rows) / sum(it.areas.values())


def _energy_rows(it: Sample) -> NDArray[np.float64]:
    """[components, work, clock and energy in fJ], in shares of the whole energy."""
    rows = [
        (*amounts(it.estimate.worked[name]), *_clocks(it, cost), it.energies[name] * 1e6)
        for name, cost in it.estimate.components.items()
    ]
    return np.array(rows) / (it.measured.energy_nj * 1e6)


def _net_row(it: Sample) -> NDArray[np.float64]:
    """[1, clock and energy in fJ] of the clock net, as above."""
    return np.array([(*_clocks(it, it.estimate.total), it.clock_net * 1e6)]) / (it.measured.energy_nj * 1e6)


def _clocks(it: Sample, cost: Cost) -> tuple[float, ...]:
    return tuple(count * it.estimate.performance.cycles_per_frame for count in clocked(cost))


def _least_squares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the columns have to be multiplied with, none below 0, so that their sum is the last one."""
    from scipy.optimize import nnls

    return nnls(rows[:, :-1], rows[:, -1])[0]


def _rounded(prices: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{price:.4g}") for price in prices)


def _row(it: Comparison) -> tuple[str, ...]:
    model, unseen = (errors(cells, it.measured) for cells in (it.model, it.unseen))
    area = f"{it.measured.area_mm2:.4g}", f"{model[0]:+.1%}", f"{unseen[0]:+.1%}"
    energy = f"{it.measured.energy_nj:,.4g}", f"{model[1]:+.1%}", f"{unseen[1]:+.1%}"
    return it.name, str(it.multipliers), f"{it.cycles_per_frame:,}", *area, *energy
