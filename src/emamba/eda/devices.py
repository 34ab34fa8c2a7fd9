"""FPGAs that one can buy: what is in them, and how much of it a mapped design takes.

UltraScale+: data sheets DS891 (Zynq UltraScale+) and DS987 (Kria K26), two flip-flops to a LUT. ECP5: FPGA-DS-02012,
the exact numbers as nextpnr counts them. iCE40 UltraPlus: FPGA-DS-02008.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emamba.eda.targets import Resources


@dataclass(frozen=True)
class Part:
    """An FPGA of the family `target`, a board with it, and what it has; BRAM in blocks of its family."""

    name: str
    board: str
    target: str
    has: Resources

    def fills(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Shares of it that resources by kind take, 1 is all of it; LUTs used as memory are LUTs."""
        used = {**totals, "LUT": totals.get("LUT", 0) + totals.get("LUTRAM", 0)}
        return {kind: used.get(kind, 0) / getattr(self.has, kind) for kind in ("LUT", "FF", "DSP", "BRAM")}


# Small ones first.
PARTS = (
    Part("XCZU3EG", "Ultra96", "xcup", Resources(LUT=70_560, FF=141_120, DSP=360, BRAM=216)),
    Part("XCK26", "KV260", "xcup", Resources(LUT=117_120, FF=234_240, DSP=1_248, BRAM=144)),
    Part("XCZU9EG", "ZCU102", "xcup", Resources(LUT=274_080, FF=548_160, DSP=2_520, BRAM=912)),
    Part("LFE5U-25F", "ULX3S 25F", "ecp5", Resources(LUT=24_288, FF=24_288, DSP=28, BRAM=56)),
    Part("LFE5U-45F", "ULX3S 45F", "ecp5", Resources(LUT=43_848, FF=43_848, DSP=72, BRAM=108)),
    Part("LFE5U-85F", "ULX3S 85F", "ecp5", Resources(LUT=83_640, FF=83_640, DSP=156, BRAM=208)),
    Part("iCE40UP5K", "iCEBreaker", "ice40", Resources(LUT=5_280, FF=5_280, DSP=8, BRAM=30)),
)


def parts(target: str) -> list[Part]:
    """Those of a family, small ones first."""
    return [part for part in PARTS if part.target == target]
