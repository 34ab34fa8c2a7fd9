"""Designs become a program that simulates them: Verilator, a generated harness, and the C++ compiler.

The harness is `templates/harness.cpp.j2`. Verilator's own makefile is not used: the wheel's names the
compiler of the machine that it was built on, and refuses folders with spaces.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.process import run, which
from emamba.eda.verilator import verilator, verilator_root
from emamba.rtl.design import Design
from emamba.rtl.weights import widths
from emamba.templates import rendered

_OPTIONS = (
    *("--top-module", "bench", "--Mdir", "."),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--output-split", "4000", "-Wno-lint"),
)
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_PART_BYTES = 600_000  # generated C++ that one compiler process gets
_MAKEFILE = """\
INCLUDE := -I. -I"{include}" -I"{include}/vltstd"
simulator: runtime.o {objects}
\t{compiler} -o $@ $^ -pthread
runtime.o:
\t{compiler} -std=gnu++17 -w -O0 $(INCLUDE) -c runtime.cpp
fast_%.o: fast_%.cpp
\t{compiler} -std=gnu++17 -w {level} $(INCLUDE) -c $<
slow_%.o: slow_%.cpp
\t{compiler} -std=gnu++17 -w -O0 $(INCLUDE) -c $<
"""


@dataclass(frozen=True)
class Simulator:
    """A program that simulates `design`, its core or its AXI4-Stream top: the one of that `number` in the program."""

    design: Design
    executable: Path
    number: int = 0


def build_simulator(
    design: Design, verilog: str, folder: Path, optimised: bool = True, packets: bool = False
) -> Simulator:
    """The simulator of `verilog`, the Verilog of `design`; with `packets` of its AXI4-Stream top, which is there too.

    Not `optimised`, it is built in two thirds of the time and takes five times as long to run.

    Programs are kept in `folder` under a hash of what they are built from: nothing is built twice, and
    several designs can share a folder (and with it the compiled runtime of Verilator).
    """
    return build_simulators([(design, verilog)], folder, optimised, packets)[0]


def build_simulators(
    designs: Sequence[tuple[Design, str]], folder: Path, optimised: bool = True, packets: bool = False
) -> list[Simulator]:
    """One program for several designs, each with its Verilog: of small ones, the harness is what costs most."""
    sources = _sources(designs, packets)
    level = "-O1" if optimised else "-O0"
    tools = (*_OPTIONS, _MAKEFILE, verilator(["--version"], Path.cwd(), "reinstall verilator"))
    executable = folder / f"simulator-{files.digest(*sources.values(), *tools, level)[:16]}"
    runtime = folder / f"runtime-{files.digest(*tools)[:16]}.o"

    def build(beside: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            _build(sources, [_prefix(number) for number in range(len(designs))], level, Path(name), runtime)
            os.replace(Path(name) / "simulator", beside)

    if not executable.exists():
        files.write_with(executable, build)
    return [Simulator(design, executable, number) for number, (design, _) in enumerate(designs)]


def _build(sources: dict[str, str], prefixes: Iterable[str], level: str, folder: Path, runtime: Path) -> None:
    """Leaves `simulator` in `folder`; `runtime` is used if it exists, and made otherwise."""
    for name, content in sources.items():
        files.write(folder / name, content)
    for prefix in prefixes:
        inputs = [f"{prefix}_{name}" for name in ("design.vlt", "bench.v", "design.v")]
        verilator(["--cc", "--prefix", prefix, *_OPTIONS, *inputs], folder, "check the Verilog with a linter")
    objects = _parts(folder)
    compiler = which("g++", "install a C++ compiler, for example `apt install g++`")
    include = verilator_root() / "include"
    choices = {"compiler": compiler, "include": include, "level": level, "objects": " ".join(objects)}
    files.write(folder / "Makefile", _MAKEFILE.format(**choices))
    if runtime.exists():
        shutil.copy(runtime, folder / "runtime.o")
    make = which("make", "install make, for example `apt install make`")
    run([make, f"-j{os.cpu_count()}"], folder, "the C++ that Verilator wrote does not compile here; try a newer g++")
    if not runtime.exists():
        os.replace(folder / "runtime.o", runtime)


def _parts(folder: Path) -> list[str]:
    """Joins the C++ into few, equally large parts, because headers cost most; their objects.

    Verilator calls slow what runs once: that is never optimised.
    """
    generated = [folder / "harness.cpp", *sorted(folder.glob("Model*.cpp"))]
    if sum(path.stat().st_size for path in generated) < _PART_BYTES:
        return _joined(folder, "fast", generated, _PART_BYTES)
    slow = [path for path in generated if "Slow" in path.name]
    fast = [path for path in generated if path not in slow]
    return [*_joined(folder, "fast", fast, _PART_BYTES), *_joined(folder, "slow", slow, 2 * _PART_BYTES)]


def _joined(folder: Path, kind: str, paths: Iterable[Path], size: int) -> list[str]:
    sizes = {path.name: path.stat().st_size for path in paths}
    parts: list[list[str]] = [[] for _ in range(1 + sum(sizes.values()) // size)]
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        min(parts, key=lambda part: sum(sizes[other] for other in part)).append(name)
    for index, part in enumerate(parts):
        # Verilator wants one model to a precompiled header, of which there is none here.
        included = (f'#undef VL_PCH_INCLUDED\n#include "{name}"\n' for name in part)
        files.write(folder / f"{kind}_{index}.cpp", "".join(included))
    return [f"{kind}_{index}.o" for index in range(len(parts))]


def _prefix(number: int) -> str:
    """What the names of the model of a design begin with."""
    return f"Model{number}"


def _sources(designs: Sequence[tuple[Design, str]], packets: bool) -> dict[str, str]:
    """What is compiled: file name -> content."""
    benches = [_bench(_prefix(number), design, packets) for number, (design, _) in enumerate(designs)]
    sources = {
        "harness.cpp": rendered("eda", "harness.cpp.j2", {"benches": benches}),
        "runtime.cpp": "".join(f'#include "{name}"\n' for name in _RUNTIME),
    }
    for bench, (design, verilog) in zip(benches, designs, strict=True):
        prefix = bench["prefix"]
        sources[f"{prefix}_bench.v"] = rendered("eda", "bench.v.j2", bench)
        sources[f"{prefix}_design.v"] = verilog
        sources[f"{prefix}_design.vlt"] = _readable(design, bench["top"])
    return sources


def _bench(prefix: str, design: Design, packets: bool) -> dict[str, Any]:
    """What the templates say about a design."""
    return {
        "prefix": prefix,
        "design": design,
        "packets": packets,
        "top": design.stream_top if packets else design.top,
        "core": "dut__DOT__core" if packets else "dut",
        "drain": design.frame_cycles,
        "phase_bits": design.frame_cycles.bit_length() + 1,
        "input_place": 8 * design.input.element_bytes if packets else design.input.dtype.bits,
        "output_place": 8 * design.output.element_bytes if packets else design.output.dtype.bits,
        "output_flags": 3 if packets else 1,
        "load_bits": widths(design.regions) if design.regions else (),
    }


def _readable(design: Design, top: str) -> str:
    """Verilator's configuration, which keeps what the harness reads, and makes it readable."""
    readable = "".join(f'public_flat_rd -module "{design.top}" -var "{names}"\n' for names in ("tap_*", "busy_*"))
    inlined = "".join(f'inline -module "{module}"\n' for module in sorted({design.top, top}))
    return f"`verilator_config\n{readable}{inlined}"
