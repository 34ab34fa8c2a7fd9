"""The integer graph: what it is, when it is legal, what it means, how it is stored."""

from emamba.graph.checks import check
from emamba.graph.golden import predict, run
from emamba.graph.operations import (
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
    arrays,
    leaves,
    parameter_count,
)
from emamba.graph.store import content_hash, load, save
from emamba.graph.text import text

__all__ = [
    "Activation",
    "Add",
    "Convolution",
    "Flatten",
    "Graph",
    "Input",
    "Linear",
    "Lookup",
    "Multiply",
    "Operation",
    "Pool",
    "RangeNorm",
    "Scan",
    "arrays",
    "check",
    "content_hash",
    "leaves",
    "load",
    "parameter_count",
    "predict",
    "run",
    "save",
    "text",
]
