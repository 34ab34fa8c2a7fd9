"""The whole accelerator: one stage for each operation, links and forks between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

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
    content_hash,
)
from emamba.rtl import loading, weights
from emamba.rtl.activity import Activity
from emamba.rtl.buffers import fifo_beats
from emamba.rtl.convolution import ConvolutionStage
from emamba.rtl.design import Design, Port, Stage
from emamba.rtl.elementwise import ActivationStage, PairStage
from emamba.rtl.folding import Folding
from emamba.rtl.frame import FlattenStage, PoolStage
from emamba.rtl.linear import LinearStage
from emamba.rtl.link import Link
from emamba.rtl.lookup import LookupStage
from emamba.rtl.range_norm import RangeNormStage
from emamba.rtl.scan import ScanStage
from emamba.rtl.serial_scan import SerialScanStage
from emamba.rtl.solver import fold
from emamba.rtl.stream import Fork, Skid, beats, moves
from emamba.rtl.weights import Region


def build(
    graph: Graph, interval_cycles: int, foldings: dict[str, Folding] | None = None, loadable: bool = False
) -> Design:
    """The accelerator for a checked `graph` that takes a token every `interval_cycles` cycles.

    `foldings` of its operations, as `wishes.solve` gives them; without, it is the smallest one. If it is `loadable`,
    weights lie in memories that can be written: `Design.regions` says where.
    """
    foldings = foldings or fold(graph, interval_cycles)
    top = f"emamba_{graph.name}"
    regions = weights.loadable(graph, foldings) if loadable else ()
    text = rtlil.convert(Accelerator(graph, foldings, regions), name=top, emit_src=False)
    ports = tuple(_port(graph, op, foldings) for op in graph.operations)
    stages = tuple(
        Stage(
            op.name,
            type(op).__name__,
            max((*folded.sources, folded.output)),
            folded.multipliers,
            folded.cycles,
            op.sources,
        )
        for op, folded in zip(graph.operations, foldings.values(), strict=True)
    )
    hashed = content_hash(graph)
    return Design(graph.name, top, text, interval_cycles, ports[0], ports[-1], stages, ports, hashed, regions)


def _port(graph: Graph, op: Operation, foldings: dict[str, Folding]) -> Port:
    return Port(op.name, op.channels, foldings[op.name].output, op.dtype, graph.frame_tokens(op.name))


class Accelerator(wiring.Component):
    """All stages of a graph. Members: streams `input` and `output`, tokens in, tokens out; `active`, see `Activity`;
    with `regions` the port `load`, which writes an element of them in each cycle, read from the next but one on.

    Timing: a frame in as many cycles as its slowest stage needs; each stage works on a token of its own. FIFOs lie
    on the shorter of two paths that meet, deep enough for the tokens that are under way on the longer one.
    """

    def __init__(self, graph: Graph, foldings: dict[str, Folding], regions: Sequence[Region] = ()) -> None:
        self._graph, self._foldings, self._regions = graph, foldings, regions
        first, last = graph.input, graph.output
        super().__init__(
            {
                "input": In(beats(first.dtype, foldings[first.name].output)),
                "output": Out(beats(last.dtype, foldings[last.name].output)),
                "active": Out(1),
                **loading.members(regions),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Stages in the graph's order, each fed by links from its sources."""
        m = Module()
        open_ends: dict[str, list[stream.Interface]] = {}
        depths = fifo_beats(self._graph, self._foldings)
        loader = self._loader(m) if self._regions else None
        for op in self._graph.operations:
            regions = weights.of(self._regions, op.name)
            component = m.submodules[op.name] = stage(self._graph, op, self._foldings[op.name], regions)
            if loader and regions:
                wiring.connect(m, getattr(loader, f"to_{op.name}"), component.load)
            if isinstance(component, Skid):
                wiring.connect(m, wiring.flipped(self.input), component.source)
            for index, (port, name) in enumerate(zip(_ports(op), op.sources, strict=True)):
                link = self._link(op, index, depths[op.name][index])
                m.submodules[f"link_{name}_to_{op.name}_{port}"] = link
                wiring.connect(m, open_ends[name].pop(0), link.source)
                wiring.connect(m, link.output, getattr(component, port))
            self._observe(m, op, component)
            open_ends[op.name] = self._forked(m, op, component.output)
        wiring.connect(m, open_ends[self._graph.output.name].pop(), wiring.flipped(self.output))
        self._tell(m)
        return m

    def _loader(self, m: Module) -> loading.Loader:
        """What takes weights from the port `load` to the stages."""
        m.submodules.weight_loader = loader = loading.Loader(self._regions)
        wiring.connect(m, wiring.flipped(self.load), loader.load)
        return loader

    def _tell(self, m: Module) -> None:
        """Whether it is active."""
        first, last = (_port(self._graph, op, self._foldings) for op in (self._graph.input, self._graph.output))
        m.submodules.activity = activity = Activity(first.frame_beats, last.frame_beats)
        m.d.comb += [
            activity.input_valid.eq(self.input.valid),
            activity.input_ready.eq(self.input.ready),
            activity.output_valid.eq(self.output.valid),
            activity.output_ready.eq(self.output.ready),
            self.active.eq(activity.active),
        ]
        if self._regions:
            m.d.comb += activity.written.eq(self.load.write)

    def _link(self, op: Operation, index: int, depth: int) -> Link:
        """The link into source `index` of `op`, with room for `depth` beats."""
        source = self._graph[op.sources[index]]
        lanes = self._foldings[source.name].output
        return Link(source.dtype, lanes, self._foldings[op.name].sources[index], depth)

    def _forked(self, m: Module, op: Operation, output: stream.Interface) -> list[stream.Interface]:
        """`output` once for each source that reads it (once for the graph's output)."""
        readers = sum(name == op.name for reader in self._graph.operations for name in reader.sources)
        if readers < 2:
            return [output]
        fork = m.submodules[f"fork_{op.name}"] = Fork(op.dtype, self._foldings[op.name].output, readers)
        wiring.connect(m, output, fork.source)
        return [getattr(fork, f"output_{index}") for index in range(readers)]

    def _observe(self, m: Module, op: Operation, component: wiring.Component) -> None:
        """Named wires for simulation: the tensor's stream, and whether the stage works."""
        output = component.output
        data = Value.cast(output.payload.data)
        busy = moves(component.source) if isinstance(component, Skid) else component.busy
        wires = {"valid": output.valid, "ready": output.ready, "payload": data}
        for name, value in wires.items():
            m.d.comb += Signal(len(value), name=f"tap_{op.name}_{name}").eq(value)
        m.d.comb += Signal(name=f"busy_{op.name}").eq(busy)


def stage(
    graph: Graph, op: Operation, folding: Folding, regions: Mapping[str, Region] | None = None
) -> wiring.Component:
    """The component that repeats `op`; its source members are named as the operation's fields.

    With `regions` by array, its weights lie in memories with a port `load`.
    """
    types = [graph[name].dtype for name in op.sources]
    lanes = folding.output
    match op:
        case Input():
            return Skid(op.dtype, lanes)
        case Lookup():
            return LookupStage(op, types[0], lanes, regions)
        case Linear():
            sums = weights.sums(graph, op, regions)
            packed, inputs = folding.pairs > 0, folding.sources[0]
            return LinearStage(op, types[0], sums, inputs, lanes, folding.by_rows, regions, packed)
        case Convolution():
            sums, tokens = weights.sums(graph, op, regions), graph.frame_tokens(op.source)
            return ConvolutionStage(op, types[0], sums, tokens, lanes, folding.taps, regions)
        case RangeNorm():
            return RangeNormStage(op, types[0], lanes)
        case Activation():
            return ActivationStage(op, types[0], lanes)
        case Scan():
            named = dict(zip(_ports(op), types, strict=True))
            if folding.steps > 1:
                return SerialScanStage(op, named, regions)
            return ScanStage(op, named, lanes, folding.states, regions)
        case Multiply() | Add():
            return PairStage(op, types[0], types[1], lanes)
        case Pool():
            return PoolStage(op, types[0], weights.sums(graph, op), graph.frame_tokens(op.source), lanes)
        case Flatten():
            return FlattenStage(op, graph.frame_tokens(op.name), lanes)
        case _:
            assert_never(op)


def _ports(op: Operation) -> tuple[str, ...]:
    """Names of the fields that name sources, and of the component's members."""
    match op:
        case Input():
            return ()
        case Scan():
            return ("x", "delta", "b", "c")
        case Multiply() | Add():
            return ("left", "right")
        case _:
            return ("source",)
