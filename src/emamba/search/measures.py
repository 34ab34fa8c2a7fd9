"""What a design costs, as a search names it, and wishes for it: `multipliers<=256`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emamba.config import Config
from emamba.errors import ConfigError
from emamba.graph import Graph, parameter_count
from emamba.rtl import estimate, solve
from emamba.rtl.standard_cells import PRICES, chips

Costs = Mapping[str, float]

COSTS = {
    "multipliers": "multipliers of the accelerator",
    "dsp": "DSP blocks of an FPGA: one a multiplier, or one a pair (hardware.packing)",
    "lut": "LUTs for logic on AMD UltraScale+, estimated",
    "ff": "flip-flops on AMD UltraScale+, estimated",
    "rom_kbit": "weights and tables in memories",
    "ram_kbit": "states, rings and FIFOs in memories",
    "memory_kbit": "both",
    "latency_cycles": "first beat in to last beat out",
    "cycles": "cycles a frame",
    "multiplier_cycles": "multipliers times cycles a frame: what is paid for a frame, however it is folded",
    "fps": "frames a second at the recipe's clock",
    "parameters": "weights and biases of the integer graph",
    **{f"{name}_mm2": f"area in the standard cells of {name}, estimated" for name in PRICES},
    **{
        f"{name}_nj": f"energy of a frame in the standard cells of {name}, frame behind frame, estimated"
        for name in PRICES
    },
}


@dataclass(frozen=True)
class Constraint:
    """A cost that has to be at most (`<=`) or at least (`>=`) a limit."""

    cost: str
    compare: str
    limit: float

    def excess(self, costs: Costs) -> float:
        """By how much of the limit `costs` miss it; 0 or less if they keep it."""
        distance = costs[self.cost] - self.limit if self.compare == "<=" else self.limit - costs[self.cost]
        return distance / (abs(self.limit) or 1.0)

    def __str__(self) -> str:
        return f"{self.cost}{self.compare}{repr(self.limit).removesuffix('.0')}"


def constraints(texts: Sequence[str]) -> tuple[Constraint, ...]:
    """Each text as a constraint; ConfigError if it is none, or if two of them cannot both hold."""
    found = tuple(map(_constraint, texts))
    for low in found:
        for high in found:
            if low.cost == high.cost and (low.compare, high.compare) == (">=", "<=") and low.limit > high.limit:
                raise ConfigError(f"{low} and {high} contradict each other", "leave one of them out")
    return found


def costs(graph: Graph, config: Config) -> dict[str, float]:
    """Every cost of `COSTS` for the accelerator of `graph` that the recipe asks for; ConfigError if there is none."""
    hardware = config.hardware
    foldings = solve(graph, hardware.interval_cycles, hardware.latency_cycles, hardware.packing)
    made = estimate(graph, foldings, hardware.weights == "ram")
    total, speed = made.total, made.performance
    return {
        "multipliers": total.multipliers,
        "dsp": total.dsp,
        "lut": round(total.lut),
        "ff": round(total.ff),
        "rom_kbit": total.rom_bits / 1000,
        "ram_kbit": total.ram_bits / 1000,
        "memory_kbit": total.memory_bits / 1000,
        "latency_cycles": speed.latency_cycles,
        "cycles": speed.cycles_per_frame,
        "multiplier_cycles": total.multipliers * speed.cycles_per_frame,
        "fps": hardware.clock_mhz * 1e6 / speed.cycles_per_frame,
        "parameters": parameter_count(graph),
        **chips(made),
    }


def known_cost(name: str) -> str:
    """`name`, if it is a cost; ConfigError otherwise."""
    if name not in COSTS:
        raise ConfigError(f"there is no cost {name!r}", f"there are: {', '.join(COSTS)}")
    return name


def _constraint(text: str) -> Constraint:
    found = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)\s*", text)
    if found is None:
        raise ConfigError(f"{text!r} is no constraint", "write a cost, <= or >=, and a number: multipliers<=256")
    return Constraint(known_cost(found[1]), found[2], float(found[3]))
