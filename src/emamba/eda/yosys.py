"""Yosys, from the pyosys wheel, in a child process: its errors are ours, and its memory goes back."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from emamba.eda.process import run
from emamba.errors import ToolError

_HINT = "install it with `pip install pyosys`"
_SCRIPT = """
import sys
from pyosys import libyosys

design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


def yosys(commands: Sequence[str], folder: Path) -> str:
    """What Yosys prints while it runs `commands` on one design, with `folder` as its working directory."""
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError("pyosys is not installed", _HINT)
    return run([sys.executable, "-c", _SCRIPT, *commands], folder, "look at the ERROR line; the design is at fault")
