"""Which C functions a graph needs, and with which parameters each operation calls its own.

A C function exists once for each kind of operation and choice of types; what is particular to an
operation (sizes, weights, shifts, limits) travels in a constant structure of parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import assert_never

import numpy as np

from emamba.curve import IntegerCurve, IntegerTable
from emamba.firmware.schedule import kept
from emamba.firmware.spelling import element, narrowest
from emamba.fixed import Integers
from emamba.graph import (
    Activation,
    Add,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Lookup,
    Multiply,
    Pool,
    RangeNorm,
    Scan,
)
from emamba.graph.bounds import accumulator

Computed = Lookup | Linear | Convolution | RangeNorm | Activation | Scan | Multiply | Add | Pool  # have a C function
Parameters = dict[str, int | Integers]

_DEEPEST = -30  # the longest left shift that is a factor of type int32_t


@dataclass(frozen=True)
class Function:
    """A C function: its macro in `functions.c.j2`, its C types, bits of its accumulator, the curve it calls."""

    kind: str
    types: tuple[tuple[str, str], ...]
    width: int
    curve: Function | None = None

    @property
    def type(self) -> dict[str, str]:
        """C types by the name of the parameter or member; `acc` is the accumulator's."""
        return {**dict(self.types), "acc": f"int{self.width}_t"}


def computed(graph: Graph) -> list[Computed]:
    """The operations that have a C function."""
    return [op for op in graph.operations if not isinstance(op, Input | Flatten)]


def function(graph: Graph, op: Computed) -> Function:
    """The C function that executes `op`."""
    width = _width(graph, op)
    sources = zip(_arguments(op), op.sources, strict=True)
    types = {name: element(graph[source].dtype) for name, source in sources}
    types |= {"y": element(op.dtype), **_array_types(parameters(graph, op))}
    match op:
        case Activation():
            curve = _curve_function(op.curve, width)
        case Scan():
            types["state"] = element(op.state)
            curve = _curve_function(op.decay, width)
        case _:
            curve = None
    return Function(_kind(op), tuple(types.items()), width, curve)


def parameters(graph: Graph, op: Computed) -> Parameters:
    """The members of an operation's structure of parameters, in order; those of a curve with a dotted path."""
    match op:
        case Lookup():
            return {"channels": op.channels, "table": op.table}
        case Linear():
            sizes = {"inputs": op.weight.shape[1], "outputs": op.channels}
            return {**sizes, "weight": op.weight, "bias": op.bias, **_requantize(op)}
        case Convolution():
            return {**_window(graph, op), "bias": op.bias, **_requantize(op)}
        case RangeNorm():
            return {"channels": op.channels, "reciprocal": op.reciprocal, **_requantize(op)}
        case Activation():
            return {"channels": op.channels, **_curve("curve", op.curve)}
        case Scan():
            return _scan(op)
        case Multiply() | Pool():
            return {"channels": op.channels, **_requantize(op)}
        case Add():
            shifts = {"left_shift": op.left_shift, "right_shift": op.right_shift}
            return {"channels": op.channels, **shifts, **_requantize(op)}
        case _:
            assert_never(op)


def array_type(name: str, values: Integers) -> str:
    """C type of the array `name` of an operation: the narrowest, but for biases.

    The few bytes that narrow biases would save are not worth another function for them.
    """
    return narrowest(np.append(values, [-(1 << 15), (1 << 15) - 1]) if name == "bias" else values)


def ordered(functions: Iterable[Function]) -> list[Function]:
    """Each function once, in the order of first use, after the curve that it calls."""
    with_curves = [part for function in functions for part in (function.curve, function) if part]
    return list(dict.fromkeys(with_curves))


def named(functions: list[Function]) -> dict[Function | None, str]:
    """Their C names: the kind, numbered from the second one of a kind on."""
    counters = {function.kind: count(1) for function in functions}
    numbers = [next(counters[function.kind]) for function in functions]
    names = [f.kind if number == 1 else f"{f.kind}_{number}" for f, number in zip(functions, numbers, strict=True)]
    return {None: "", **dict(zip(functions, names, strict=True))}


def _scan(op: Scan) -> Parameters:
    return {
        "channels": op.channels,
        "states": op.states,
        "rate": op.rate,
        "skip": op.skip,
        **_curve("decay", op.decay),
        "argument_shift": op.argument_shift,
        "argument_hi": op.decay.domain.hi,
        "drive_shift": op.drive_shift,
        "compute_lo": op.compute.lo,
        "compute_hi": op.compute.hi,
        "decay_fraction": op.decay_fraction,
        "state_lo": op.state.lo,
        "state_hi": op.state.hi,
        "skip_shift": op.skip_shift,
        **_requantize(op),
    }


def _window(graph: Graph, op: Convolution) -> Parameters:
    _, high, wide = op.weight.shape
    return {
        "channels": op.channels,
        "high": high,
        "wide": wide,
        "above": op.above,
        "left": op.left,
        "rows": graph.frame_tokens(op.source) // op.columns,
        "columns": op.columns,
        "kept": max(kept(graph)[op.source], 1),
        "weight": op.weight.reshape(op.channels, -1),
    }


def _requantize(op: Linear | Convolution | RangeNorm | Scan | Multiply | Add | Pool) -> Parameters:
    return {"shift": op.shift, "lo": op.dtype.lo, "hi": op.dtype.hi}


def _curve(path: str, curve: IntegerCurve) -> Parameters:
    if isinstance(curve, IntegerTable):
        return {f"{path}.first": curve.domain.lo, f"{path}.values": curve.values}
    return {
        f"{path}.knot_count": curve.knots.size,
        f"{path}.knots": curve.knots,
        f"{path}.slopes": curve.slopes,
        f"{path}.intercepts": curve.intercepts,
        f"{path}.shift": curve.shift,
        f"{path}.lo": curve.lo,
        f"{path}.hi": curve.hi,
    }


def _curve_function(curve: IntegerCurve, width: int) -> Function:
    kind = "table" if isinstance(curve, IntegerTable) else "segments"
    types = _array_types({path.removeprefix("."): value for path, value in _curve("", curve).items()})
    return Function(kind, tuple(types.items()), width)


def _array_types(found: Parameters) -> dict[str, str]:
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray) and "." not in name}
    return {name: array_type(name, value) for name, value in arrays.items()}


def _kind(op: Computed) -> str:
    return "range_norm" if isinstance(op, RangeNorm) else type(op).__name__.lower()


def _arguments(op: Computed) -> tuple[str, ...]:
    """What the C function calls its sources."""
    match op:
        case Multiply() | Add():
            return ("left", "right")
        case Scan():
            return ("x", "delta", "b", "c")
        case _:
            return ("x",)


def _width(graph: Graph, op: Computed) -> int:
    """32 if every intermediate of `op` fits int32_t, and the factor of every left shift does; else 64."""
    types = {name: graph[name].dtype for name in op.sources}
    needed = accumulator(op, types, graph.frame_tokens(op.sources[0]))
    shifts = [int(np.min(value)) for name, value in parameters(graph, op).items() if name.endswith("shift")]
    return 32 if needed.bits <= 32 and min(shifts, default=0) >= _DEEPEST else 64
