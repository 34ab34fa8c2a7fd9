"""What a network is given: tokens that lie in rows and columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A frame: `rows * columns` tokens, row by row, of `features` values each."""

    rows: int
    columns: int
    features: int

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.rows * self.columns
