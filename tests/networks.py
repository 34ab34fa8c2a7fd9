"""Random networks of Mamba blocks, whose every tensor is lively: what every executor is held against as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cases import INT8, UINT8, Case
from emamba.fixed import Integer
from emamba.fuzz.growth import Growth
from emamba.fuzz.operations import flatten, joined, lookup, norm, scan
from emamba.graph import Graph, Multiply, Pool, check


class Network(Growth):
    """A graph that grows by what Mamba networks are made of."""

    def stem(self, width: int, count: int) -> str:
        """Small tokens through a linear operation and an activation, then `count` of them as one."""
        small = self.linear("stem", "input", width)
        curved = self.add(self.silu(small), "stem_silu", source=small)
        return self.add(flatten("", "", count * width), "stem_flatten", source=curved)

    def row(self, width: int) -> str:
        """Tokens of `width` from a table; what picks them is linear in the input."""
        index = self.linear("index", "input", 1, UINT8)
        return self.add(lookup(self.rng, UINT8, width, self.dtype), "embedding", source=index)

    def block(self, name: str, stream: str) -> str:
        """A Mamba block behind `stream`, of random sizes and curves."""
        rng, bits, width = self.rng, self.dtype.bits, self.tensors[stream].shape[2]
        inner, states = int(rng.integers(4, 13)), int(rng.integers(1, 6))
        normed = self.add(norm(width, self.dtype), f"{name}_norm", source=stream)
        x = self.linear(f"{name}_x", normed, inner)
        z = self.linear(f"{name}_z", normed, inner)
        x = self.add(self.convolution(x), f"{name}_convolution", source=x)
        dt = self.linear(f"{name}_dt", x, int(rng.integers(1, 4)))
        delta = self.linear(f"{name}_delta", dt, inner, UINT8)
        b, c = self.linear(f"{name}_b", x, states), self.linear(f"{name}_c", x, states)
        drawn = scan(rng, inner, states, bool(rng.integers(2)), Integer(int(rng.choice([12, 17]))), 7)
        wider = {"drive_shift": drawn.drive_shift + 2 * (bits - 8), "skip_shift": drawn.skip_shift - bits + 8}
        y = self.add(replace(drawn, **wider), f"{name}_scan", x=x, delta=delta, b=b, c=c)
        gate = self.add(self.silu(z), f"{name}_gate", source=z)
        gated = Multiply(name="", left="", right="", channels=inner, dtype=INT8, fraction_bits=4, shift=0)
        out = self.linear(f"{name}_out", self.add(gated, f"{name}_gated", left=y, right=gate), width)
        shifts = {"left_shift": int(rng.integers(3)), "right_shift": int(rng.integers(3))}
        return self.add(replace(joined("", "", width), **shifts), name, left=stream, right=out)


def random_network(seed: int, blocks: int = 2) -> Case:
    """A network of so many Mamba blocks of random sizes, types and curves, each of its tensors lively.

    Seeds of one remainder by 3 have the same kind of end: a pool, a flatten, or neither. Odd seeds have
    shifts that are each channel's own. Every fourth one begins with a stem that makes one token of several, and
    another fourth with a table.
    """
    rng = np.random.default_rng(seed)
    tokens, dtype = int(rng.integers(1, 10)), Integer(int(rng.choice([6, 8, 8, 10])))
    count = int(np.random.default_rng(seed).integers(2, 5)) if seed % 4 == 1 else 1
    network = Network(rng, count * tokens, int(rng.integers(1, 7)), dtype, mixed=seed % 2 == 1)
    first = network.stem(int(rng.integers(2, 6)), count) if count > 1 else "input"
    width = int(rng.integers(3, 11))
    stream = network.row(width) if seed % 4 == 3 else network.linear("embedding", first, width)
    for index in range(blocks):
        stream = network.block(f"block{index}", stream)
    width = network.tensors[stream].shape[2]
    last = network.add(norm(width, dtype), "head_norm", source=stream)
    pool = Pool(name="", source="", channels=width, dtype=dtype, fraction_bits=4, shift=0)
    if seed % 3 < 2:
        last = network.add((pool, flatten("", "", tokens * width))[seed % 3], "head_token", source=last)
    network.linear("head", last, int(rng.integers(2, 12)), Integer(int(rng.choice([8, 16, 20]))))
    return Case(check(Graph(f"network{seed}", network.tokens, tuple(network.operations))), network.frames)
