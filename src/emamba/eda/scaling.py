"""Area and energy at 22 nm, scaled from an open library: only to hold a design beside the published chip of eMamba.

- Area goes with that of the smallest NAND of two inputs that a library has, whether the mapping uses it or not.
- Energy goes with C V^2, and C with the root of that area: a micrometre of gate or wire has about the same
  capacitance in all of these processes. An input of that NAND has 1.20 fF for a micrometre of the root of its area in
  sky130, 1.11 in sg13g2 and 1.44 in asap7, as their liberty files say.
- Leakage is not scaled: it does not go with size.

At 22 nm the cells are those of GlobalFoundries' 22FDX with eight tracks: public scripts that use them place on a grid
of 0.104 um (the gate pitch, also in the name of the library, SC8T_104CPP) in pairs of rows 1.28 um high. That the
smallest NAND is three pitches wide, as in sky130, is an assumption: no data sheet was at hand. With four, as in asap7,
areas are a third larger and energies 15 %.

The roads from several libraries end at several numbers, and how far they are apart is the uncertainty: docs/silicon.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

VOLTAGE = 0.8
NAND2_UM2 = 3 * 0.104 * 1.28 / 2


@dataclass(frozen=True)
class Road:
    """From where a design is scaled: the smallest NAND2 of the library in um2.

    `area` and `energy` are the lowest and the highest of all roads in shares of this one: `mars_fast`, two variants.
    """

    nand2_um2: float
    area: tuple[float, float]
    energy: tuple[float, float]


ROADS = {
    "sky130": Road(3.7536, (1.0, 1.12), (1.0, 2.08)),
    "sg13g2": Road(7.2576, (0.94, 1.12), (0.95, 2.0)),
    "asap7": Road(0.05832, (0.89, 1.0), (0.48, 1.0)),
}


@dataclass(frozen=True)
class Chip:
    """What is published of eMamba's chip: Kim et al., ACM TECS 2025, GF 22 nm at 0.8 V.

    `cycles` a frame are derived from the structure of the authors' RTL, not published.
    """

    area_mm2: float = 0.35
    power_mw: float = 13.49
    clock_mhz: float = 100.0
    cycles: int = 928

    @property
    def energy_nj(self) -> float:
        """Of a frame, derived."""
        return self.power_mw * self.cycles / self.clock_mhz


def area_22nm(target: str, area: float) -> tuple[float, float]:
    """An area in the cells of `target`, one of ROADS, as one at 22 nm: the lowest and the highest of all roads."""
    road = ROADS[target]
    return _ends(area * NAND2_UM2 / road.nand2_um2, road.area)


def energy_22nm(target: str, voltage: float, energy: float) -> tuple[float, float]:
    """An energy without leakage in the cells of `target` at `voltage` as one at 22 nm and 0.8 V: ends as above."""
    road = ROADS[target]
    return _ends(energy * math.sqrt(NAND2_UM2 / road.nand2_um2) * (VOLTAGE / voltage) ** 2, road.energy)


def _ends(value: float, shares: tuple[float, float]) -> tuple[float, float]:
    return value * shares[0], value * shares[1]
