"""The accelerator on a board: what `emamba synth RUN --target ulx3s` adds to the mapping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emamba import files
from emamba.errors import ArtifactError

if TYPE_CHECKING:
    from emamba.eda.nextpnr import Routing
    from emamba.rtl import Design

FOLDER = "integration/ulx3s"


def configure(run: Path, design: Design) -> tuple[Routing, Path]:
    """The bitstream of `design` behind its serial line, from the Verilog and the pins in the run folder, and its clock.

    ArtifactError if these are not there; ToolError as of `eda.nextpnr.configure`.
    """
    from emamba.eda import nextpnr
    from emamba.integration import BOARD_MHZ

    pins, shell = (run / FOLDER / name for name in (f"{design.top}.lpf", f"{design.serial_top}.v"))
    for path in (pins, shell):
        if not path.is_file():
            raise ArtifactError(f"{path} is not there", "run `emamba emit RUN --force`")
    parts = [*(run / "rtl" / f"{top}.v" for top in (design.top, design.stream_top)), shell]
    verilog, constraints = "".join(_text(path) for path in parts), _text(pins)
    found, bits = nextpnr.configure(verilog, design.serial_top, constraints, BOARD_MHZ)
    routing = replace(found, device=f"ULX3S ({found.device}) with its serial line, not run on hardware")
    return routing, files.write(run / FOLDER / f"{design.top}.bit", bits)


def _text(path: Path) -> str:
    return files.read_bytes(path).decode(errors="replace")
