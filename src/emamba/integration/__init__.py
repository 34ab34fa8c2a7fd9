"""Projects, driver and test bench for those who build the accelerator in."""

from emamba.integration.generate import generate
from emamba.integration.ulx3s import BIT_CYCLES, BOARD_MHZ

__all__ = ["BIT_CYCLES", "BOARD_MHZ", "generate"]
