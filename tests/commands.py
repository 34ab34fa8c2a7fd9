"""How a command ended, and the recipe that tests of the command line use."""

import re
from pathlib import Path

from emamba.files import write
from toy import TOY


class Ended:
    """How a command ended: its exit code, and what it printed."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def told(self):
        """The lines of an error; there have to be two."""
        lines = [
            line for line in self.err.splitlines() if not re.search(r" \.\.\.$|^\w+: (new|unchanged|forced)", line)
        ]
        assert len(lines) == 2
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        return tuple(lines)


def recipe(folder: Path, *lines: str) -> Path:
    """The toy recipe with more lines behind it (as `section.key = value` in front)."""
    return write(folder / "toy.toml", "\n".join(lines) + "\n" + TOY)
