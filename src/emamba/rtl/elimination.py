"""Choices that depend on their neighbours, made so that the sum of costs is smallest: exact, by elimination.

One choice after the other is eliminated: the costs that know it become one that does not, in which the best
of its values is taken for each combination of its neighbours' values. What is left at the end is the minimum, and
going back says where it lies. A pipeline is nearly a chain, so that few neighbours meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Term:
    """A cost that depends on some choices: `costs` has an axis for each of `names`, in that order."""

    names: tuple[str, ...]
    costs: NDArray[np.float64]


def smallest(sizes: Mapping[str, int], terms: Sequence[Term]) -> dict[str, int]:
    """The value 0 .. size - 1 of each choice for which the sum of `terms` is smallest; the first such one."""
    left, open_terms = dict(sizes), list(terms)
    solved: list[tuple[str, Term]] = []
    while left:
        name = min(left, key=lambda name: _width(name, open_terms, sizes))
        joined = _joined(name, [term for term in open_terms if name in term.names], sizes)
        open_terms = [term for term in open_terms if name not in term.names]
        open_terms.append(Term(joined.names[1:], joined.costs.min(axis=0)))
        solved.append((name, joined))
        del left[name]
    chosen: dict[str, int] = {}
    for name, joined in reversed(solved):
        around = tuple(chosen[other] for other in joined.names[1:])
        chosen[name] = int(joined.costs[(slice(None), *around)].argmin())
    return {name: chosen[name] for name in sizes}


def _neighbours(name: str, terms: Sequence[Term]) -> list[str]:
    return sorted({other for term in terms if name in term.names for other in term.names} - {name})


def _width(name: str, terms: Sequence[Term], sizes: Mapping[str, int]) -> int:
    """Combinations of values that eliminating `name` has to look at."""
    return sizes[name] * prod(sizes[other] for other in _neighbours(name, terms))


def _joined(name: str, terms: Sequence[Term], sizes: Mapping[str, int]) -> Term:
    """The sum of `terms`, over `name` and then all its neighbours."""
    names = (name, *_neighbours(name, terms))
    costs = np.zeros([sizes[other] for other in names])
    for term in terms:
        order = sorted(range(len(term.names)), key=lambda axis: names.index(term.names[axis]))
        shape = [sizes[other] if other in term.names else 1 for other in names]
        costs = costs + term.costs.transpose(order).reshape(shape)
    return Term(names, costs)
