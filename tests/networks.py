"""Random networks of Mamba blocks, whose every tensor is lively: what every executor is held against as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cases import (
    INT8,
    UINT8,
    Case,
    activation,
    border_frames,
    causal,
    convolution,
    flatten,
    joined,
    linear,
    norm,
    scan,
    source,
)
from emamba.curve import integer_segments, silu, silu_segments, tabulate
from emamba.fixed import Integer, Integers
from emamba.graph import Activation, Convolution, Graph, Linear, Multiply, Operation, Pool, check
from emamba.graph.golden import execute


class Network:
    """A graph that grows over one set of frames; every operation gets the shift that makes its tensor lively.

    With `mixed`, channels of linear operations and convolutions have weights of different sizes, and a shift each.
    """

    def __init__(self, rng: np.random.Generator, tokens: int, channels: int, dtype: Integer, mixed: bool) -> None:
        self.rng, self.tokens, self.dtype, self.mixed = rng, tokens, dtype, mixed
        self.frames = border_frames(rng, tokens, channels, dtype)
        self.operations: list[Operation] = [source(channels, dtype)]
        self.tensors = {"input": self.frames}

    def add(self, op: Operation, name: str, dtype: Integer | None = None, **sources: str) -> str:
        """Appends `op`, most of whose values then fit its type, while some are cut; gives its name."""
        op = replace(op, name=name, dtype=dtype or self.dtype, **sources)
        if isinstance(op, Linear | Convolution):
            op = self.shifted(op)
        elif hasattr(op, "shift"):
            exact = execute(replace(op, shift=0, dtype=Integer(60)), self.tensors)
            op = replace(op, shift=int(usual_shift(exact, op.dtype, axis=None)))
        self.operations.append(op)
        self.tensors[name] = execute(op, self.tensors)
        return name

    def shifted(self, op: Linear | Convolution) -> Linear | Convolution:
        """`op` with the shifts of its channels."""
        if self.mixed:
            smaller = np.random.default_rng(len(self.operations)).integers(0, 3, op.channels)
            op = replace(op, weight=(op.weight.T >> smaller).T, bias=op.bias >> smaller)
        exact = execute(replace(op, shift=np.zeros(op.channels, int), dtype=Integer(60)), self.tensors)
        if not self.mixed:
            return replace(op, shift=np.full(op.channels, usual_shift(exact, op.dtype, axis=None)))
        own = usual_shift(exact, op.dtype, axis=(0, 1))
        return replace(op, shift=np.maximum(own, own.max() - 3))

    def linear(self, name: str, source: str, outputs: int, dtype: Integer | None = None) -> str:
        drawn = linear(self.rng, self.tensors[source].shape[2], outputs, 0)
        return self.add(replace(drawn, bias=drawn.bias // 8), name, dtype, source=source)

    def stem(self, width: int, count: int) -> str:
        """Small tokens through a linear operation and an activation, then `count` of them as one."""
        small = self.linear("stem", "input", width)
        curved = self.add(self.silu(width), "stem_silu", source=small)
        return self.add(flatten("", "", count * width), "stem_flatten", source=curved)

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
        gate = self.add(self.silu(inner), f"{name}_gate", source=z)
        gated = Multiply(name="", left="", right="", channels=inner, dtype=INT8, fraction_bits=4, shift=0)
        out = self.linear(f"{name}_out", self.add(gated, f"{name}_gated", left=y, right=gate), width)
        shifts = {"left_shift": int(rng.integers(3)), "right_shift": int(rng.integers(3))}
        return self.add(replace(joined("", "", width), **shifts), name, left=stream, right=out)

    def convolution(self, source: str) -> Convolution:
        """A causal one, or one that may look ahead, on a grid of random sides."""
        rng, (_, tokens, channels) = self.rng, self.tensors[source].shape
        if rng.integers(2):
            return causal(rng, channels, int(rng.integers(1, 5)), tokens, 0)
        high, wide = rng.integers(1, 4, 2).tolist()
        own = int(rng.integers(high)), int(rng.integers(wide))
        columns = int(rng.choice([side for side in range(1, tokens + 1) if tokens % side == 0]))
        return convolution(rng, channels, (high, wide), own, columns, 0)

    def silu(self, channels: int) -> Activation:
        """As a table or as segments; either reaches from about -5 to 11."""
        fraction = self.dtype.bits - 4
        curve = tabulate(silu, self.dtype, fraction, self.dtype, fraction)
        if self.rng.integers(2):
            curve = integer_segments(silu_segments(17, "paper"), self.dtype, fraction, self.dtype, fraction)
        return replace(activation(table=True), channels=channels, curve=curve)


def usual_shift(exact: Integers, dtype: Integer, axis: tuple[int, ...] | None) -> Integers:
    """The shift with which most values of `exact` fit `dtype`, while some are cut; over `axis`."""
    usual = np.maximum(1.0, np.quantile(np.abs(exact), 0.97, axis=axis))
    return np.ceil(np.log2(usual / dtype.hi)).astype(np.int64)


def random_network(seed: int) -> Case:
    """A network of two Mamba blocks of random sizes, types and curves, each of its tensors lively.

    Seeds of one remainder by 3 have the same kind of end: a pool, a flatten, or neither. Odd seeds have
    shifts that are each channel's own. Every fourth one begins with a stem that makes one token of several.
    """
    rng = np.random.default_rng(seed)
    tokens, dtype = int(rng.integers(1, 10)), Integer(int(rng.choice([6, 8, 8, 10])))
    count = int(np.random.default_rng(seed).integers(2, 5)) if seed % 4 == 1 else 1
    network = Network(rng, count * tokens, int(rng.integers(1, 7)), dtype, mixed=seed % 2 == 1)
    first = network.stem(int(rng.integers(2, 6)), count) if count > 1 else "input"
    stream = network.linear("embedding", first, int(rng.integers(3, 11)))
    for name in ("block0", "block1"):
        stream = network.block(name, stream)
    width = network.tensors[stream].shape[2]
    last = network.add(norm(width, dtype), "head_norm", source=stream)
    pool = Pool(name="", source="", channels=width, dtype=dtype, fraction_bits=4, shift=0)
    if seed % 3 < 2:
        last = network.add((pool, flatten("", "", tokens * width))[seed % 3], "head_token", source=last)
    network.linear("head", last, int(rng.integers(2, 12)), Integer(int(rng.choice([8, 16, 20]))))
    return Case(check(Graph(f"network{seed}", network.tokens, tuple(network.operations))), network.frames)
