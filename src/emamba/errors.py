"""What can go wrong, seen from the user's side.

    EmambaError                 exit 1
    ├── ConfigError             exit 2   a choice that is unknown, of a wrong type, or impossible
    ├── DataError               exit 3   a data set that is missing, damaged, or of a wrong shape
    ├── ArtifactError           exit 4   a file of a run folder that is missing, truncated, altered
    ├── ToolError               exit 5   a foreign program that is missing or failed
    ├── MismatchError           exit 6   two executors of one graph disagree
    ├── StorageError            exit 7   the disk is full or not writable
    ├── GraphError              exit 8   an integer graph that breaks a rule
    └── TrainingError           exit 9   a training run that diverged

Each error is a fact with its value, and a hint. Ctrl-C exits with 130.
"""

from __future__ import annotations


class EmambaError(Exception):
    """Root of the tree: `message` states fact and value, `hint` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)  # both, so that an error survives pickling between processes
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


class ConfigError(EmambaError):
    """A choice that is unknown, of a wrong type, or impossible."""

    exit_code = 2


class DataError(EmambaError):
    """A data set that is missing, damaged, or of a wrong shape."""

    exit_code = 3


class ArtifactError(EmambaError):
    """A file of a run folder that is missing, truncated, or altered."""

    exit_code = 4


class ToolError(EmambaError):
    """A foreign program that is missing or failed."""

    exit_code = 5


class MismatchError(EmambaError):
    """Two executors of one graph that disagree."""

    exit_code = 6


class StorageError(EmambaError):
    """A disk that is full or not writable."""

    exit_code = 7


class GraphError(EmambaError):
    """An integer graph that breaks a rule."""

    exit_code = 8


class TrainingError(EmambaError):
    """A training run that diverged."""

    exit_code = 9
