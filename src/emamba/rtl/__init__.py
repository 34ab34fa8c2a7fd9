"""The graph as a streaming accelerator in Amaranth."""

from emamba.rtl.build import build
from emamba.rtl.design import Design, Port, Stage

__all__ = ["Design", "Port", "Stage", "build"]
