"""What a network is given: tokens that lie in rows and columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A frame: a grid of `rows * columns` groups, row by row, of `group` tokens of `features` values each."""

    rows: int
    columns: int
    features: int
    group: int = 1

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.rows * self.columns * self.group
