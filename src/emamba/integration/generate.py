"""What lies around the Verilog: a Vivado project, a FuseSoC core, drivers for PYNQ and ULX3S, a test bench for cocotb.

The text is in `templates`. That for ULX3S is about the module `design.serial_top`, all else about
`design.register_top`.
"""

from __future__ import annotations

import json

from emamba import __version__
from emamba.fixed import Integers
from emamba.graph import Graph
from emamba.integration import ulx3s
from emamba.rtl import Design, elements, register_map
from emamba.templates import rendered

PART, BOARD = "xczu9eg-ffvb1156-2-e", "zcu102"
WIDEST_DMA = 128  # bytes of a beat

_TEMPLATES = {
    "rtl/{top}.core": "fusesoc.core.j2",
    "integration/vivado/package_ip.tcl": "package_ip.tcl.j2",
    "integration/vivado/synthesize.tcl": "synthesize.tcl.j2",
    "integration/vivado/block_design.tcl": "block_design.tcl.j2",
    "integration/vivado/clock.xdc": "clock.xdc.j2",
    "integration/pynq/{top}.py": "pynq_driver.py.j2",
    "integration/cocotb/bus.py": "cocotb_bus.py.j2",
    "integration/cocotb/test_{top}.py": "cocotb_test.py.j2",
    "integration/cocotb/run.py": "cocotb_run.py.j2",
    **ulx3s.TEMPLATES,
}


def generate(graph: Graph, design: Design, clock_mhz: float, frames: Integers, outputs: Integers) -> dict[str, str]:
    """Path in the run folder -> content, for a `design` of `graph`.

    `frames` [batch, tokens, channels] and the `outputs` that golden makes of them are the test bench's vectors;
    `clock_mhz` is what the projects constrain the clock to.
    """
    context = {
        "graph": graph,
        "design": design,
        "clock_mhz": clock_mhz,
        "period_ns": f"{1000 / clock_mhz:.3f}",
        "version": __version__,
        "registers": register_map(design),
        "part": PART,
        "board": BOARD,
        **ulx3s.context(design),
        "widest": WIDEST_DMA,
        "verilog": [f"{top}.v" for top in (design.top, design.stream_top, design.register_top)],
    }
    texts = {
        path.format(top=design.top): rendered("integration", template, context) for path, template in _TEMPLATES.items()
    }
    vectors = {"frames": frames.tolist(), "outputs": outputs.tolist()}
    if design.regions:
        vectors["weights"] = elements(graph, design.regions, graph).tolist()
    return {**texts, "integration/cocotb/vectors.json": json.dumps(vectors) + "\n"}
