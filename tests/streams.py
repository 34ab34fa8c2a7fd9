"""Drives one hardware component with token streams, in Amaranth's simulator."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from emamba.fixed import Integers

Beat = tuple[list[int], bool]


@dataclass(frozen=True)
class Flow:
    """What left a component: its beats, and the cycle in which each did."""

    beats: list[Beat]
    cycles: list[int]

    def tokens(self, channels: int) -> Integers:
        """The elements as [tokens, channels]."""
        return np.array([beat[0] for beat in self.beats], dtype=np.int64).reshape(-1, channels)


def to_beats(frames: Integers, lanes: int) -> list[Beat]:
    """`frames` [batch, tokens, channels] as beats of `lanes` elements; `first` marks first tokens."""
    return [
        (token[start : start + lanes].tolist(), index == 0)
        for frame in frames
        for index, token in enumerate(frame)
        for start in range(0, len(token), lanes)
    ]


def drive(component: Any, sources: dict[str, list[Beat]], expected: int, stalls: float = 0.0, seed: int = 0) -> Flow:
    """Feeds `sources` by member name and takes `expected` beats from `output`; both sides pause with
    probability `stalls`. Fails when the output hangs or changes a beat that waits."""
    got: list[Beat] = []
    cycles: list[int] = []
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for index, (name, items) in enumerate(sources.items()):
        simulator.add_testbench(
            _feeder(getattr(component, name), items, stalls, random.Random(seed + index)), background=True
        )
    simulator.add_testbench(_sink(component.output, expected, stalls, random.Random(~seed), got, cycles))
    simulator.run()
    return Flow(got, cycles)


def _feeder(port: Any, items: list[Beat], stalls: float, rng: random.Random) -> Any:
    async def feed(context: Any) -> None:
        for data, first in items:
            while rng.random() < stalls:
                context.set(Value.cast(port.payload), rng.getrandbits(len(Value.cast(port.payload))))
                await context.tick()
            for lane, value in enumerate(data):
                context.set(port.payload.data[lane], value)
            context.set(port.payload.first, first)
            context.set(port.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await context.tick().sample(port.ready)
            context.set(port.valid, 0)

    return feed


def _sink(port: Any, expected: int, stalls: float, rng: random.Random, got: list[Beat], cycles: list[int]) -> Any:
    lanes = [port.payload.data[lane] for lane in range(len(port.payload.data))]

    async def sink(context: Any) -> None:
        cycle, idle, waiting = 0, 0, None
        while len(got) < expected:
            ready = rng.random() >= stalls
            context.set(port.ready, ready)
            _, _, valid, first, *data = await context.tick().sample(port.valid, port.payload.first, *lanes)
            cycle, idle = cycle + 1, 0 if valid else idle + 1
            assert idle < 3000, f"hangs after {len(got)} of {expected} beats"
            assert waiting is None or (valid and waiting == (data, first)), "a waiting beat changed"
            waiting = None
            if valid and ready:
                got.append((list(data), bool(first)))
                cycles.append(cycle)
            elif valid:
                waiting = (data, first)

    return sink
