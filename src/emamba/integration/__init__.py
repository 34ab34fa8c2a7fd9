"""Projects, driver and test bench for those who build the accelerator in."""

from emamba.integration.generate import generate

__all__ = ["generate"]
