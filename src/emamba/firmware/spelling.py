"""How C spells types, names and numbers."""

from __future__ import annotations

from collections.abc import Iterable

from emamba.fixed import Integer, Integers

_COLUMNS = 100  # of a line of initialisers
_WIDTHS = (8, 16, 32, 64)  # bits of the types of <stdint.h>
_WORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t memcpy memmove memset state token out
    step steps at ready
"""
_RESERVED = frozenset(_WORDS.split())  # of C, and of the text around the tensors


def element_bytes(dtype: Integer) -> int:
    """Bytes of an element of `dtype`: those of the narrowest type of <stdint.h> that holds it."""
    return next(width for width in _WIDTHS if dtype.bits <= width) // 8


def element(dtype: Integer) -> str:
    """The type of <stdint.h> for an element of `dtype`: the narrowest one of its signedness."""
    return f"{'' if dtype.signed else 'u'}int{8 * element_bytes(dtype)}_t"


def narrowest(values: Integers) -> str:
    """The narrowest type of <stdint.h> that holds `values`; the signed one when both are as narrow."""
    lo, hi = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return element(min(Integer.between(min(lo, -1), hi), Integer.between(lo, hi), key=element_bytes))


def variable(name: str, functions: Iterable[str]) -> str:
    """The C variable of tensor `name`: with two underscores behind, which no tensor has, if the name is taken."""
    return f"{name}__" if name in _RESERVED or name in functions else name


def numbers(values: Integers) -> str:
    """`values` as the inside of an initialiser; each row of a matrix begins a new line."""
    rows = values if values.ndim == 2 else [values]
    return "\n".join(filled(str(int(value)) for value in row) for row in rows)


def filled(items: Iterable[str]) -> str:
    """`items`, each with a comma behind, in indented lines as full as can be."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= _COLUMNS:
            lines[-1] += f" {item},"
        else:
            lines.append(f"    {item},")
    return "\n".join(lines)
