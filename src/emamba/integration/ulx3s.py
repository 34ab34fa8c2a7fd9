"""What the ULX3S, a board with an ECP5, needs beside Verilog: its pins, and a script for the computer at its USB port.

The clock is that of its oscillator. `BAUD` is a rate that its USB port (FT231X: 3 MHz over a number) has exactly.
"""

from __future__ import annotations

from typing import Any

from emamba.rtl import Design, serial_room

BOARD_MHZ, BAUD = 25, 1_000_000
BIT_CYCLES = BOARD_MHZ * 1_000_000 // BAUD

TEMPLATES = {"integration/ulx3s/{top}.lpf": "ulx3s.lpf.j2", "integration/ulx3s/{top}.py": "ulx3s_host.py.j2"}


def context(design: Design) -> dict[str, Any]:
    """What the templates say of board and line."""
    return {"board_mhz": BOARD_MHZ, "baud": BAUD, "bit_cycles": BIT_CYCLES, "room": serial_room(design)}
