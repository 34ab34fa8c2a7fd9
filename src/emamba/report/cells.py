"""What has been measured of a design in standard cells: JSON files of a run as frozen values, which `results` reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Corner:
    """The library that something was measured with, and the voltage and temperature that it is for."""

    library: str
    voltage: float
    temperature: float

    @property
    def corner(self) -> str:
        """Voltage and temperature, as reports say them."""
        return f"{self.voltage:g} V, {self.temperature:g} C"


@dataclass(frozen=True)
class CellArea:
    """Area of one component in standard cells, in um2."""

    name: str
    logic: float
    registers: float
    memory: float
    gates: float


@dataclass(frozen=True)
class Silicon(Corner):
    """silicon.json: the design in the cells of a library at one corner; `clock_mhz` is what gates were sized for."""

    target: str
    clock_mhz: float
    cells: int
    area_um2: float
    gate_equivalents: int | None
    areas_um2: dict[str, float]
    components: tuple[CellArea, ...]


@dataclass(frozen=True)
class Timing(Corner):
    """timing.json: how fast the cells are, with the wires that are assumed in words and without; what limits them.

    `corners` are the same at other corners.
    """

    wished_mhz: float
    clock_mhz: float
    slack_ns: float
    clock_without_wires_mhz: float
    wires: str
    critical_path: str
    corners: tuple[Timing, ...] = ()


@dataclass(frozen=True)
class Gates:
    """gates.json: how many frames the cells were held against golden on."""

    frames: int
    mismatches: int
    cells: int


@dataclass(frozen=True)
class CellPower:
    """Power of one component in standard cells, in mW."""

    name: str
    clock: float
    logic: float
    memory: float
    leakage: float


@dataclass(frozen=True)
class Power(Corner):
    """power.json: at `clock_mhz`, with a frame every `interval_cycles`, and with none; `energy_nj` of a frame.

    `corners` are the same at other corners.
    """

    clock_mhz: float
    interval_cycles: int
    frames: int
    total_mw: float
    powers_mw: dict[str, float]
    idle_mw: float
    energy_nj: float
    components: tuple[CellPower, ...]
    corners: tuple[Power, ...] = ()


@dataclass(frozen=True)
class Rate:
    """rate.json: energy at a stated number of frames a second, with the idle time behind each frame."""

    fps: float
    tokens: int
    frame_nj: float
    token_nj: float


@dataclass(frozen=True)
class Macros(Corner):
    """macros.json: what memories of the design would take in SRAM macros instead of flip-flops, estimated.

    The `macro` has `words` of `bits`, and `macros` of them would hold the `chosen` memories, in um2; reading these
    takes `reads_nj` a frame at most.
    """

    macro: str
    words: int
    bits: int
    at_once: bool
    access_ns: float | None
    chosen: int
    macros: int
    flip_flops_um2: float
    macros_um2: float
    reads_nj: float | None
