"""Projects, driver and test bench for those who build the accelerator in."""

from emamba.integration.generate import BIT_CYCLES, BOARD_MHZ, generate

__all__ = ["BIT_CYCLES", "BOARD_MHZ", "generate"]
