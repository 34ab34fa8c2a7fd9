"""SRAM macros: what a liberty file says of one, and what the memories of a design would take in such macros.

That is an estimate: nothing is mapped to them. In the netlist memories are flip-flops, or logic if they are constant.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.liberty import groups, read_file, texts_of
from emamba.eda.power import leakage
from emamba.eda.synthesis import component
from emamba.eda.yosys import yosys
from emamba.errors import ConfigError

_HINT = "name a liberty file with one SRAM macro, whose cell has a group memory () with address_width and word_width"
_LITERAL = re.compile(r"(!?)\s*(\w+)")
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")


@dataclass(frozen=True)
class Macro:
    """A memory of `words` words of `bits` bits: area in um2, leakage in nW, pJ of a read and of a write, access in ns.

    Energies and access are None where the file has no tables of them. `masked`: parts of a word can be written.
    `at_once`: it reads and writes in the same cycle; one with a single port does not.
    """

    macro: str
    library: str
    voltage: float
    temperature: float
    words: int
    bits: int
    area_um2: float
    leakage_nw: float
    read_pj: float | None
    write_pj: float | None
    access_ns: float | None
    masked: bool
    at_once: bool


@dataclass(frozen=True)
class Memory:
    """A memory that a design writes to, in a component; `registered`: what it reads goes through a register first."""

    component: str
    name: str
    words: int
    bits: int
    read_ports: int
    registered: bool

    @property
    def size(self) -> int:
        """All of its bits."""
        return self.words * self.bits


def read_macro(path: Path) -> Macro:
    """The macro in a liberty file, packed by gzip or not; ConfigError if there is none, or more than one."""
    library = read_file(path)
    ((head, cells),) = texts_of(library)
    found = {name: text for name, text in cells.items() if dict(groups(text, "memory"))}
    if len(found) != 1:
        raise ConfigError(f"{path} has {len(found)} SRAM macros among its {len(cells)} cells", _HINT)
    ((name, text),) = found.items()
    (shape,) = dict(groups(text, "memory")).values()
    sizes = [re.search(rf"{key}\s*:\s*\"?(\d+)", shape) for key in ("address_width", "word_width")]
    if not all(sizes):
        raise ConfigError(f"{path}: the memory of {name} has no address_width or no word_width", _HINT)
    address, bits = (int(size[1]) for size in sizes if size)
    reads, writes = ({it for it, _ in _ports(text, kind)} for kind in ("memory_read", "memory_write"))
    energies = [energy and energy * library.load_ff * 1e-3 for energy in _energies(text)]
    slowest = _slowest(text)
    return Macro(
        macro=name,
        library=library.name,
        voltage=library.voltage,
        temperature=library.temperature,
        words=1 << address,
        bits=bits,
        area_um2=library.cells[name].area,
        leakage_nw=leakage(head, text),
        read_pj=energies[0],
        write_pj=energies[1],
        access_ns=slowest and slowest * library.time_ns,
        masked=_masked(head, text, bits),
        at_once=len(reads) > 1 or not reads <= writes,
    )


def memories(verilog: str, top: str) -> list[Memory]:
    """The memories of `verilog` that are written to, as Yosys finds them. ToolError when it fails."""
    steps = (
        "proc",
        "opt_expr",
        "opt_merge",
        "opt_dff",
        "opt_clean",
        "memory_dff",
        "memory_collect",
        "select t:$mem_v2",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder / "top.v", verilog)
        yosys(["read_verilog top.v", f"hierarchy -top {top}", *steps, "write_json -selected memories.json"], folder)
        modules = json.loads(files.read_bytes(folder / "memories.json"))["modules"]
    found = (_memory(module, top, cell) for module, it in modules.items() for cell in it["cells"].values())
    return [memory for memory in found if memory]


def macros_of(memory: Memory, macro: Macro) -> int:
    """How many macros hold it: as many side by side as its words are wide, and below each other as it is deep.

    Narrow words lie side by side in one of the macro's, if that can be written in parts. Each port that reads has a
    copy.
    """
    beside = max(1, macro.bits // memory.bits) if macro.masked else 1
    rows = ceil(memory.words / beside)
    return ceil(memory.bits / macro.bits) * ceil(rows / macro.words) * memory.read_ports


def alternative(
    found: Sequence[Memory],
    macro: Macro,
    weights: Sequence[tuple[str, str]],
    areas: Mapping[str, float],
    reads: Mapping[str, int],
) -> dict[str, Any]:
    """What macros would change: the content of macros.json.

    `weights` are component and name of memories that are never read while they are written; all others are taken to
    read and write in one cycle. `areas` are those of the flip-flops of memories by component in um2, which its memories
    share by their bits; `reads` bounds how often the memories of a component are read for a frame. A memory goes into
    macros where they can serve it and are smaller than its flip-flops.
    """
    bits = {name: sum(it.size for it in found if it.component == name) for name in areas}
    rows = [
        {
            **asdict(it),
            "macros": macros_of(it, macro),
            "flip_flops_um2": areas.get(it.component, 0.0) * it.size / bits[it.component],
            "served": it.registered and (macro.at_once or (it.component, it.name) in weights),
        }
        for it in found
        if it.component in bits
    ]
    chosen = [it for it in rows if it["served"] and it["macros"] * macro.area_um2 < it["flip_flops_um2"]]
    each = [reads.get(it["component"], 0) * ceil(it["bits"] / macro.bits) * it["read_ports"] for it in chosen]
    count = sum(it["macros"] for it in chosen)
    return {
        **asdict(macro),
        "memories": [{**it, "chosen": it in chosen} for it in rows],
        "chosen": len(chosen),
        "macros": count,
        "flip_flops_um2": sum(it["flip_flops_um2"] for it in chosen),
        "macros_um2": count * macro.area_um2,
        "reads_nj": None if macro.read_pj is None else sum(each) * macro.read_pj * 1e-3,
    }


def _memory(module: str, top: str, cell: Mapping[str, Any]) -> Memory | None:
    """None for one that is never written to."""
    known = cell["parameters"]
    number = {key: int(known[key], 2) for key in ("WIDTH", "SIZE", "RD_PORTS", "WR_PORTS", "RD_CLK_ENABLE")}
    if not number["WR_PORTS"]:
        return None
    child = module.removeprefix("\\").removeprefix(top).removeprefix(".").split(".")[0]
    clocked = number["RD_CLK_ENABLE"] == (1 << number["RD_PORTS"]) - 1
    name = known["MEMID"].removeprefix("\\")
    return Memory(component(child, ""), name, number["SIZE"], number["WIDTH"], number["RD_PORTS"], clocked)


def _ports(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """The address of each bus or pin that has such a group, and what is in the bus."""
    for bus in ("bus", "pin", "bundle"):
        for _, body in groups(text, bus):
            for _, inner in groups(body, kind):
                address = re.search(r"address\s*:\s*\"?(\w+)", inner)
                yield address[1] if address else "", body


def _energies(text: str) -> tuple[float | None, float | None]:
    """Of a read and of a write, in units of the file: what a clock pin takes in a cycle under the conditions for it.

    Conditions under which data have to be set up are those of writing. If there are none, both are the largest.
    """
    conditions = [_literals(it) for _, body in _ports(text, "memory_write") for _, it in groups(body, "timing")]
    writing = next(filter(None, conditions), set())
    cycles = [
        (_literals(inner), sum(_power(inner, edge) for edge in ("rise_power", "fall_power")))
        for _, body in groups(text, "pin")
        if re.search(r'clock\s*:\s*"?true', body)
        for _, inner in groups(body, "internal_power")
    ]
    if not cycles:
        return None, None
    against = {(not positive, pin) for positive, pin in writing}
    most = max(energy for _, energy in cycles)
    reads = [energy for when, energy in cycles if when & against] or [most]
    writes = [energy for when, energy in cycles if writing and writing <= when] or [most]
    return max(reads), max(writes)


def _literals(body: str) -> set[tuple[bool, str]]:
    """The first condition in `body`, which is taken to be a product: pins, and whether they are high."""
    found = re.search(r'when(?<!\wwhen)\s*:\s*"([^"]*)"', body)
    return {(not inverted, pin) for inverted, pin in _LITERAL.findall(found[1])} if found else set()


def _power(body: str, edge: str) -> float:
    numbers = [float(it) for _, inner in groups(body, edge) for it in _NUMBER.findall(_values(inner))]
    return sum(numbers) / len(numbers) if numbers else 0.0


def _slowest(text: str) -> float | None:
    """From clock to output, at the largest load and the longest slew of the file."""
    outputs = [body for _, body in _ports(text, "memory_read")]
    tables = [inner for body in outputs for edge in ("cell_rise", "cell_fall") for _, inner in groups(body, edge)]
    return max((float(it) for table in tables for it in _NUMBER.findall(_values(table))), default=None)


def _values(table: str) -> str:
    found = re.search(r"values\s*\(([^)]*)\)", table)
    return found[1] if found else ""


def _masked(head: str, text: str, bits: int) -> bool:
    """Whether there is an input as wide as a word that is neither data nor address."""
    widths = {name: re.search(r"bit_width\s*:\s*(\d+)", body) for name, body in groups(head + text, "type")}
    wide = {name for name, width in widths.items() if width and int(width[1]) == bits}
    for _, body in groups(text, "bus"):
        kind = re.search(r'bus_type\s*:\s*"?(\w+)', body)
        data = dict(groups(body, "memory_write")) or dict(groups(body, "memory_read"))
        if kind and kind[1] in wide and not data:
            return True
    return False
