"""The graph as portable C: C99, integers only, no heap, weights as constants, token by token."""

from emamba.firmware.generate import generate

__all__ = ["generate"]
