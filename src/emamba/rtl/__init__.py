"""The graph as a streaming accelerator in Amaranth."""

from emamba.rtl.axi_lite import Register, register_map, register_top
from emamba.rtl.axi_stream import stream_top
from emamba.rtl.build import build
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.estimate import Estimate, estimate
from emamba.rtl.explore import Explored, Point, beats, front
from emamba.rtl.uart import serial_room, serial_top
from emamba.rtl.weights import Region, elements
from emamba.rtl.wishes import fastest, interval_of_rate, solve

__all__ = [
    "Design",
    "Estimate",
    "Explored",
    "Point",
    "Port",
    "Region",
    "Register",
    "Stage",
    "beats",
    "build",
    "elements",
    "estimate",
    "fastest",
    "front",
    "interval_of_rate",
    "register_map",
    "register_top",
    "serial_room",
    "serial_top",
    "solve",
    "stream_top",
]
