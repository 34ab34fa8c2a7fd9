"""Yosys, from the pyosys wheel, in a child process: its errors are ours, and its memory goes back."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from emamba import files
from emamba.eda.process import run, which
from emamba.errors import ToolError

_FAULT = "look at the ERROR line; the design is at fault"
_SCRIPT = """
import sys
from pyosys import libyosys

design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


def yosys(commands: Sequence[str], folder: Path) -> str:
    """What Yosys prints while it runs `commands` on one design, with `folder` as its working directory."""
    return run([*_command(), *commands], folder, _FAULT)


def yosys_at_once(scripts: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Runs several lists of commands, each on a design of its own, on all cores.

    What they print is in `<name>.log`. `make` keeps the processes together: they end with it.
    """
    make = which("make", "install make, on Debian or Ubuntu: apt install make")
    python, _, script = _command()
    files.write(folder / "yosys.py", script)
    logs = [f"{name}.log" for name in scripts]
    rules = [f"all: {' '.join(logs)}", "%.log: %.ys", f'\t"{python}" yosys.py "script $<" > $@']
    files.write(folder / "Makefile", "\n".join(rules) + "\n")
    for name, commands in scripts.items():
        files.write(folder / f"{name}.ys", "\n".join(commands) + "\n")
    run([make, f"-j{os.cpu_count()}"], folder, _FAULT)


def _command() -> tuple[str, str, str]:
    """Python, its option, and the script that runs its arguments as commands."""
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError("pyosys is not installed", "install it with `pip install pyosys`")
    return sys.executable, "-c", _SCRIPT
