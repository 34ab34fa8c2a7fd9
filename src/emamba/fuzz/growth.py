"""A graph that grows operation by operation over frames, so that every one of its tensors is lively."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emamba.curve import integer_segments, silu, silu_segments, tabulate
from emamba.fixed import Integer, Integers
from emamba.fuzz.operations import border_frames, causal, convolution, linear, source
from emamba.graph import Activation, Convolution, Linear, Operation
from emamba.graph.golden import execute


class Growth:
    """Operations so far, and the `tensors` that they make of `frames` [batch, tokens, channels].

    Every operation gets the shift that makes its tensor lively. With `mixed`, channels of linear operations and
    convolutions have weights of different sizes, and a shift each. `dtype` is that of tensors that ask for none.
    """

    def __init__(self, rng: np.random.Generator, tokens: int, channels: int, dtype: Integer, mixed: bool) -> None:
        self.rng, self.tokens, self.dtype, self.mixed = rng, tokens, dtype, mixed
        self.frames = border_frames(rng, tokens, channels, dtype)
        self.operations: list[Operation] = [source(channels, dtype)]
        self.tensors = {"input": self.frames}

    def type(self, name: str) -> Integer:
        """The element type of tensor `name`."""
        return next(op.dtype for op in self.operations if op.name == name)

    def add(self, op: Operation, name: str, dtype: Integer | None = None, **sources: str) -> str:
        """Appends `op`, most of whose values then fit its type, while some are cut; gives its name."""
        op = replace(op, name=name, dtype=dtype or self.dtype, **sources)
        if isinstance(op, Linear | Convolution):
            op = self._shifted(op)
        elif hasattr(op, "shift"):
            exact = execute(replace(op, shift=0, dtype=Integer(60)), self.tensors)
            op = replace(op, shift=int(_usual_shift(exact, op.dtype, axis=None)))
        self.operations.append(op)
        self.tensors[name] = execute(op, self.tensors)
        return name

    def linear(self, name: str, source: str, outputs: int, dtype: Integer | None = None) -> str:
        """Appends a linear operation with random weights."""
        drawn = linear(self.rng, self.tensors[source].shape[2], outputs, 0)
        return self.add(replace(drawn, bias=drawn.bias // 8), name, dtype, source=source)

    def convolution(self, source: str) -> Convolution:
        """A causal one for `source`, or one that may look ahead, on a grid of random sides."""
        rng, (_, tokens, channels) = self.rng, self.tensors[source].shape
        if rng.integers(2):
            return causal(rng, channels, int(rng.integers(1, 5)), tokens, 0)
        high, wide = rng.integers(1, 4, 2).tolist()
        own = int(rng.integers(high)), int(rng.integers(wide))
        columns = int(rng.choice([side for side in range(1, tokens + 1) if tokens % side == 0]))
        return convolution(rng, channels, (high, wide), own, columns, 0)

    def silu(self, source: str, dtype: Integer | None = None) -> Activation:
        """One for `source`, as a table or as segments; either reaches from about -5 to 11."""
        domain, dtype = self.type(source), dtype or self.dtype
        fraction = max(domain.bits - 4, 0)
        curve = tabulate(silu, domain, fraction, dtype, fraction)
        if self.rng.integers(2):
            curve = integer_segments(silu_segments(17, "paper"), domain, fraction, dtype, fraction)
        channels = self.tensors[source].shape[2]
        return Activation(name="", source="", channels=channels, dtype=dtype, fraction_bits=4, curve=curve)

    def _shifted(self, op: Linear | Convolution) -> Linear | Convolution:
        """`op` with the shifts of its channels."""
        if self.mixed:
            smaller = np.random.default_rng(len(self.operations)).integers(0, 3, op.channels)
            op = replace(op, weight=(op.weight.T >> smaller).T, bias=op.bias >> smaller)
        exact = execute(replace(op, shift=np.zeros(op.channels, int), dtype=Integer(60)), self.tensors)
        if not self.mixed:
            return replace(op, shift=np.full(op.channels, _usual_shift(exact, op.dtype, axis=None)))
        own = _usual_shift(exact, op.dtype, axis=(0, 1))
        return replace(op, shift=np.maximum(own, own.max() - 3))


def _usual_shift(exact: Integers, dtype: Integer, axis: tuple[int, ...] | None) -> Integers:
    """The shift with which most values of `exact` fit `dtype`, while some are cut; over `axis`."""
    usual = np.maximum(1.0, np.quantile(np.abs(exact), 0.97, axis=axis))
    return np.ceil(np.log2(usual / dtype.hi)).astype(np.int64)
