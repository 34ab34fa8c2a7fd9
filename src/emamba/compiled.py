"""Python compiled by Numba, kept on disk from one process to the next."""

from __future__ import annotations

from typing import Any

from numba import njit


def compiled(function: Any) -> Any:
    """`function` compiled, once and for all where Numba finds a place to keep that.

    What it calls has to be in the same file, or to be so stable that nobody edits it: Numba compiles again
    when that file changes, and does not look at others.
    """
    options = {"nogil": True, "error_model": "numpy"}  # no ZeroDivisionError: it costs a branch each time
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor one of the user's can be written
        return njit(**options)(function)


def inlined(function: Any) -> Any:
    """`function` as a part of those that call it."""
    return njit(forceinline=True, error_model="numpy")(function)
