"""The firmware compiled and run on this machine, and how much memory it needs."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emamba import files
from emamba.eda import process
from emamba.errors import ToolError
from emamba.firmware.spelling import element
from emamba.fixed import Integers
from emamba.graph import Graph, Operation
from emamba.graph.golden import accepted
from emamba.templates import rendered

COMPILERS = ("cc", "gcc", "clang")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_INSTALL = "install a C compiler, on Debian or Ubuntu: apt install gcc"


@dataclass(frozen=True)
class Runner:
    """A compiled firmware of `graph` with a test harness around it."""

    executable: Path
    graph: Graph


@dataclass(frozen=True)
class Sizes:
    """Bytes of the firmware, compiled for this machine with -Os: instructions, constants, structure of state."""

    code_bytes: int
    constant_bytes: int
    ram_bytes: int


def find_compiler() -> str:
    """Path of the first C compiler on PATH; ToolError if there is none."""
    for name in COMPILERS:
        if path := shutil.which(name):
            return path
    raise ToolError(f"there is no C compiler ({', '.join(COMPILERS)})", _INSTALL)


def build_firmware(sources: Mapping[str, str], graph: Graph, folder: Path, *, checked: bool = False) -> Runner:
    """`sources`, as `firmware.generate` made them of `graph`, compiled in `folder` with a test harness.

    `checked` makes warnings errors, and undefined behaviour as well as wrong addresses end the run.
    ToolError with what the compiler says.
    """
    name = f"emamba_{graph.name}"
    context = {"name": name, "NAME": name.upper(), "tensors": len(graph.operations)}
    harness = {f"firmware_{part}": rendered("eda", f"firmware_{part}.j2", context) for part in ("main.c", "trace.h")}
    _write(folder, {**sources, **harness})
    flags = (*STRICT, *SANITIZED) if checked else ()
    inputs = ("-include", "firmware_trace.h", f"{name}.c", "firmware_main.c")
    _compile(folder, "-O0" if checked else "-O2", *flags, *inputs, "-o", "harness")
    return Runner(folder / "harness", graph)


def run_firmware(runner: Runner, frames: Integers, trace_frames: int = 0) -> tuple[Integers, dict[str, Integers]]:
    """What the firmware makes of `frames` [batch, tokens, channels].

    The outputs [batch, tokens out, channels], and every tensor by name [trace_frames, tokens,
    channels] for the first `trace_frames` frames. Frames follow each other without a reset.
    """
    graph = runner.graph
    kept = min(trace_frames, len(frames))
    with tempfile.TemporaryDirectory(dir=runner.executable.parent) as place:
        folder = Path(place)
        files.write(folder / "frames", accepted(graph, frames).astype(_numpy(graph.input)).tobytes())
        command = [str(runner.executable.resolve()), "frames", "outputs", str(kept)]
        process.run(command, folder, "this is a defect of emamba: please report it with the graph")
        outputs = _read(folder / "outputs", graph, graph.output, len(frames))
        traced = enumerate(graph.operations) if kept else ()
        return outputs, {op.name: _read(folder / f"outputs.{i}", graph, op, kept) for i, op in traced}


def firmware_sizes(sources: Mapping[str, str], graph: Graph, folder: Path) -> Sizes:
    """How much memory the firmware needs, compiled in `folder` with -Os for this machine.

    RAM is the structure of state; the header says how many bytes of tensors push holds on the stack.
    ToolError when the compiler, or `size` of binutils, is missing.
    """
    size = process.which("size", "install binutils, on Debian or Ubuntu: apt install binutils")
    name = f"emamba_{graph.name}"
    state = f'#include "{name}.h"\nextern {name}_state state;\n{name}_state state;\n'
    _write(folder, {**sources, "firmware_state.c": state})
    _compile(folder, "-Os", "-fno-pic", "-fno-common", "-c", f"{name}.c", "firmware_state.c")
    sections = _sections(process.run([size, "-A", f"{name}.o"], folder, _INSTALL))
    states = _sections(process.run([size, "-A", "firmware_state.o"], folder, _INSTALL))
    return Sizes(_bytes(sections, ".text"), _bytes(sections, ".rodata"), _bytes(states, ".bss"))


def _compile(folder: Path, *arguments: str) -> None:
    process.run([find_compiler(), "-std=c99", *arguments], folder, "the C compiler refused; its words are above")


def _write(folder: Path, sources: Mapping[str, str]) -> None:
    for name, text in sources.items():
        files.write(folder / name, text)


def _numpy(op: Operation) -> np.dtype:
    return np.dtype(element(op.dtype).removesuffix("_t"))


def _read(path: Path, graph: Graph, op: Operation, frames: int) -> Integers:
    values = np.frombuffer(files.read_bytes(path), _numpy(op)).astype(np.int64)
    return values.reshape(frames, graph.frame_tokens(op.name), op.channels)


def _sections(listing: str) -> dict[str, int]:
    """Bytes by section, from what `size -A` prints."""
    return {name: int(count) for name, count in re.findall(r"^(\.\S+)\s+(\d+)\s", listing, re.MULTILINE)}


def _bytes(sections: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in sections.items() if name.startswith(prefix))
