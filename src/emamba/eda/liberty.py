"""Liberty files: the corner they are for, their units, and what the flow has to know of each cell.

`read` looks for nothing else. Tables of delays are for ABC and OpenSTA; those of power are read by `eda.power`.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from emamba import files
from emamba.errors import ConfigError

# Patterns begin with a word, which is found fast, and then look back at what must not be before it.
_CELL = re.compile(r'cell(?<!\wcell)\s*\(\s*"?([^\s")]+)"?\s*\)\s*\{')
_PIN = re.compile(r'pin(?<!\wpin)\s*\(\s*"?([^\s")]+)"?\s*\)\s*\{')
_FUNCTION = re.compile(r'function(?<!\wfunction)\s*:\s*"([^"]*)"')
_BRACE = re.compile(r"[{}]")
_STATE = re.compile(r'ff(?<!\wff)\s*\(\s*"?(\w+)"?\s*,\s*"?(\w+)"?\s*\)')
_GATE_PIN = re.compile(r'clock_gate_(clock|enable|test|out)_pin\s*:\s*"?true')
_VALUE = r'{0}(?<!\w{0})\s*:\s*"?([^";\n]*)'
_NANOSECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
_FEMTOFARADS = {"ff": 1.0, "pf": 1e3}
_CORNER_HINT = "give the same standard cells at another voltage or temperature; commas join files of one corner"
_HINT = "name a liberty file of standard cells, or one of the PDKs of `emamba pdk list`"


@dataclass(frozen=True)
class Cell:
    """A cell: area in um2, the capacitance of its largest input in fF, and the function of each output.

    A flip-flop has a `next_state` at each edge of `clock` ("" for others), two variables `state`, the second of which
    is the opposite of the first, and is cleared and set at any time where `clear` and `preset` say so. `gate` names the
    pins of a clock gate (clock, enable, test, out), and is empty for others.
    """

    name: str
    area: float = 0.0
    capacitance: float = 0.0
    functions: Mapping[str, str] = field(default_factory=dict)
    next_state: str = ""
    clock: str = ""
    state: tuple[str, ...] = ()
    clear: str = ""
    preset: str = ""
    gate: Mapping[str, str] = field(default_factory=dict)
    unused: bool = False


@dataclass(frozen=True)
class Library:
    """Standard cells at one corner, in one file or several. Areas of liberty files have no unit: they are in um2.

    `paths` are its files, packed by gzip or not; `unused` are patterns of cells that are left alone. `time_ns` is the
    unit of time.
    """

    name: str
    paths: tuple[Path, ...]
    voltage: float
    temperature: float
    time_ns: float
    load_ff: float
    cells: Mapping[str, Cell]
    unused: tuple[str, ...] = ()

    @property
    def nand2(self) -> Cell:
        """The smallest NAND of two inputs, known by its name: the unit of gate equivalents."""
        return self._smallest(r"nand2(?!b)|(?<!a)nd2(?!b)") or Cell("none")

    @property
    def inverter(self) -> Cell | None:
        """The smallest inverter or buffer, known by its name."""
        return self._smallest(r"(?<![a-z])(inv|buf)")

    @property
    def buffer(self) -> Cell | None:
        """The buffer above the smallest one, which is weak; None if there is none."""
        found = sorted((it for it in self.usable() if _is_buffer(it)), key=lambda it: it.area)
        return next((it for it in found if it.area > found[0].area), found[0] if found else None)

    def _smallest(self, pattern: str) -> Cell | None:
        found = [cell for cell in self.usable() if re.search(pattern, cell.name, re.IGNORECASE)]
        return min(found, key=lambda cell: cell.area, default=None)

    def usable(self) -> Iterator[Cell]:
        """The cells that logic is made of."""
        return (cell for cell in self.cells.values() if not self.left_alone(cell))

    def left_alone(self, cell: Cell) -> bool:
        """Whether a cell is not for logic: marked so, or of a pattern in `unused`, or a flip-flop with an enable.

        An enable within the cell has a multiplexer for every bit, which a clock gate has not.
        """
        plain = re.fullmatch(r"[(\s]*!?\s*\w*[)\s]*'?", cell.next_state)
        return cell.unused or not plain or any(fnmatchcase(cell.name, pattern) for pattern in self.unused)


def _is_buffer(cell: Cell) -> bool:
    return len(cell.functions) == 1 and not cell.next_state and all(it.isidentifier() for it in cell.functions.values())


def read(paths: Sequence[Path], unused: Sequence[str] = ()) -> Library:
    """The library in `paths`, packed by gzip or not.

    ConfigError that names the file if one is missing, is no liberty file, or has other units or another voltage than
    the first; and if there is no flip-flop.
    """
    parts = [read_file(path) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        for what in ("voltage", "temperature", "time_ns", "load_ff"):
            if getattr(part, what) != getattr(first, what):
                fact = f"{part.paths[0]} has {what} {getattr(part, what):g}, {first.paths[0].name} has"
                raise ConfigError(f"{fact} {getattr(first, what):g}", "give files of one corner with the same units")
    cells = {name: cell for part in parts for name, cell in part.cells.items()}
    library = replace(first, paths=tuple(paths), cells=cells, unused=tuple(unused))
    if not any(cell.next_state for cell in library.usable()):
        raise ConfigError(f"{first.paths[0]} has {len(cells)} cells, but no flip-flop", _HINT)
    return library


def corner(library: Library, other: Library, used: Iterable[str]) -> Library:
    """`other`, which has the cells of `library` at another corner, and leaves the same alone.

    ConfigError if one of the cells `used` is missing there, or has other pins.
    """
    name = other.paths[0].name
    missing = [cell for cell in sorted(used) if cell not in other.cells]
    changed = [
        cell for cell in sorted(used) if cell not in missing and _pins(other.cells[cell]) != _pins(library.cells[cell])
    ]
    if missing or changed:
        what = "lacks" if missing else "has other pins in"
        cells = missing or changed
        fact = f"{name} is no other corner of {library.name}: it {what} {len(cells)} cells of the netlist"
        raise ConfigError(f"{fact}: {', '.join(cells[:3])}", _CORNER_HINT)
    return replace(other, unused=library.unused)


def _pins(cell: Cell) -> set[str]:
    """Every name that what the cell computes, or keeps, is told with."""
    words = " ".join([*cell.functions.values(), cell.next_state, cell.clock, cell.clear, cell.preset])
    return {*cell.functions, *cell.gate.values(), *re.findall(r"[A-Za-z_]\w*", words)}


def unpacked(library: Library, folder: Path) -> Library:
    """The same library with plain copies of its files in `folder`, for programs that do not unpack."""
    contents = {folder / path.name.removesuffix(".gz"): _text(path) for path in library.paths}
    return replace(library, paths=tuple(files.write(path, text) for path, text in contents.items()))


def texts_of(library: Library) -> Iterator[tuple[str, dict[str, str]]]:
    """For each file what stands before its cells, and what stands in each."""
    return map(_parts, map(_text, library.paths))


def _parts(text: str) -> tuple[str, dict[str, str]]:
    head, *rest = _CELL.split(text)
    return head, dict(zip(rest[::2], rest[1::2], strict=True))


def groups(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Every group of that kind in `text`: its name, and what is in it."""
    for found in re.finditer(rf'{kind}(?<!\w{kind})\s*\(\s*"?([^)"]*?)"?\s*\)\s*\{{', text):
        depth, end = 1, found.end()
        while depth:
            brace = _BRACE.search(text, end)
            if brace is None:
                break
            depth, end = depth + (1 if brace[0] == "{" else -1), brace.end()
        yield found[1], text[found.end() : end - 1]


def _text(path: Path) -> str:
    """What the file says, without comments."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
    except FileNotFoundError:
        raise ConfigError(f"there is no liberty file {path}", _HINT) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} cannot be read: {error}", _HINT) from error
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def read_file(path: Path) -> Library:
    """The library in one file, whatever cells it has; ConfigError that names the file if it is no liberty file."""
    text = _text(path)
    if not re.match(r"\s*library\s*\(", text):
        raise ConfigError(f"{path} is not a liberty file: it begins with {text[:20]!r}, not with a library", _HINT)
    head, cells = _parts(text)
    if not cells or text.count("{") != text.count("}"):
        fact = "it ends within a group" if cells else "it has no cells"
        raise ConfigError(f"{path} is not a whole liberty file: {fact}", _HINT)
    try:
        return _library(path, head, cells)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{path} has a unit or number that is not known here: {error}", _HINT) from error


def _library(path: Path, head: str, cells: Mapping[str, str]) -> Library:
    """From what stands before the cells, and what stands in each; ValueError or KeyError for what is not known."""
    load = re.search(r'capacitive_load_unit\s*\(\s*([\d.]+)\s*,\s*"?(\w+)', head)
    time = re.fullmatch(r"(\d+)(\w+)", _value("time_unit", head))
    if load is None or time is None:
        raise ValueError("capacitive_load_unit" if time else "time_unit")
    load_ff = float(load[1]) * _FEMTOFARADS[load[2].lower()]
    return Library(
        name=re.split(r'[\s"()]+', head.strip())[1],
        paths=(path,),
        voltage=float(_value("nom_voltage", head)),
        temperature=float(_value("nom_temperature", head)),
        time_ns=int(time[1]) * _NANOSECONDS[time[2]],
        load_ff=load_ff,
        cells={name: _cell(name, text, load_ff) for name, text in cells.items()},
    )


def _cell(name: str, text: str, load_ff: float) -> Cell:
    _, *pins = _PIN.split(text)
    contents = dict(zip(pins[::2], pins[1::2], strict=True))
    gate = {role: pin for pin, content in contents.items() for role in _GATE_PIN.findall(content)}
    state = _STATE.search(text)
    loads = re.findall(r"capacitance(?<!\wcapacitance)\s*:\s*([-+.\deE]+)", text)
    return Cell(
        name=name,
        area=float(_value("area", text, "0")),
        capacitance=max(map(float, loads), default=0) * load_ff,
        functions={pin: found[1] for pin, content in contents.items() if (found := _FUNCTION.search(content))},
        next_state=_value("next_state", text, ""),
        clock=_value("clocked_on", text, ""),
        state=state.groups() if state else (),
        clear=_value("clear", text, "") if state else "",
        preset=_value("preset", text, "") if state else "",
        gate=gate if "clock_gating_integrated_cell" in text else {},
        unused=_value("dont_use", text, "") == "true",
    )


def _value(key: str, text: str, missing: str | None = None) -> str:
    """The first value of `key`; KeyError if there is none and nothing else to give."""
    found = re.search(_VALUE.format(key), text)
    if found is None and missing is None:
        raise KeyError(key)
    return found[1].strip() if found else missing or ""
