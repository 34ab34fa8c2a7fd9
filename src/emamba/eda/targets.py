"""What Yosys maps to: the steps for each family of FPGAs, and what its cells take of the chip."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields

from emamba.errors import ConfigError, ToolError

# These are the steps of `synth_xilinx`, with `abc` in place of `abc9`, which took three times as long
# and a third more LUTs; and without wide multiplexers, with which components of this size took 4 % more
# LUTs. Ports get no pads and clocks no buffers: the core is part of something larger.
_XCUP_OPTIONS = "-family xcup -flatten -noiopad -noclkbuf -nowidelut"
_XCUP_STEPS = ("begin", "prepare", "map_dsp", "coarse", "map_memory", "map_ffram", "fine", "map_cells", "map_ffs")
_XCUP_MAPPING = (
    "opt_expr -mux_undef -noclkinv",
    "abc -luts 2:2,3,6:5",
    "clean",
    "xilinx_srl -fixed -minlen 3",
    "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
    "xilinx_dffopt",
    "opt_lut_ins -tech xilinx",
    "clean",
)
# LUTs that a memory primitive takes (UG574: RAM32M16 and RAM64M8 fill a CLB of eight), and BRAM in
# blocks of 36 kbit.
_XCUP_LUTRAM = {"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}
_XCUP_SHIFTERS = {"SRL16E": 1, "SRLC32E": 1}
_XCUP_BRAM = {"RAMB18E2": 0.5, "RAMB36E2": 1.0}
_XCUP_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")


@dataclass(frozen=True)
class Resources:
    """LUT: logic; LUTRAM: LUTs used as memory or shift register; BRAM in blocks of the family (36, 18 and 4 kbit)."""

    LUT: float = 0
    FF: float = 0
    DSP: float = 0
    BRAM: float = 0
    LUTRAM: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


@dataclass(frozen=True)
class Target:
    """A family: the commands that map a module, by its name, and the resources of a number of cells (None: unknown)."""

    name: str
    commands: Callable[[str], list[str]]
    cells: Callable[[str, int], Resources | None]

    def resources(self, cell: str, count: int) -> Resources:
        """What `count` cells take; ToolError for a cell that is not accounted for."""
        if cell.startswith(("$", "VCC", "GND")) or "." in cell:
            return Resources()  # constants, notes of Yosys, and other components
        found = self.cells(cell, count)
        if found is None:
            raise ToolError(
                f"synthesis left {count} cells of type {cell}", "report it: its resources are not known here"
            )
        return found


def _xcup_commands(top: str) -> list[str]:
    return [*(f"synth_xilinx {_XCUP_OPTIONS} -top {top} -run {step}:{step}" for step in _XCUP_STEPS), *_XCUP_MAPPING]


def _xcup_cells(cell: str, count: int) -> Resources | None:
    if re.fullmatch(r"LUT[1-6]|INV", cell):
        return Resources(LUT=count)
    if cell in _XCUP_FLIP_FLOPS:
        return Resources(FF=count)
    if cell == "DSP48E2":
        return Resources(DSP=count)
    if cell in _XCUP_BRAM:
        return Resources(BRAM=_XCUP_BRAM[cell] * count)
    if cell in _XCUP_LUTRAM or cell in _XCUP_SHIFTERS:
        return Resources(LUTRAM={**_XCUP_LUTRAM, **_XCUP_SHIFTERS}[cell] * count)
    return Resources() if cell.startswith(("CARRY", "MUXF")) else None  # parts of LUT slices


def _ecp5_commands(top: str) -> list[str]:
    return [f"synth_ecp5 -top {top}"]


def _ecp5_cells(cell: str, count: int) -> Resources | None:
    """A carry cell is two LUTs; 16 x 4 bits of RAM are four, and two more that write."""
    if cell in ("LUT4", "CCU2C"):
        return Resources(LUT={"LUT4": 1, "CCU2C": 2}[cell] * count)
    known = {"TRELLIS_FF": "FF", "MULT18X18D": "DSP", "DP16KD": "BRAM"}
    if cell in known:
        return Resources(**{known[cell]: count})
    if cell == "TRELLIS_DPR16X4":
        return Resources(LUTRAM=6 * count)
    return Resources() if cell in ("PFUMX", "L6MUX21") else None  # parts of LUT slices


def _ice40_commands(top: str) -> list[str]:
    return [f"synth_ice40 -device u -dsp -top {top}"]


def _ice40_cells(cell: str, count: int) -> Resources | None:
    """BRAM in blocks of 4 kbit; a carry is a part of the logic cell of its LUT."""
    if cell.startswith("SB_DFF"):
        return Resources(FF=count)
    known = {"SB_LUT4": "LUT", "SB_MAC16": "DSP", "SB_RAM40_4K": "BRAM"}
    return Resources(**{known[cell]: count}) if cell in known else Resources() if cell == "SB_CARRY" else None


XCUP = Target("xcup", _xcup_commands, _xcup_cells)
ECP5 = Target("ecp5", _ecp5_commands, _ecp5_cells)
ICE40 = Target("ice40", _ice40_commands, _ice40_cells)
FPGAS = {**{it.name: it for it in (XCUP, ECP5, ICE40)}, "ulx3s": ECP5}  # the last one is a board with such a chip


def target(name: str) -> Target:
    """The target of that name; ConfigError if there is none."""
    if name not in FPGAS:
        raise ConfigError(f"there is no target {name!r}", f"there are: {', '.join(FPGAS)}")
    return FPGAS[name]
