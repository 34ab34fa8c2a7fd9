"""Where weights lie: each array of an operation as the words of a memory, and the elements that load another graph's.

Loadable are the weights and biases of linear maps and convolutions, rates and skips of scans, and tables of look-ups.
All else is part of the circuit: sizes, types, shifts, and the tables and segments of curves and norms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from emamba.errors import ConfigError, GraphError
from emamba.fixed import Integer, Integers
from emamba.graph import Convolution, Graph, Linear, Lookup, Operation, Scan, arrays, leaves
from emamba.graph.bounds import accumulator, dot_range
from emamba.graph.operations import shown
from emamba.rtl import packing

if TYPE_CHECKING:
    from emamba.rtl.folding import Folding  # which knows the stages, and these their regions

WIDEST_ELEMENT = 32  # bits: the data of AXI4-Lite

_LABELS = ("fraction_bits",)  # fields that no circuit knows


@dataclass(frozen=True)
class Region:
    """A memory for `array` of operation `tensor`: `lanes` elements of `dtype` a word.

    Its words are those of `array.reshape(shape).transpose(order)`. Where it can be loaded, element `lane` of word
    `word` has the address `base + word * stride + lane`; `stride` is the power of two that holds a word.
    """

    tensor: str
    array: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    lanes: int
    dtype: Integer
    base: int = 0

    @property
    def words(self) -> int:
        """Depth of the memory."""
        return prod(self.shape) // self.lanes

    @property
    def stride(self) -> int:
        """From the address of a word to that of the next one."""
        return 1 << (self.lanes - 1).bit_length()

    @property
    def size(self) -> int:
        """Addresses: a power of two, of which `base` is a multiple."""
        return 1 << (self.words * self.stride - 1).bit_length()

    def rows(self, array: Integers) -> Integers:
        """The words [words, lanes] of `array`."""
        return array.reshape(self.shape).transpose(self.order).reshape(self.words, self.lanes)

    def elements(self, array: Integers) -> Integers:
        """Address and value [elements, 2] of what loads `array`, addresses ascending."""
        word, lane = np.indices((self.words, self.lanes)).reshape(2, -1)
        return np.stack([self.base + word * self.stride + lane, self.rows(array).ravel()], axis=1)


def lookup(op: Lookup, lanes: int) -> dict[str, Region]:
    """Row after row, a beat a word; elements have the type of the stream, which any row may fill."""
    return {"table": Region(op.name, "table", (op.table.size // lanes, lanes), (0, 1), lanes, op.dtype)}


def linear(op: Linear, inputs: int, outputs: int, by_rows: bool) -> dict[str, Region]:
    """Tiles of `inputs` columns and `outputs` rows in the order of use, rows of the matrix within a tile together."""
    columns, rows = op.weight.shape[1] // inputs, op.channels // outputs
    shape, order = (rows, outputs, columns, inputs), (0, 2, 1, 3) if by_rows else (2, 0, 1, 3)
    weight = Region(op.name, "weight", shape, order, inputs * outputs, Integer.holding(op.weight))
    return {"weight": weight, "bias": _by_beats(op, "bias", outputs)}


def convolution(op: Convolution, lanes: int, taps: int) -> dict[str, Region]:
    """A word of the window's weights a step, taps of a lane together."""
    shape = (op.channels // lanes, lanes, op.weight[0].size // taps, taps)
    weight = Region(op.name, "weight", shape, (0, 2, 1, 3), lanes * taps, Integer.holding(op.weight))
    return {"weight": weight, "bias": _by_beats(op, "bias", lanes)}


def scan(op: Scan, channels: int, states: int) -> dict[str, Region]:
    """A word of rates a step, states of a channel together."""
    shape = (op.channels // channels, channels, op.states // states, states)
    rate = Region(op.name, "rate", shape, (0, 2, 1, 3), channels * states, Integer.holding(op.rate))
    return {"rate": rate, "skip": _by_beats(op, "skip", channels)}


def _by_beats(op: Operation, name: str, lanes: int) -> Region:
    """An array with an element for each channel, a beat a word."""
    return Region(op.name, name, (op.channels // lanes, lanes), (0, 1), lanes, Integer.holding(arrays(op)[name]))


def regions(op: Operation, folding: Folding) -> dict[str, Region]:
    """The memories of `op` by array, as narrow as what they hold."""
    match op:
        case Lookup():
            return lookup(op, folding.output)
        case Linear():
            kept = packing.stored(op, folding.output) if folding.pairs else op
            return linear(kept, folding.sources[0], folding.output, folding.by_rows)
        case Convolution():
            return convolution(op, folding.output, folding.taps)
        case Scan():
            return scan(op, folding.output, folding.states)
        case _:
            return {}


def loadable(graph: Graph, foldings: Mapping[str, Folding]) -> tuple[Region, ...]:
    """All memories that can be loaded, each with its place among the addresses and wide enough for other weights.

    Those of an operation have an aligned window of their own. ConfigError if an element is wider than the bus, or if
    products share multiplications: what is stored then depends on two weights, and an element is loaded alone.
    """
    placed: list[Region] = []
    for op in graph.operations:
        if foldings[op.name].pairs:
            fact = f"{op.name}: weights of products that share multiplications cannot be loaded"
            raise ConfigError(fact, 'choose hardware.weights = "rom" or hardware.packing = false')
        own = [_wider(graph, op, region) for region in regions(op, foldings[op.name]).values()]
        own.sort(key=lambda region: -region.size)
        span = 1 << (sum(region.size for region in own) - 1).bit_length()
        base = -(-(placed[-1].base + placed[-1].size) // span) * span if placed else 0
        for region in own:
            placed.append(replace(region, base=base))
            base += region.size
    return tuple(placed)


def of(regions: Sequence[Region], tensor: str) -> dict[str, Region]:
    """Those of one operation, by array."""
    return {region.array: region for region in regions if region.tensor == tensor}


def widths(regions: Sequence[Region]) -> tuple[int, int]:
    """Bits of an address among `regions`, without the high ones that all of them share, and of an element."""
    span = max(it.base + it.size for it in regions) - min(it.base for it in regions)
    return (span - 1).bit_length(), max(it.dtype.bits for it in regions)


def _wider(graph: Graph, op: Operation, region: Region) -> Region:
    """`region` for any weights of its width. A bias has the width that the sum of the products may have, too."""
    signed = _signed(region.dtype)
    if region.array == "bias" and isinstance(op, Linear | Convolution):
        ends = (_signed(Integer.holding(op.weight)).lo, _signed(Integer.holding(op.weight)).hi)
        sums = [dot_range(np.full_like(op.weight, end), op.bias * 0, graph[op.source].dtype) for end in ends]
        whole = Integer.between(min(-1, *(low for low, _ in sums)), max(high for _, high in sums))
        signed = Integer(max(signed.bits, min(whole.bits, WIDEST_ELEMENT)))
    dtype = region.dtype if region.array in ("rate", "table") else signed
    if dtype.bits > WIDEST_ELEMENT:
        fact = f"{op.name}: {region.array} needs {dtype.bits} bits; {WIDEST_ELEMENT} can be loaded at once"
        raise ConfigError(fact, 'choose hardware.weights = "rom", or quantize with narrower weights')
    return replace(region, dtype=dtype)


def _signed(dtype: Integer) -> Integer:
    """The signed type that holds the values of `dtype`."""
    return Integer(dtype.bits + (not dtype.signed))


def sums(graph: Graph, op: Operation, loaded: Mapping[str, Region] | None = None) -> Integer:
    """The type of the sums of `op`; where its weights are `loaded`, of whatever they become."""
    types, tokens = {name: graph[name].dtype for name in op.sources}, graph.frame_tokens(op.sources[0])
    if not loaded or not isinstance(op, Linear | Convolution):
        return accumulator(op, types, tokens)
    weight, bias = loaded["weight"].dtype, loaded["bias"].dtype
    corners = product((weight.lo, weight.hi), (bias.lo, bias.hi))
    extremes = [replace(op, weight=np.full_like(op.weight, w), bias=np.full_like(op.bias, b)) for w, b in corners]
    return max((accumulator(it, types, tokens) for it in extremes), key=lambda dtype: dtype.bits)


def elements(own: Graph, regions: Sequence[Region], other: Graph) -> Integers:
    """Address and value [elements, 2] of what makes the accelerator of `own` with `regions` that of `other`.

    GraphError that names the tensor if they differ in what is part of the circuit, or if a value does not fit.
    """
    for problem in _differences(own, regions, other):
        hint = "unless knots are learned, take the scales of this run: `emamba quantize OTHER --scales RUN`"
        raise GraphError(f"the accelerator cannot load these weights: {problem}", hint)
    found = [region.elements(arrays(other[region.tensor])[region.array]) for region in regions]
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def _differences(own: Graph, regions: Sequence[Region], other: Graph) -> Iterator[str]:
    """What is different and cannot be loaded."""
    mine, its = (_shape(graph) for graph in (own, other))
    if mine != its:
        changed = next((pair for pair in zip(mine, its, strict=False) if pair[0] != pair[1]), None)
        lengths = f"there are {len(its) - 1} operations, not {len(mine) - 1}"
        yield f"there is {changed[1]}, not {changed[0]}" if changed else lengths
        return
    for op, new in zip(own.operations, other.operations, strict=True):
        loaded = of(regions, op.name)
        for (name, value), (_, given) in zip(leaves(op), leaves(new), strict=True):
            if name in loaded:
                dtype = loaded[name].dtype
                if not dtype.holds(int(given.min()), int(given.max())):
                    yield f"{op.name}: {name} lies in {given.min()}..{given.max()}, outside its memory's {dtype}"
            elif name not in _LABELS and not np.array_equal(value, given):
                yield f"{op.name}: {name} is {_short(name, given)}, not {_short(name, value)}"


def _shape(graph: Graph) -> list[str]:
    """The structure: which operations, of which sizes and types, from which sources."""
    shapes = [{name: array.shape for name, array in arrays(op).items()} for op in graph.operations]
    found = [
        f"{op.name} = {type(op).__name__}({', '.join(op.sources)}) of {op.channels} {op.dtype}"
        + "".join(f", {name} {list(shape)}" for name, shape in it.items())
        for op, it in zip(graph.operations, shapes, strict=True)
    ]
    return [f"a frame of {graph.tokens} tokens", *found]


def _short(name: str, value: Any) -> str:
    """A field's value for people; of an array what a line has room for."""
    if name.endswith("shift"):
        return shown(value)
    return np.array2string(value, threshold=8, edgeitems=3) if isinstance(value, np.ndarray) else str(value)
