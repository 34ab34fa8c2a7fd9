"""How many beats each link holds, so that paths which part and meet again never slow the design down.

Delays are those of a design that is fed at the pace of its slowest stage, with nothing in the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, lcm
from typing import assert_never

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
    Operation,
    Pool,
    RangeNorm,
    Scan,
)
from emamba.rtl import curve, serial_scan
from emamba.rtl.folding import Folding
from emamba.rtl.pipeline import factor_moves, total_cycles
from emamba.rtl.solver import tokens_read

_FIFO = 2  # cycles from a beat in to that beat out
_SMALLEST = 3  # beats

Need = tuple[Fraction, Fraction]  # of a frame, for the first and for the last beat of a token


def slowest(graph: Graph, foldings: Mapping[str, Folding]) -> int:
    """Cycles a frame of the stage that has most to do."""
    return max(foldings[op.name].cycles * tokens_read(graph, op) for op in graph.operations)


def fifo_beats(graph: Graph, foldings: Mapping[str, Folding]) -> dict[str, tuple[int, ...]]:
    """For each source of each operation, the beats that its link has to hold: those of `fifo_tokens`.

    No FIFO is smaller than three: a single place is filled every other cycle only, and the memory of two places has
    one word, and an address of no bits, which linters refuse. The channels of a serial scan begin in one of three
    cycles, whenever their beats come; while one waits, the next one has a place.
    """
    tokens = fifo_tokens(graph, foldings)
    beats = {op.name: op.channels // foldings[op.name].output for op in graph.operations}

    def depths(op: Operation) -> Iterator[int]:
        for count, name in zip(tokens[op.name], op.sources, strict=True):
            waits = foldings[op.name].steps > 1 and name in op.sources[:2]
            yield max(count * beats[name], _SMALLEST) if count or waits else 0

    return {op.name: tuple(depths(op)) for op in graph.operations}


def fifo_tokens(graph: Graph, foldings: Mapping[str, Folding]) -> dict[str, tuple[int, ...]]:
    """For each source of each operation, the tokens that its link has to hold.

    A token reaches an operation over several paths. The longest needs no FIFO; each other one has to hold the tokens
    that enter during the difference of the two delays, and one more because beats leave and enter in bursts. With
    less than one whole token the design would deadlock; with less than the difference it would be slow. A pool gives
    its token in one burst, for which its reader has the whole next frame, so that token has a place too.
    """
    frame, spreads, needs = slowest(graph, foldings), _spreads(graph, foldings), _needs(graph, foldings)
    arrivals: dict[str, Fraction] = {}
    tokens: dict[str, tuple[int, ...]] = {}
    for op in graph.operations:
        folding, budget = foldings[op.name], Fraction(frame, tokens_read(graph, op))
        swallowed = _swallowed(_needed(foldings, op, needs), tokens_read(graph, op))
        pooled = [int(isinstance(graph[name], Pool)) for name in op.sources]
        at = []
        for name, wanted in zip(op.sources, folding.sources, strict=True):
            changed = _link(graph[name].channels, foldings[name].output, wanted, spreads[name])
            at.append(arrivals[name] + changed)
        least = tuple(map(max, swallowed, pooled))
        tokens[op.name], latest = _waits(at, least, budget) if len(at) > 1 else (least, sum(at, Fraction(0)))
        taken = max((spreads[name] for name in op.sources), default=Fraction(0))
        arrivals[op.name] = latest + _delay(graph, op, folding, budget, taken)
    return tokens


def _waits(at: Sequence[Fraction], least: Sequence[int], budget: Fraction) -> tuple[tuple[int, ...], Fraction]:
    """For sources that arrive so, the tokens that each has to hold, and when all are there.

    Some hold tokens in any case, at `least` so many; a FIFO makes its own path longer, so that another one may
    be too early now, if only by a cycle, and need one too.
    """
    held, early, latest = [], [count > 0 for count in least], Fraction(0)
    while held != early:
        held = early
        latest = max([time + _FIFO * holds for time, holds in zip(at, held, strict=True)], default=latest)
        early = [holds or time < latest for time, holds in zip(at, held, strict=True)]
    waits = [ceil((latest - time) / budget) + 1 if holds else 0 for time, holds in zip(at, held, strict=True)]
    return tuple(map(max, waits, least)), latest


def _swallowed(needs: Sequence[Need], tokens: int) -> list[int]:
    """For sources with such needs, the tokens that each has to hold while another one swallows what it needs."""
    most = max((first for first, _ in needs), default=Fraction(0))
    return [max(ceil((most - last) * tokens), 0) + 1 if first < most else 0 for first, last in needs]


def _needs(graph: Graph, foldings: Mapping[str, Folding]) -> dict[str, Need]:
    """How much of a frame enters, from a token's own beginning on, before the token's first and its last beat leave."""
    needs: dict[str, Need] = {}
    for op in graph.operations:
        tokens, sources = tokens_read(graph, op), _needed(foldings, op, needs)
        first = max((first for first, _ in sources), default=Fraction(0))
        last = max((last for _, last in sources), default=Fraction(1, tokens))
        match op:
            case Linear() | RangeNorm() if foldings[op.name].sources[0] < graph[op.source].channels:
                first = last
            case Convolution():
                ahead = Fraction(min(op.ahead, tokens - 1), tokens)
                first, last = first + ahead, last + ahead
            case Pool():
                first = last = last + 1 - Fraction(1, tokens)
            case Flatten():
                last += Fraction(1, graph.frame_tokens(op.name)) - Fraction(1, tokens)
            case _:
                pass
        needs[op.name] = first, last
    return needs


def _needed(foldings: Mapping[str, Folding], op: Operation, needs: Mapping[str, Need]) -> list[Need]:
    """The needs of the sources of `op` behind their links: a wider beat waits for as much as a token."""
    reached = []
    for name, wanted in zip(op.sources, foldings[op.name].sources, strict=True):
        (first, last), given = needs[name], foldings[name].output
        reached.append((last if lcm(given, wanted) > given else first, last))
    return reached


def _link(channels: int, given: int, wanted: int, spread: Fraction) -> Fraction:
    """Cycles that a change of lanes takes: a wide beat waits for its last part."""
    wide = lcm(given, wanted)
    widened = spread * (wide - given) / max(channels - given, 1) + 1 if wide > given else Fraction(0)
    return widened + (wide > wanted)


def _spreads(graph: Graph, foldings: Mapping[str, Folding]) -> dict[str, Fraction]:
    """Cycles from the first to the last beat of each tensor's tokens: those of its stage, or of who takes them."""
    frame = slowest(graph, foldings)
    taken = dict.fromkeys(foldings, Fraction(0))
    for op in reversed(graph.operations):
        for name in op.sources:
            taken[name] = max(taken[name], _taking(graph, op, foldings[op.name], taken[op.name]))
    spreads: dict[str, Fraction] = {}
    for op in graph.operations:
        budget = Fraction(frame, tokens_read(graph, op))
        longest = max((spreads[name] for name in op.sources), default=Fraction(0))
        spreads[op.name] = max(taken[op.name], _giving(graph, op, foldings[op.name], longest, budget))
    return spreads


def _taking(graph: Graph, op: Operation, folding: Folding, after: Fraction) -> Fraction:
    """Cycles from the first to the last beat of a token that `op` takes, when its own token is taken in `after`."""
    match op:
        case Lookup():
            return Fraction(0)
        case Linear():
            columns, rows = graph[op.source].channels // folding.sources[0], op.channels // folding.output
            return Fraction((columns - 1) * (1 if folding.by_rows else rows))
        case Activation() | Multiply() | Add():
            return max(after, Fraction(op.channels // folding.output - 1))
        case Flatten():
            return after * graph[op.source].channels / op.channels
        case Convolution() | Scan():
            return Fraction(folding.cycles - 1)
        case Input() | RangeNorm() | Pool():
            return Fraction(op.channels // folding.output - 1)
        case _:
            assert_never(op)


def _giving(graph: Graph, op: Operation, folding: Folding, source: Fraction, budget: Fraction) -> Fraction:
    """Cycles from the first to the last beat of a token that `op` gives, when those of its sources take `source`."""
    beats = op.channels // folding.output
    match op:
        case Linear():
            columns = graph[op.source].channels // folding.sources[0]
            return Fraction((beats - 1) * (columns if folding.by_rows else 1))
        case Activation() | Multiply() | Add():
            return max(source, Fraction(beats - 1))
        case Flatten():
            return source + (op.channels // graph[op.source].channels - 1) * budget
        case Convolution() | Scan():
            return Fraction(folding.cycles * (beats - 1), beats)
        case Input() | Lookup() | RangeNorm() | Pool():
            return Fraction(beats - 1)
        case _:
            assert_never(op)


def moves(op: Operation, folding: Folding) -> int:
    """Registers that a beat goes through in the stage of `op`, those of its `Exit` included."""
    match op:
        case Lookup():
            return 2
        case Linear():
            words = op.weight.size // (folding.sources[0] * folding.output)
            return total_cycles(folding.sources[0]) + factor_moves(words) + 3
        case Convolution():
            return total_cycles(folding.taps) + 6
        case RangeNorm():
            return 3
        case Activation():
            return curve.cycles(op.curve) + 1
        case Scan() if folding.steps > 1:
            return serial_scan.schedule(op).moves
        case Scan():
            words = op.channels * op.states // (folding.output * folding.states)
            return curve.cycles(op.decay) + total_cycles(folding.states) + factor_moves(words) + 6
        case Multiply() | Add():
            return 3
        case Pool():
            return 2
        case Input() | Flatten():
            return 0
        case _:
            assert_never(op)


def _delay(graph: Graph, op: Operation, folding: Folding, budget: Fraction, source: Fraction) -> Fraction:
    """Cycles from the first beat of a token that `op` takes to the first one that it gives for it.

    The beats of its source take `source` cycles, and `budget` are between two tokens.
    """
    through, taken = Fraction(moves(op, folding)), max(source, _taking(graph, op, folding, Fraction(0)))
    match op:
        case Lookup():
            return through + 1
        case Linear():
            columns = graph[op.source].channels // folding.sources[0]
            if columns == 1:
                return through + 1
            return through + taken + (3 if folding.by_rows else 1 + _FIFO * (op.channels > folding.output))
        case RangeNorm():
            return through + taken + 4
        case Convolution():
            ahead = min(op.ahead, graph.frame_tokens(op.source) - 1)
            return through + ahead * budget + folding.cycles * folding.output // op.channels
        case Scan():
            return through + folding.cycles * folding.output // op.channels
        case Pool():
            return through + (graph.frame_tokens(op.source) - 1) * budget
        case _:
            return through
