"""Random trials: legal graphs of random topology, random foldings of them, frames at the borders of their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import numpy as np

from emamba.errors import ConfigError, GraphError
from emamba.fixed import Integer
from emamba.fuzz.growth import Growth
from emamba.fuzz.operations import flatten, joined, lookup, norm, scan
from emamba.fuzz.trial import Trial
from emamba.graph import Add, Graph, Multiply, Pool, check
from emamba.rtl.buffers import slowest
from emamba.rtl.folding import Folding, candidates, packed
from emamba.rtl.performance import network
from emamba.rtl.solver import fold, tokens_read
from emamba.rtl.weights import loadable

_TOKENS = (1, 2, 3, 4, 6, 8, 9, 12, 16)
_WIDEST_TOKEN = 40  # elements
_WIDEST_TABLE = 10  # bits of an element that a table or a range norm looks up
_FRAME_CYCLES = 400  # at most, of a stage that is not the fastest possible
_TRIAL_CYCLES, _FEWEST_FRAMES, _MOST_FRAMES = 6000, 6, 40


def draw(seed: int) -> Trial:
    """The trial of `seed`, whose graph is `fuzz<seed>`; always the same one."""
    rng = np.random.default_rng(seed)
    graph, growth = _graph(rng, f"fuzz{seed}")
    foldings, interval = _folded(rng, graph)
    count = _frames(graph, foldings)
    frames = np.resize(growth.frames[rng.permutation(len(growth.frames))], (count, *growth.frames.shape[1:]))
    beats = graph.tokens * (graph.input.channels // foldings[graph.input.name].output)
    stalls = tuple(rng.integers(1 << 30, size=2).tolist())
    reset_after = int(rng.integers(2 * beats + 1))
    form = str(rng.choice(["plain", "packed", "packed", "loadable"]))
    if form == "packed":
        foldings = {op.name: packed(graph, op, foldings[op.name]) for op in graph.operations}
    loaded = form == "loadable" and _loadable(graph, foldings)
    return Trial(graph, foldings, interval, frames, stalls, reset_after, loaded)


def _loadable(graph: Graph, foldings: Mapping[str, Folding]) -> bool:
    """Whether there are weights to load, none of them wider than the bus."""
    try:
        return bool(loadable(graph, foldings))
    except ConfigError:
        return False


def _graph(rng: np.random.Generator, name: str) -> tuple[Graph, Topology]:
    """A graph that keeps all rules; those that only look at the whole of it refuse a few."""
    while True:
        topology = Topology(rng)
        for _ in range(int(rng.integers(1, 7))):
            topology.grow()
        topology.close()
        try:
            return check(Graph(name, topology.tokens, tuple(topology.operations))), topology
        except GraphError:
            continue


class Topology(Growth):
    """A growth whose operations read any tensors: recent ones, ones that nothing reads yet, and others again."""

    def __init__(self, rng: np.random.Generator) -> None:
        dtype = Integer(int(rng.integers(4, 11)), signed=bool(rng.random() < 0.8))
        super().__init__(rng, int(rng.choice(_TOKENS)), int(rng.integers(1, 7)), dtype, bool(rng.integers(2)))

    def grow(self) -> None:
        """Appends an operation of a random kind, and linear ones where its sources have to be fitted."""
        source = self._any()
        often = ["linear", "linear", "join", "join"]
        rarer = ["convolution", "activation", "norm", "scan", "flatten", "pool", "lookup"]
        match str(self.rng.choice([*often, *rarer])):
            case "join":
                self._join(source, self._any(self._time(source)))
            case "convolution":
                self.add(self.convolution(source), self._name("convolution"), self._dtype(), source=source)
            case "activation" if self.type(source).bits <= _WIDEST_TABLE:
                dtype = self._dtype()
                self.add(self.silu(source, dtype), self._name("activation"), dtype, source=source)
            case "norm" if self.type(source).bits <= _WIDEST_TABLE:
                op = norm(self._width(source), self.type(source))
                self.add(op, self._name("norm"), self._dtype(), source=source)
            case "scan":
                self._scan(source)
            case "flatten":
                self._flatten(source)
            case "pool" if self.rng.integers(2):
                self._pool(source)
            case "lookup":
                self._lookup(source)
            case _:
                self.linear(self._name("linear"), source, int(self.rng.integers(1, 11)), self._dtype())

    def close(self) -> None:
        """Joins what nothing reads until there is one such tensor, the output."""
        while len(loose := self._loose()) > 1:
            left, right = loose[-1], loose[-2]
            if self._time(left) != self._time(right):
                left, right = (name if self._time(name) == 1 else self._short(name) for name in (left, right))
            self._join(left, right)

    def _short(self, source: str) -> str:
        """One token of all that `source` has in a frame."""
        count = self._time(source)
        if count * self._width(source) <= _WIDEST_TOKEN and self.rng.integers(2):
            return self._flattened(source, count)
        return self._pool(source)

    def _flatten(self, source: str) -> None:
        most = min(self._time(source), _WIDEST_TOKEN // self._width(source))
        counts = [count for count in range(1, most + 1) if self._time(source) % count == 0]
        self._flattened(source, int(self.rng.choice(counts or [1])))

    def _flattened(self, source: str, count: int) -> str:
        op = flatten("", "", count * self._width(source))
        return self.add(op, self._name("flatten"), self.type(source), source=source)

    def _pool(self, source: str) -> str:
        op = Pool(name="", source="", channels=self._width(source), dtype=self.dtype, fraction_bits=4, shift=0)
        return self.add(op, self._name("pool"), self._dtype(), source=source)

    def _lookup(self, source: str) -> None:
        """Rows of a table, picked by `source` if that can be an index, else by one channel that is linear in it."""
        index, dtype = Integer(int(self.rng.integers(3, 9)), signed=False), self._dtype()
        if self._width(source) == 1 and not self.type(source).signed and self.type(source).bits <= _WIDEST_TABLE:
            index = self.type(source)
        else:
            source = self.linear(self._name("index"), source, 1, index)
        op = lookup(self.rng, index, int(self.rng.integers(1, 11)), dtype)
        self.add(op, self._name("lookup"), dtype, source=source)

    def _scan(self, x: str) -> None:
        """A scan of `x`; delta, b and c are linear in any tensors of as many tokens."""
        rng, time, bits = self.rng, self._time(x), self.type(x).bits
        channels, states = self._width(x), int(rng.integers(1, 5))
        drawn = scan(rng, channels, states, bool(rng.integers(2)), Integer(int(rng.choice([12, 17]))), 7)
        delta = self.linear(self._name("delta"), self._any(time), channels, Integer(8, signed=False))
        b, c = (self.linear(self._name(name), self._any(time), states, Integer(bits)) for name in ("b", "c"))
        wider = {"drive_shift": drawn.drive_shift + 2 * (bits - 8), "skip_shift": drawn.skip_shift - bits + 8}
        self.add(replace(drawn, **wider), self._name("scan"), self._dtype(), x=x, delta=delta, b=b, c=c)

    def _join(self, left: str, right: str) -> str:
        """The sum or the product of two tensors; where widths differ, a linear operation fits one to the other."""
        width = self._width(left)
        if self._width(right) != width:
            right = self.linear(self._name("linear"), right, width, self._dtype())
        op = Multiply(name="", left="", right="", channels=width, dtype=self.dtype, fraction_bits=4, shift=0)
        if self.rng.integers(2):
            left_shift, right_shift = self.rng.integers(3, size=2).tolist()
            op = replace(joined("", "", width), left_shift=left_shift, right_shift=right_shift)
        name = self._name("add" if isinstance(op, Add) else "multiply")
        return self.add(op, name, self._dtype(), left=left, right=right)

    def _any(self, time: int | None = None) -> str:
        """A tensor (of `time` tokens a frame), preferably a recent one or one that nothing reads."""
        loose = self._loose()
        names = [name for name in self.tensors if time in (None, self._time(name))]
        weights = np.array([(3 if name in loose else 1) + place / 4 for place, name in enumerate(names)])
        return names[int(self.rng.choice(len(names), p=weights / weights.sum()))]

    def _loose(self) -> list[str]:
        read = {name for op in self.operations for name in op.sources}
        return [op.name for op in self.operations if op.name not in read]

    def _dtype(self) -> Integer:
        """Mostly that of all tensors."""
        if self.rng.random() < 0.7:
            return self.dtype
        return Integer(int(self.rng.integers(3, 13)), signed=bool(self.rng.random() < 0.7))

    def _name(self, kind: str) -> str:
        return f"{kind}{len(self.operations)}"

    def _time(self, name: str) -> int:
        return self.tensors[name].shape[1]

    def _width(self, name: str) -> int:
        return self.tensors[name].shape[2]


def _folded(rng: np.random.Generator, graph: Graph) -> tuple[dict[str, Folding], int]:
    """Foldings and the interval they are for: the solver's, or any; then the interval may be longer than needed."""
    fastest = {
        op.name: min(folding.cycles for folding in candidates(graph, op)) * tokens_read(graph, op)
        for op in graph.operations
    }
    shortest = max(1, *(-(-cycles // graph.tokens) for cycles in fastest.values()))
    longest = max(shortest, _FRAME_CYCLES // graph.tokens)
    if rng.integers(2):
        interval = round(shortest * (longest / shortest) ** rng.random())
        return fold(graph, interval), interval
    foldings = {}
    for op in graph.operations:
        tokens = tokens_read(graph, op)
        most = max(fastest[op.name], _FRAME_CYCLES)
        fast = [folding for folding in candidates(graph, op) if folding.cycles * tokens <= most]
        weights = np.array([1 / (1 + folding.multipliers) for folding in fast])  # large ones take long to compile
        foldings[op.name] = fast[int(rng.choice(len(fast), p=weights / weights.sum()))]
    needed = -(-slowest(graph, foldings) // graph.tokens)
    return foldings, needed * int(rng.choice([1, 1, 2, 5]))


def _frames(graph: Graph, foldings: Mapping[str, Folding]) -> int:
    """Enough for FIFOs to fill and the pipeline to settle, within bounds."""
    frame, latency = slowest(graph, foldings), network(graph, foldings).run()
    settled = _FEWEST_FRAMES + ceil(4 * (latency[0] if latency else 0) / frame)
    return int(np.clip(settled, _FEWEST_FRAMES, max(_FEWEST_FRAMES, min(_MOST_FRAMES, _TRIAL_CYCLES // frame))))
