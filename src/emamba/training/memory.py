"""What a training run needs to go on after it was killed, as if nothing had happened."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from emamba import files

Parts = dict[str, Any]  # name of a part (model, optimiser, ...) -> its state as PyTorch gives it


def remember(path: Path, key: str, parts: Parts) -> None:
    """Writes `parts` of the run that `key` identifies; the file is whole or as it was before."""
    content = io.BytesIO()
    torch.save({"key": key, **parts}, content)
    files.write(path, content.getvalue())


def recall(path: Path, key: str) -> Parts | None:
    """What `remember` wrote under `key`; None if there is nothing, or it is of another run or damaged.

    Only tensors and plain values are read, never code.
    """
    if not path.is_file():
        return None
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever a damaged file makes PyTorch raise: the run then begins anew
        return None
    return parts if isinstance(parts, dict) and parts.pop("key", None) == key else None
