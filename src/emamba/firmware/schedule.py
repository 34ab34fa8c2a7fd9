"""When push does each operation, and for how long the tokens of each tensor are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emamba.graph import Convolution, Flatten, Graph, Operation


@dataclass(frozen=True, order=True)
class Moment:
    """When the tokens of a tensor are made: token t in step `lag + stride * (t + 1) - 1`.

    A step is a token that enters; behind the last token of a frame the steps go on as if more followed, until all
    that lags is done. In the order of moments what is read is made before: it never lags more, and never
    strides further.
    """

    lag: int
    stride: int


def moments(graph: Graph) -> dict[str, Moment]:
    """The moment of each tensor: as soon as all sources are there, and the tokens that a convolution looks ahead to."""
    found: dict[str, Moment] = {}
    for op in graph.operations:
        tokens = graph.frame_tokens(op.name)
        stride = graph.tokens // tokens
        lag = max((found[name].lag for name in op.sources), default=0)
        ahead = min(op.ahead, tokens - 1) if isinstance(op, Convolution) else 0
        found[op.name] = Moment(lag + ahead * stride, stride)
    return found


def kept(graph: Graph) -> dict[str, int]:
    """Tokens of each tensor that are kept from step to step; token t has place t % kept. 0: a local variable does."""
    at = moments(graph)
    return {op.name: _kept(graph, op, at) for op in graph.operations}


def _kept(graph: Graph, op: Operation, at: Mapping[str, Moment]) -> int:
    """As many tokens as begin from the first step of one to the last in which it is read."""
    tokens, own = graph.frame_tokens(op.name), at[op.name]
    readers = graph.consumers(op.name)
    behind = max((min(r.behind, tokens - 1) for r in readers if isinstance(r, Convolution)), default=0)
    late = max((at[reader.name].lag - own.lag for reader in readers), default=0)
    growing = own.stride - at[op.source].stride if isinstance(op, Flatten) else 0
    if behind == late == 0 and not isinstance(op, Flatten):
        return 0
    return min(behind + (growing + late) // own.stride + 1, tokens)
