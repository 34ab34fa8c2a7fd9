"""A netlist of cells evaluated with real frames: 64 at once, one in each bit of a word, and every net counted.

The cells mean what their liberty file says. Flip-flops begin with garbage, as power-up leaves them. There are no
delays, so that glitches are not seen. Verilator would do it too, but needs 5 minutes for a hundred thousand cells with
clock gates, and then writes 80 MB of C++.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emamba import files
from emamba.eda.cells import Netlist
from emamba.eda.compiler import find_compiler
from emamba.eda.liberty import Cell, Library, unpacked
from emamba.eda.process import run
from emamba.eda.yosys import yosys
from emamba.errors import DataError, MismatchError, ToolError
from emamba.fixed import Integers
from emamba.rtl.design import Design, Port
from emamba.rtl.weights import widths
from emamba.templates import rendered

LANES = 64
_RESET_CYCLES = 4
_REST_CYCLES = 64
_LOW, _HIGH = "$false", "$true"
_SINGLE = ("input__valid", "input__ready", "output__valid", "output__ready", "rst")
_TOKEN = re.compile(r"[A-Za-z_]\w*|\S")


@dataclass(frozen=True)
class Instance:
    """A cell in the flattened netlist: `component.name`, its cell, and the net at each pin."""

    name: str
    cell: Cell
    pins: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Gates:
    """What the frames gave: outputs [batch, tokens, channels], and how busy the nets were.

    `toggles`, `high` and `resting` are by net: changes a frame, and the shares of cycles in which it was 1, from reset
    to the last output and behind it. They come from `cycles` cycles in which each of the 64 streams had `frames`
    frames; `interval` are those between the last two frames, or before the only one.
    """

    outputs: Integers
    frames: int
    cycles: int
    interval: int
    toggles: Mapping[str, float]
    high: Mapping[str, float]
    resting: Mapping[str, float]


def flattened(netlist: Netlist, library: Library) -> tuple[Instance, ...]:
    """The cells of `netlist`, with every net under one name. ToolError when Yosys fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / "netlist.v", netlist.verilog)
        liberties = [f"read_liberty -lib {path.name}" for path in unpacked(library, folder).paths]
        begin = [*liberties, "read_verilog netlist.v", f"hierarchy -top {netlist.top}", "flatten"]
        yosys([*begin, "write_blif -conn -cname netlist.blif"], folder)
        return tuple(_instances((folder / "netlist.blif").read_text(), library))


def evaluate(
    instances: Sequence[Instance], design: Design, frames: Integers, weights: Integers | None = None, seed: int = 1
) -> Gates:
    """Sends `frames` [batch, tokens, channels] through the cells, without stalls; they are repeated up to whole words.

    `weights` (`rtl.elements`) are loaded in reset. `seed` is that of the garbage. MismatchError if no output comes, or
    if frames differ in time; ToolError for a cell whose function is not known.
    """
    port = design.input
    if frames.shape[1:] != (port.tokens, port.channels) or not len(frames):
        raise DataError(
            f"frames have shape {frames.shape}, not (batch, {port.tokens}, {port.channels})", "reshape them"
        )
    count = -(-len(frames) // LANES)
    streams = np.resize(frames, (LANES * count, *frames.shape[1:])).reshape(LANES, -1, port.channels)
    tables = _Tables(instances)
    loads = _loads(design, weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / "tables.bin", tables.content(design).tobytes())
        files.write(folder / "gates.c", rendered("eda", "gates.c.j2", {"kinds": tables.sources}))
        files.write(folder / "input.bin", _words(streams, port).tobytes())
        files.write(folder / "load.bin", loads.tobytes())
        flags = ("-std=c99", "-O2", "-march=native")
        run([find_compiler(), *flags, "gates.c", "-o", "gates"], folder, "the C compiler refused; its words are above")
        beats, wanted = (count * it.frame_beats for it in (port, design.output))
        patience = 8 * design.frame_cycles + 1000
        limits = (beats, wanted, design.output.frame_beats, len(loads), patience, _REST_CYCLES, seed)
        printed = run([str(folder / "gates"), *map(str, limits)], folder, "free space in the temporary folder")
        results = dict(line.split(" ", 1) for line in printed.splitlines())
        if "problem" in results:
            raise MismatchError(
                f"gates of {design.name}: {results['problem']}", "mapping or a cell's function is wrong"
            )
        counts = np.fromfile(folder / "counts.bin", np.int64).reshape(3, -1)
        outputs = _elements(np.fromfile(folder / "output.bin", "<u8"), design.output)
    cycles = int(results["cycles"])
    shares = counts / (LANES * np.array([count, cycles, _REST_CYCLES])[:, None])
    busy = (dict(zip(tables.nets, values.tolist(), strict=True)) for values in shares)
    return Gates(outputs[: len(frames)], count, cycles, int(results["interval"]), *busy)


def c_expression(function: str, names: Mapping[str, str]) -> str:
    """A function of a liberty file in C, on words; ToolError for what is none, or has a name that is not in `names`.

    What binds first: inversion, then XOR, then AND, then OR.
    """
    tokens = _TOKEN.findall(function)

    def joined(operators: str, operator: str, inner: Callable[[], str]) -> str:
        parts = [inner()]
        while tokens and (tokens[0] in operators or (operator == "&" and tokens[0] not in ")+|^'")):
            if tokens[0] in operators:
                tokens.pop(0)
            parts.append(inner())
        return f"({f' {operator} '.join(parts)})" if len(parts) > 1 else parts[0]

    def whole() -> str:
        return joined("+|", "|", lambda: joined("*&", "&", lambda: joined("^", "^", inverted)))

    def inverted() -> str:
        token = tokens.pop(0)
        if token == "!":
            return f"~{inverted()}"
        found = whole() if token == "(" else {"0": "(W)0", "1": "~(W)0", **names}[token]
        if token == "(":
            tokens.remove(")")
        while tokens and tokens[0] == "'":
            tokens.pop(0)
            found = f"~{found}"
        return found

    try:
        found = whole()
    except (KeyError, IndexError, ValueError) as error:
        raise ToolError(
            f"the function {function!r} of a cell cannot be read: {error}", "use another library"
        ) from error
    if tokens:
        raise ToolError(
            f"the function {function!r} of a cell cannot be read from {tokens[0]!r} on", "use another library"
        )
    return found


def _instances(blif: str, library: Library) -> Iterator[Instance]:
    """From BLIF; nets that are one are called by one name. The last one is no cell, but has the ports."""
    lines = blif.splitlines()
    same = {line.split()[2]: line.split()[1] for line in lines if line.startswith(".conn ")}

    def root(net: str) -> str:
        while net in same:
            net = same[net]
        return net

    for line, following in pairwise(lines):
        if line.startswith(".subckt "):
            _, kind, *pins = line.split()
            nets = {pin: root(net) for pin, net in (pair.split("=", 1) for pair in pins)}
            yield Instance(following.split()[1], library.cells[kind], nets)
    ports = [net for line in lines if line.startswith((".inputs ", ".outputs ")) for net in line.split()[1:]]
    yield Instance("", Cell("ports"), {port: root(port) for port in ports})


class _Tables:
    """The netlist as numbers: its nets, registers, and cells in an order in which each comes after what it reads."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.nets: dict[str, int] = {_LOW: 0, _HIGH: 1, "$undef": 2}
        self.kinds: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.sources: list[dict[str, object]] = []
        self.cells: list[tuple[int, int, list[int]]] = []  # kind, output, inputs
        self.registers: list[int] = []  # state, next state, enable of each
        *cells, ports = instances
        self.ports = ports.pins
        clocks = {it.pins[it.cell.gate["out"]] for it in cells if it.cell.gate}
        for it in cells:
            if it.cell.next_state:
                self._register(it, clocks)
            elif it.cell.gate:
                self._clock_gate(it, clocks)
            else:
                for pin, function in it.cell.functions.items():
                    if pin in it.pins:
                        self._compute(it.cell.name, function, it.pins, it.pins[pin])

    def content(self, design: Design) -> NDArray[np.int32]:
        """What the program reads; see its first lines."""
        load = [self._bits(f"load__{part}") for part in ("write", "address", "data")] if design.regions else []
        payloads = [self._bits("input__payload"), self._bits("output__payload"), [net for bits in load for net in bits]]
        single = [self._net(self.ports[name]) for name in _SINGLE]
        ordered = self._ordered()
        head = [len(self.nets), len(self.registers) // 3, *map(len, payloads), *single, self.nets[_HIGH]]
        return np.array([*head, *(net for bits in payloads for net in bits), *self.registers, *ordered], np.int32)

    def _clock_gate(self, it: Instance, clocks: Collection[str]) -> None:
        """Its output counts as high in the cycles in which it passes its clock on, which may be gated itself."""
        clock, enable = it.cell.gate["clock"], it.cell.gate["enable"]
        function = f"{enable} & {clock}" if it.pins[clock] in clocks else enable
        self._compute(it.cell.name, function, it.pins, it.pins[it.cell.gate["out"]])

    def _register(self, it: Instance, clocks: Collection[str]) -> None:
        cell = it.cell
        clock = it.pins.get(cell.clock, "")
        if clock != self.ports["clk"] and clock not in clocks:
            fact = f"{it.name}, a {cell.name}, has its clock from {clock}"
            raise ToolError(fact, "report it: only rising edges of clk and of its gates are known here")
        following = f"({cell.next_state})"
        following += f" & !({cell.clear})" if cell.clear else ""
        following = f"({following}) | ({cell.preset})" if cell.preset else following
        state = f"{it.name}:state"
        self._compute(cell.name, following, it.pins, f"{it.name}:next")
        enable = clock if clock in clocks else _HIGH
        self.registers += [self._net(state), self._net(f"{it.name}:next"), self._net(enable)]
        names = {**it.pins, cell.state[0]: state, cell.state[1]: f"!{state}"}
        for pin, function in cell.functions.items():
            if pin in it.pins:
                inverse = function.replace(cell.state[1], f"!{cell.state[0]}")
                self._compute(cell.name, inverse, names, it.pins[pin])

    def _compute(self, cell: str, function: str, pins: Mapping[str, str], output: str) -> None:
        """Another cell that computes `output`."""
        if (cell, function) not in self.kinds:
            inputs = sorted(set(_TOKEN.findall(function)) & set(pins))
            names = {pin: f"v[a[{place}]]" for place, pin in enumerate(inputs, 1)}
            self.kinds[cell, function] = len(self.sources), inputs
            expression = c_expression(function, names)
            self.sources.append({"name": cell, "width": 1 + len(inputs), "expression": expression})
        kind, inputs = self.kinds[cell, function]
        self.cells.append((kind, self._net(output), [self._net(pins[pin]) for pin in inputs]))

    def _net(self, name: str) -> int:
        return self.nets.setdefault(name, len(self.nets))

    def _bits(self, port: str) -> list[int]:
        """The nets of a port, lowest bit first."""
        if port in self.ports:
            return [self._net(self.ports[port])]
        return [self._net(self.ports[f"{port}[{i}]"]) for i in range(len(self.ports)) if f"{port}[{i}]" in self.ports]

    def _ordered(self) -> list[int]:
        """Groups of cells of one kind and one depth: kind, count, then nets of each; ToolError for a loop."""
        readers: dict[int, list[int]] = {}
        waiting = [0] * len(self.cells)
        made = {output for _, output, _ in self.cells}
        for index, (_, _, inputs) in enumerate(self.cells):
            for net in {*inputs} & made:
                readers.setdefault(net, []).append(index)
                waiting[index] += 1
        ready, ordered, done = [i for i, count in enumerate(waiting) if not count], [], 0
        while ready:
            done, following = done + len(ready), []
            for kind, group in groupby(sorted(ready, key=lambda i: self.cells[i][0]), key=lambda i: self.cells[i][0]):
                members = [self.cells[i] for i in group]
                ordered += [kind, len(members), *(net for _, output, inputs in members for net in (output, *inputs))]
            for index in ready:
                for reader in readers.get(self.cells[index][1], ()):
                    waiting[reader] -= 1
                    following += [reader] * (not waiting[reader])
            ready = following
        if done < len(self.cells):
            raise ToolError(f"{len(self.cells) - done} cells are in or behind a loop of logic", "report it")
        return ordered


def _loads(design: Design, weights: Integers | None) -> NDArray[np.uint64]:
    """The bits of the load port in each cycle of reset, all streams alike: [cycles, bits]."""
    if not design.regions or weights is None:
        return np.zeros((_RESET_CYCLES, sum(widths(design.regions)) + 1 if design.regions else 0), np.uint64)
    parts = [_bits_of(weights[:, place], bits) for place, bits in enumerate(widths(design.regions))]
    rows = np.concatenate([np.ones((len(weights), 1), np.int64), *parts], axis=1)
    return -np.pad(rows, ((0, _RESET_CYCLES), (0, 0))).astype(np.uint64)


def _bits_of(values: Integers, bits: int) -> Integers:
    """[..., bits], lowest first."""
    return values[..., None] >> np.arange(bits) & 1


def _words(streams: Integers, port: Port) -> NDArray[np.uint64]:
    """[beats, payload bits] of frames [64, tokens, channels]; the last bit says that a frame begins."""
    beats = streams.reshape(LANES, -1, port.lanes)
    bits = _bits_of(beats, port.dtype.bits).reshape(*beats.shape[:2], -1)
    first = np.broadcast_to(_first(port, beats.shape[1])[:, None], (*beats.shape[:2], 1))
    packed = np.packbits(np.concatenate([bits, first], axis=2).astype(np.uint8), axis=0, bitorder="little")
    return np.ascontiguousarray(packed.transpose(1, 2, 0)).view("<u8")[..., 0]


def _elements(words: NDArray[np.uint64], port: Port) -> Integers:
    """Frames [batch, tokens, channels] of beats as the program writes them; MismatchError if their flag is wrong."""
    beats = words.reshape(-1, port.lanes * port.dtype.bits + 1)
    bits = np.unpackbits(beats[..., None].view(np.uint8), axis=2, bitorder="little").transpose(2, 0, 1).astype(np.int64)
    if (bits[..., -1] != _first(port, len(beats))).any():
        raise MismatchError("gates: the output's frames begin elsewhere", "mapping or a cell's function is wrong")
    values = (bits[..., :-1].reshape(LANES, len(beats), port.lanes, -1) << np.arange(port.dtype.bits)).sum(axis=3)
    negative = (values >> (port.dtype.bits - 1) & 1) if port.dtype.lo < 0 else 0
    return (values - (negative << port.dtype.bits)).reshape(-1, port.tokens, port.channels)


def _first(port: Port, beats: int) -> Integers:
    """For each beat, whether it is of the first token of a frame."""
    return (np.arange(beats) % port.frame_beats < port.beats).astype(np.int64)
