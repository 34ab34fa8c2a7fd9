"""The accelerator in standard cells: the stages behind `emamba synth RUN --target` a PDK or a liberty file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emamba import files
from emamba.config import Config
from emamba.flow.run import SILENT, Listener, Progress, Stage, perform, read_json, recipe, write_json

if TYPE_CHECKING:
    from emamba.eda.liberty import Library

NETLIST = "silicon/netlist.v"
SILICON = Stage("silicon", (), ("rtl.json",), ("rtl/*",))


def silicon(
    run: Path, target: str, clock_mhz: float | None = None, force: bool = False, listener: Listener = SILENT
) -> dict[str, Any]:
    """silicon.json: cells and area of the Verilog in the cells of `target`; the netlist is silicon/netlist.v.

    `clock_mhz` (default: the recipe's) is what gates are sized for. ConfigError if there is no such target, or if its
    liberty file is none, or lacks what is needed.
    """
    from emamba.eda import pdk

    library, clock = pdk.library(target), clock_mhz or recipe(run).hardware.clock_mhz
    name = Path(target).name if library.paths == (Path(target).expanduser(),) else target
    hashed = files.digest(*(files.read_bytes(path) for path in library.paths))
    chosen = {"target": name, "library": hashed, "clock_mhz": clock}
    perform(SILICON, run, partial(_map, library=library, target=name, clock=clock), chosen, force, listener)
    return read_json(run / "silicon.json")


def _map(run: Path, config: Config, progress: Progress, library: Library, target: str, clock: float) -> list[Path]:
    from emamba.eda.cells import map_cells
    from emamba.flow.design import load_design

    top = load_design(run / "rtl.json").top
    progress(0, 0, f"synth: map to {library.name}")
    netlist = map_cells(files.read_bytes(run / "rtl" / f"{top}.v").decode(errors="replace"), top, library, clock)
    corner = {"library": library.name, "voltage": library.voltage, "temperature": library.temperature}
    content = {"target": target, **corner, "clock_mhz": clock, **netlist.to_json()}
    return [files.write(run / NETLIST, netlist.verilog), write_json(run / "silicon.json", content)]
