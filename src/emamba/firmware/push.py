"""What the firmware keeps between tokens, and what it does with a token: the body of push, line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from emamba.firmware.functions import Function
from emamba.firmware.schedule import Moment, kept, moments
from emamba.firmware.spelling import element, element_bytes, filled, variable
from emamba.graph import Convolution, Flatten, Graph, Input, Operation, Pool, Scan

_COLUMNS = 100  # of a call


@dataclass(frozen=True)
class Member:
    """An array in the structure of state."""

    type: str
    name: str
    size: str
    meaning: str


@dataclass(frozen=True)
class Block:
    """What push does at one moment: in steps in which `condition` holds (empty: in all), lines for each operation."""

    comment: str
    condition: str
    operations: list[list[str]]


def members(graph: Graph, functions: Mapping[str, Function]) -> list[Member]:
    """What the operations keep from token to token."""
    found: list[Member] = []
    for op in graph.operations:
        found += [_tokens(graph, op)] if kept(graph)[op.name] else []
        match op:
            case Scan():
                size = f"{op.channels} * {op.states}"
                found.append(Member(element(op.state), f"{op.name}_state", size, "the states of each channel"))
            case Pool():
                acc = functions[op.name].type["acc"]
                found.append(Member(acc, f"{op.name}_sum", f"{op.channels}", "of the tokens of the frame so far"))
            case _:
                pass
    return found


def stack_bytes(graph: Graph) -> int:
    """Bytes of the tensors that push holds in local variables."""
    local = [op for op in graph.operations[1:-1] if not kept(graph)[op.name]]
    return sum(op.channels * element_bytes(op.dtype) for op in local)


def most(graph: Graph) -> int:
    """Tokens that come out of one call of push, at most: more than 1 if those at the end of a frame have waited."""
    last = moments(graph)[graph.output.name]
    return min(graph.frame_tokens(graph.output.name), last.lag // last.stride + 1)


def push(graph: Graph, names: Mapping[str, str]) -> list[Block]:
    """The body of push, moment after moment. What the last block does gives the graph's output.

    `names` gives the C function of each operation that has one. In a block, `at` is the number of the token that
    all its operations make.
    """
    at, spelled = moments(graph), _Spelling(graph, names)
    found: dict[Moment, list[list[str]]] = {moment: [] for moment in sorted(set(at.values()))}
    for index, op in enumerate(graph.operations):
        if gathering := spelled.gathering(op):
            found[at[op.sources[0]]].append([gathering])
        found[at[op.name]].append([*spelled.computing(op), spelled.trace(index, op)])
    found[at[graph.output.name]][-1] += spelled.leaving()
    lag = at[graph.output.name].lag
    return [_block(graph, moment, lag, operations) for moment, operations in found.items()]


def _block(graph: Graph, moment: Moment, lag: int, operations: list[list[str]]) -> Block:
    """`operations` in the steps in which a token of `moment` is made; steps end `lag` tokens behind a frame."""
    step = "step" if lag else "state->token"
    since = f"({step} - {moment.lag})" if moment.lag else step
    if any(re.search(r"\bat\b", line) for lines in operations for line in lines):
        number = f"{since} / {moment.stride}" if moment.stride > 1 else since.strip("()")
        operations = [[f"const uint32_t at = {number};"], *operations]
    return Block(_comment(graph, moment), _condition(graph, moment, lag, step, since), operations)


def _condition(graph: Graph, moment: Moment, lag: int, step: str, since: str) -> str:
    """When `step` makes a token of `moment`, `since` being the step less the moment's lag."""
    end = graph.tokens + moment.lag
    if moment.stride == graph.tokens > 1:
        return f"{step} == {end - 1}"
    conditions = [f"{step} >= {moment.lag}"] if moment.lag else []
    conditions += [f"{step} < {end}"] if moment.lag < lag else []
    conditions += [f"{since} % {moment.stride} == {moment.stride - 1}"] if moment.stride > 1 else []
    return " && ".join(conditions)


def _comment(graph: Graph, moment: Moment) -> str:
    complete = "The frame is complete" if moment.stride == graph.tokens else f"{moment.stride} tokens are complete"
    if not moment.lag:
        return complete if moment.stride > 1 else "A token is there"
    return f"{moment.lag} tokens later" + (f": {complete[0].lower()}{complete[1:]}" if moment.stride > 1 else "")


def _tokens(graph: Graph, op: Operation) -> Member:
    count = kept(graph)[op.name]
    meaning = f"the last tokens, token t at t % {count}" if count > 1 else "the last token"
    if isinstance(op, Flatten) and count == 1:
        meaning = "the tokens so far of those that become one"
    return Member(element(op.dtype), f"{op.name}_tokens", f"{count} * {op.channels}", meaning)


class _Spelling:
    """Statements of C for the operations of a graph.

    A tensor is a local variable, or has a place in the state if it is read in a later step too.
    """

    def __init__(self, graph: Graph, names: Mapping[str, str]) -> None:
        self._graph, self._names, self._kept, self._at = graph, names, kept(graph), moments(graph)
        taken = {*names.values(), *(f"{name}_gather" for name in names.values())}
        self._variables = {op.name: variable(op.name, taken) for op in graph.operations}
        self._variables[graph.output.name] = "out"
        self._variables |= {op.name: self._place(op) for op in graph.operations if isinstance(op, Flatten)}
        self._variables[graph.input.name] = "token"

    def gathering(self, op: Operation) -> str:
        """The statement that takes in one of the tokens that `op` makes its one of; empty for other operations."""
        match op:
            case Pool():
                source = self._variables[op.source]
                return f"{self._names[op.name]}_gather(&{op.name}__op, state->{op.name}_sum, {source});"
            case Flatten():
                source = self._graph[op.source]
                count = self._kept[op.name] * op.channels // source.channels
                return self._copied(f"state->{op.name}_tokens{self._offset(source, count)}", source)
            case _:
                return ""

    def computing(self, op: Operation) -> list[str]:
        """Declaration of the tensor of `op`, and the call that fills it."""
        match op:
            case Input():
                return [self._copied(self._place(op), op)] if self._kept[op.name] else []
            case Flatten():
                return []
            case Convolution():
                whole = f"state->{op.source}_tokens" if self._kept[op.source] else self._variables[op.source]
                sources = [whole, self._number(op)]
            case Scan():
                sources = [f"state->{op.name}_state", *self._read(op)]
            case Pool():
                sources = [f"state->{op.name}_sum"]
            case _:
                sources = self._read(op)
        target = self._variables[op.name]
        return [*self._declared(op, target), *_call(self._names[op.name], [f"&{op.name}__op", *sources, target])]

    def trace(self, index: int, op: Operation) -> str:
        """The statement that shows the token of `op` to a test harness."""
        values = self._variables[op.name]
        one = f"state->{op.name}_tokens" if isinstance(op, Flatten) else values
        return f"EMAMBA_TRACE({index}, {values}, sizeof *{one}, {op.channels});"

    def leaving(self) -> list[str]:
        """What is to be done when a token of the output has been made."""
        last = self._graph.output
        copied = isinstance(last, Input | Flatten)
        lines = [f"memcpy(out, {self._variables[last.name]}, {last.channels} * sizeof *out);"] if copied else []
        return [*lines, f"out += {last.channels};", "ready++;"] if self._at[last.name].lag else lines

    def _read(self, op: Operation) -> list[str]:
        """The sources of `op`; those of an earlier moment are in the state."""
        sources = [self._graph[name] for name in op.sources]
        late = [self._at[op.name] != self._at[source.name] for source in sources]
        return [
            self._place(source) if later else self._variables[source.name]
            for source, later in zip(sources, late, strict=True)
        ]

    def _declared(self, op: Operation, target: str) -> list[str]:
        if target == "out":
            return []
        if self._kept[op.name]:
            return [f"{element(op.dtype)} *const {target} = {self._place(op)};"]
        return [f"{element(op.dtype)} {target}[{op.channels}];"]

    def _place(self, op: Operation) -> str:
        """Where the state has token `at` of `op`."""
        return f"state->{op.name}_tokens{self._offset(op, self._kept[op.name])}"

    def _offset(self, op: Operation, count: int) -> str:
        """From the first of `count` places to that of the token of `op`."""
        if count == 1:
            return ""
        wrapped = "" if count == self._graph.frame_tokens(op.name) else f" % {count}"
        return f" + {self._number(op)}{wrapped} * {op.channels}"

    def _number(self, op: Operation) -> str:
        """The number in its frame of the token of `op`: that of the block, if it is not that of the step."""
        always = self._at[op.name].stride == 1 and not self._at[self._graph.output.name].lag
        return "state->token" if always else "at"

    def _copied(self, place: str, source: Operation) -> str:
        values = self._variables[source.name]
        one = f"state->{source.name}_tokens" if isinstance(source, Flatten) else values
        return f"memcpy({place}, {values}, {source.channels} * sizeof *{one});"


def _call(function: str, arguments: list[str]) -> list[str]:
    """One line, or as many as the arguments fill."""
    line = f"{function}({', '.join(arguments)});"
    return [line] if len(line) <= _COLUMNS else [f"{function}(", *f"{filled(arguments)[:-1]});".splitlines()]
