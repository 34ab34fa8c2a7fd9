"""The accelerator as a noun: what `build` gives and every later room reads."""

from __future__ import annotations

from dataclasses import dataclass

from emamba.fixed import Integer
from emamba.rtl.weights import Region


@dataclass(frozen=True)
class Port:
    """A token stream in hardware: a token is `channels / lanes` beats of `lanes` elements."""

    name: str
    channels: int
    lanes: int
    dtype: Integer
    tokens: int

    @property
    def beats(self) -> int:
        """Beats of one token."""
        return self.channels // self.lanes

    @property
    def frame_beats(self) -> int:
        """Beats of one frame."""
        return self.tokens * self.beats

    @property
    def frame_bytes(self) -> int:
        """Bytes of the elements of one frame, without those that fill beats up."""
        return self.tokens * self.channels * self.element_bytes

    @property
    def element_bytes(self) -> int:
        """Bytes of an element on AXI: the fewest of 1, 2, 4, 8 that hold it."""
        return 1 << max(0, (self.dtype.bits - 1).bit_length() - 3)

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat on AXI: the power of two that holds `lanes` elements, because DMAs take no other widths."""
        return self.element_bytes << (self.lanes - 1).bit_length()


@dataclass(frozen=True)
class Stage:
    """One operation in hardware: elements or products a cycle, multipliers, busy cycles a token."""

    name: str
    kind: str
    lanes: int
    multipliers: int
    cycles: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """A whole accelerator.

    `rtlil` is what Yosys reads; its top module `top` has the streams `input` and `output`, and inside,
    for observation, wires `tap_<tensor>_{payload,valid,ready}` and `busy_<stage>`. `graph_hash` is the graph's content
    hash. `regions` are the memories of weights that can be loaded; without any, weights are constants.
    """

    name: str
    top: str
    rtlil: str
    interval_cycles: int
    input: Port
    output: Port
    stages: tuple[Stage, ...]
    taps: tuple[Port, ...]
    graph_hash: str
    regions: tuple[Region, ...] = ()

    @property
    def stream_top(self) -> str:
        """The module that wraps `top` in AXI4-Stream. No core is called so: their names all begin with `emamba_`."""
        return f"axis_{self.top}"

    @property
    def register_top(self) -> str:
        """The module that wraps `stream_top` and has registers on AXI4-Lite beside it."""
        return f"axi_{self.top}"

    @property
    def serial_top(self) -> str:
        """The module that wraps `stream_top` in a serial line."""
        return f"uart_{self.top}"

    @property
    def frame_cycles(self) -> int:
        """Cycles that one frame alone may take, generously: each stage at its slowest, one after the other."""
        slowest = max(self.interval_cycles, *(stage.cycles for stage in self.stages))
        return self.input.tokens * slowest + sum(stage.cycles for stage in self.stages)

    @property
    def multipliers(self) -> int:
        """All multipliers of the design."""
        return sum(stage.multipliers for stage in self.stages)
