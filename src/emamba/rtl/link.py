"""What lies between two stages: a FIFO where paths of different length meet again, and a change of lanes."""

from __future__ import annotations

from math import lcm
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.rtl.stream import Fifo, Narrow, Widen, beats


class Link(wiring.Component):
    """`depth` beats of FIFO (0: none), then beats of `lanes` elements made into beats of `wanted`.

    Lanes divide the channels of a token, so their least common multiple does too: widening to it and
    narrowing from it never mixes tokens.
    """

    def __init__(self, dtype: Integer, lanes: int, wanted: int, depth: int) -> None:
        self._dtype, self._lanes, self._wanted, self._depth = dtype, lanes, wanted, depth
        super().__init__({"source": In(beats(dtype, lanes)), "output": Out(beats(dtype, wanted))})

    def elaborate(self, platform: object) -> Module:
        """Chains what is needed."""
        m = Module()
        wide = lcm(self._lanes, self._wanted)
        parts: dict[str, Fifo | Widen | Narrow] = {}
        if self._depth:
            parts["fifo"] = Fifo(self._dtype, self._lanes, self._depth)
        if wide > self._lanes:
            parts["widen"] = Widen(self._dtype, self._lanes, wide // self._lanes)
        if wide > self._wanted:
            parts["narrow"] = Narrow(self._dtype, self._wanted, wide // self._wanted)
        end: Any = wiring.flipped(self.source)
        for name, part in parts.items():
            m.submodules[name] = part
            wiring.connect(m, end, part.source)
            end = part.output
        wiring.connect(m, end, wiring.flipped(self.output))
        return m
