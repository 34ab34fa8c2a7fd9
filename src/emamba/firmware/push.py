"""What the firmware keeps between tokens, and what it does with a token: the body of push, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emamba.firmware.functions import Function
from emamba.firmware.spelling import element, element_bytes, variable
from emamba.graph import Convolution, Flatten, Graph, Input, Operation, Pool, Scan

_COLUMNS = 100  # of a call


@dataclass(frozen=True)
class Member:
    """An array in the structure of state."""

    type: str
    name: str
    size: str
    meaning: str


def member(graph: Graph, op: Operation, functions: Mapping[str, Function]) -> Member | None:
    """What `op` keeps from token to token, if anything."""
    match op:
        case Convolution():
            size = f"{op.weight.shape[1]} * {op.channels}"
            return Member(element(graph[op.source].dtype), f"{op.name}_window", size, "the last tokens, oldest first")
        case Scan():
            size = f"{op.channels} * {op.states}"
            return Member(element(op.state), f"{op.name}_state", size, "the states of each channel")
        case Pool():
            acc = functions[op.name].type["acc"]
            return Member(acc, f"{op.name}_sum", f"{op.channels}", "of the tokens of the frame so far")
        case Flatten():
            channels = graph[op.source].channels
            size = f"{op.channels // channels} * {channels}"
            return Member(element(op.dtype), f"{op.name}_frame", size, "the tokens so far of those that become one")
        case _:
            return None


def stack_bytes(graph: Graph) -> int:
    """Bytes of the tensors that push holds in local variables."""
    held = [op for op in graph.operations[:-1] if not isinstance(op, Input | Flatten)]
    return sum(op.channels * element_bytes(op.dtype) for op in held)


def push(graph: Graph, names: Mapping[str, str]) -> dict[int, list[list[str]]]:
    """The body of push: lines of C for each operation, by stride.

    What has stride s is done with the last of every s tokens that enter. Strides ascend; that of the
    output is the last one, and each other one divides it. `names` gives the C function of each
    operation that has one.
    """
    variables = _variables(graph, names)
    strides = sorted({_stride(graph, op) for op in graph.operations})
    body: dict[int, list[list[str]]] = {stride: [] for stride in strides}
    for index, op in enumerate(graph.operations):
        if gathering := _gathering(graph, op, names, variables):
            body[_stride(graph, graph[op.sources[0]])].append([gathering])
        body[_stride(graph, op)].append([*_computing(op, names, variables), _trace(index, op, variables)])
    last = graph.output
    if variables[last.name] != "out":
        body[_stride(graph, last)].append([f"memcpy(out, {variables[last.name]}, {last.channels} * sizeof *out);"])
    return body


def _stride(graph: Graph, op: Operation) -> int:
    """Tokens that enter for each one that `op` gives."""
    return graph.tokens // graph.frame_tokens(op.name)


def _gathering(graph: Graph, op: Operation, names: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """The statement that takes in one of the tokens that `op` makes its one token of; empty for other operations."""
    match op:
        case Pool():
            return f"{names[op.name]}_gather(&{op.name}__op, state->{op.name}_sum, {variables[op.source]});"
        case Flatten():
            source, channels = variables[op.source], graph[op.source].channels
            place = f"{variables[op.name]}{_offset(graph, op)}"
            return f"memcpy({place}, {source}, {channels} * sizeof *{source});"
        case _:
            return ""


def _offset(graph: Graph, op: Flatten) -> str:
    """What to add to the place of the first of the tokens that `op` makes one of, for the one that arrives."""
    source, stride = graph[op.source], _stride(graph, graph[op.source])
    arrived = "state->token" if stride == 1 else f"state->token / {stride}"
    count = op.channels // source.channels
    if count == 1:
        return ""
    return f" + {arrived if graph.frame_tokens(op.name) == 1 else f'{arrived} % {count}'} * {source.channels}"


def _computing(op: Operation, names: Mapping[str, str], variables: Mapping[str, str]) -> list[str]:
    """Declaration of the tensor of `op`, and the call that fills it."""
    if isinstance(op, Input | Flatten):
        return []
    target = variables[op.name]
    match op:
        case Convolution():
            before = [f"state->{op.name}_window"]
        case Scan():
            before = [f"state->{op.name}_state"]
        case _:
            before = []
    sources = [f"state->{op.name}_sum"] if isinstance(op, Pool) else [variables[name] for name in op.sources]
    arguments = ", ".join([f"&{op.name}__op", *before, *sources, target])
    declaration = [] if target == "out" else [f"{element(op.dtype)} {target}[{op.channels}];"]
    call = [f"{names[op.name]}({arguments});"]
    return [*declaration, *(call if len(call[0]) <= _COLUMNS else [f"{names[op.name]}(", f"    {arguments});"])]


def _trace(index: int, op: Operation, variables: Mapping[str, str]) -> str:
    values = variables[op.name]
    return f"EMAMBA_TRACE({index}, {values}, sizeof *{values}, {op.channels});"


def _variables(graph: Graph, names: Mapping[str, str]) -> dict[str, str]:
    """The C expression for each tensor's token while push runs."""
    taken = {*names.values(), *(f"{name}_gather" for name in names.values())}
    found = {op.name: variable(op.name, taken) for op in graph.operations}
    found[graph.output.name] = "out"
    found |= {op.name: f"state->{op.name}_frame" for op in graph.operations if isinstance(op, Flatten)}
    return found | {graph.input.name: "token"}
