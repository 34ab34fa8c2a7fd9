"""The accelerator as a noun: what `build` gives and every later room reads."""

from __future__ import annotations

from dataclasses import dataclass

from emamba.fixed import Integer


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
    for observation, wires `tap_<tensor>_{payload,valid,ready}` and `busy_<stage>`.
    """

    name: str
    top: str
    rtlil: str
    interval_cycles: int
    input: Port
    output: Port
    stages: tuple[Stage, ...]
    taps: tuple[Port, ...]

    @property
    def multipliers(self) -> int:
        """All multipliers of the design."""
        return sum(stage.multipliers for stage in self.stages)
