"""What a design takes in standard cells, estimated from its cost: nothing is built, mapped or simulated.

Area is a sum over what `Cost` counts. Energy of a frame, frame behind frame, has two parts: the clock, which goes to
registers and memories in every cycle, and work, which a component does in the cycles in which it is busy. The prices
were fitted, none of them below 0, to each component of designs that were mapped and evaluated on test frames:
`emamba bench cost --target TARGET` does all of that again, and says how far off an estimate is.

So what an estimate means is what area and power of `emamba synth --target TARGET --gates` mean: docs/silicon.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from emamba.rtl.estimate import Estimate
from emamba.rtl.primitives import Cost

UNITS = ("LUT", "register bit", "product bit", "RAM bit", "copied RAM bit", "ROM bit")
CLOCKED = ("register bit", "RAM bit")


@dataclass(frozen=True)
class Prices:
    """Of each of UNITS: square micrometres, and fJ in a cycle in which it works. Of CLOCKED: fJ in every cycle.

    They come from so many `designs`; with the prices of all others, area and energy of each of them were off by
    `area_error` and `energy_error` at most, in shares.
    """

    area_um2: tuple[float, ...]
    work_fj: tuple[float, ...]
    clock_fj: tuple[float, ...]
    designs: int
    area_error: float
    energy_error: float

    def __str__(self) -> str:
        off = f"{self.area_error:.0%} in area and {self.energy_error:.0%} in energy"
        return f"estimated: each of {self.designs} measured designs was off by at most {off}, unseen"


# From `emamba bench cost --target asap7` and, on all of its designs but `states` and `fast`, `--target sky130`.
PRICES = {
    "asap7": Prices(
        area_um2=(0.1321, 0.4958, 0.6072, 0.5505, 0.1376, 0.005881),
        work_fj=(0.1301, 1.938, 2.418, 0.4538, 1.067, 0.03663),
        clock_fj=(0.9441, 0.3328),
        designs=8,
        area_error=0.048,
        energy_error=0.062,
    ),
    "sky130": Prices(
        area_um2=(6.866, 30.6, 29.3, 32.38, 8.076, 0.5101),
        work_fj=(8.28, 37.05, 51.97, 10.86, 21.83, 1.107),
        clock_fj=(37.99, 8.114),
        designs=6,
        area_error=0.078,
        energy_error=0.069,
    ),
}


@dataclass(frozen=True)
class Cells:
    """Area of the cells, and energy of a frame while frame follows frame."""

    area_mm2: float
    energy_nj: float


def chips(found: Estimate) -> dict[str, float]:
    """The design of an estimate in the cells of each PDK: `asap7_mm2`, `asap7_nj` and so on."""
    made = {name: in_cells(found, prices) for name, prices in PRICES.items()}
    areas = {f"{name}_mm2": it.area_mm2 for name, it in made.items()}
    return areas | {f"{name}_nj": it.energy_nj for name, it in made.items()}


def in_cells(found: Estimate, prices: Prices) -> Cells:
    """The design of an estimate in the cells that `prices` are of."""
    area = _sum(prices.area_um2, amounts(found.total))
    cycles = found.performance.cycles_per_frame
    energy = _sum(prices.work_fj, amounts(found.work)) + cycles * _sum(prices.clock_fj, clocked(found.total))
    return Cells(area * 1e-6, energy * 1e-6)


def amounts(cost: Cost) -> tuple[float, ...]:
    """How many of each of UNITS there are."""
    return cost.lut, cost.register_bits, cost.product_bits, cost.ram_bits, cost.copied_bits, cost.rom_bits


def clocked(cost: Cost) -> tuple[float, ...]:
    """How many of each of CLOCKED there are."""
    return cost.register_bits, cost.ram_bits


def _sum(prices: tuple[float, ...], counts: tuple[float, ...]) -> float:
    return sum(price * count for price, count in zip(prices, counts, strict=True))
