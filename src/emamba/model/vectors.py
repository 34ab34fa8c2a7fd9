"""Several float32 at once in Numba: a kernel says which operations are on vectors instead of hoping for it.

LLVM vectorises a loop by itself only where it can prove that no two of its arrays overlap; with the ten
arrays of a scan it never can. A `Vector` is LLVM's own vector type, so nothing is left to prove.

Numba's cache looks at the file of a kernel alone: after a change here, touch that of the kernels.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
_SAFE = ("contract", "nsz")  # a product and a sum may become one instruction; not a number stays so


class Vector(types.Type):
    """`LANES` float32; beside one, a float32 stands for a vector of equal elements."""

    def __init__(self) -> None:
        super().__init__("Vector")


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, _WIDE)


_instruction: Any = intrinsic  # its type hides that the first argument is Numba's own
_WIDE, _WHOLE = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), LANES)
_VECTOR = Vector()


@_instruction
def load(typing: Any, array: Any, place: Any) -> Any:
    """The elements of a C-contiguous float32 array from the index `place` on, along its last axis."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature, arguments), align=4)

    return _VECTOR(array, place), emit


@_instruction
def store(typing: Any, array: Any, place: Any, value: Any) -> Any:
    """Writes `value` to where `load` reads."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(_wide(builder, arguments[2]), _address(context, builder, signature, arguments), align=4)
        return context.get_dummy_value()

    return types.void(array, place, value), emit


@_instruction
def below(typing: Any, a: Any, limit: Any, yes: Any, no: Any) -> Any:
    """`yes` where a < limit, otherwise `no`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, chosen, other = (_wide(builder, argument) for argument in arguments)
        return builder.select(builder.fcmp_ordered("<", left, right), chosen, other)

    return _VECTOR(a, limit, yes, no), emit


@_instruction
def floor(typing: Any, a: Any) -> Any:
    """The next whole numbers below."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WIDE, [_WIDE])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.floor.v{LANES}f32"), arguments)

    return _VECTOR(a), emit


@_instruction
def power_of_two(typing: Any, a: Any) -> Any:
    """2**a for whole numbers of -126..127: they become the exponents of float32."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(builder.fptosi(arguments[0], _WHOLE), ir.Constant(_WHOLE, [127] * LANES))
        return builder.bitcast(builder.shl(biased, ir.Constant(_WHOLE, [23] * LANES)), _WIDE)

    return _VECTOR(a), emit


@_instruction
def total(typing: Any, a: Any) -> Any:
    """The sum of all elements, halves first."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rest, size = arguments[0], LANES
        while size > 1:
            size //= 2
            upper = ir.Constant(_WHOLE, [(i + size) % LANES for i in range(LANES)])
            rest = builder.fadd(rest, builder.shuffle_vector(rest, ir.Constant(_WIDE, ir.Undefined), upper))
        return builder.extract_element(rest, ir.Constant(ir.IntType(32), 0))

    return types.float32(a), emit


def _operator(symbol: Any, name: str) -> None:
    """Makes `symbol` mean LLVM's `name` where one side is a vector."""

    @_instruction
    def together(typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            left, right = (_wide(builder, argument) for argument in arguments)
            return getattr(builder, name)(left, right, flags=_SAFE)

        return _VECTOR(a, b), emit

    @overload(symbol)
    def on_vectors(a, b):  # Numba wants the names and annotations of what is returned
        return (lambda a, b: together(a, b)) if _VECTOR in (a, b) else None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _name)


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Where `place` of `array` lies, as the address of a vector."""
    kind, places = signature.args[:2]
    array = context.make_array(kind)(context, builder, arguments[0])
    indices = [
        context.cast(builder, index, given, types.intp)
        for index, given in zip(cgutils.unpack_tuple(builder, arguments[1], len(places)), places, strict=True)
    ]
    element = cgutils.get_item_pointer(context, builder, kind, array, indices, wraparound=False)
    return builder.bitcast(element, _WIDE.as_pointer())


def _wide(builder: Any, value: Any) -> Any:
    """A float32 in every lane; a vector stays."""
    if value.type == _WIDE:
        return value
    assert value.type == ir.FloatType(), f"{value.type} beside a vector"
    first = builder.insert_element(ir.Constant(_WIDE, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, ir.Constant(_WIDE, ir.Undefined), ir.Constant(_WHOLE, [0] * LANES))
