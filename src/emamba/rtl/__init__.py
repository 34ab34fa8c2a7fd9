"""The graph as a streaming accelerator in Amaranth."""

from emamba.rtl.build import build
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.estimate import Estimate, estimate
from emamba.rtl.explore import Explored, Point, front
from emamba.rtl.wishes import fastest, interval_of_rate, solve

__all__ = [
    "Design",
    "Estimate",
    "Explored",
    "Point",
    "Port",
    "Stage",
    "build",
    "estimate",
    "fastest",
    "front",
    "interval_of_rate",
    "solve",
]
