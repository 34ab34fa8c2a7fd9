"""Foreign programs: found, run to their end, and their failures told as ToolError.

The only module that starts a process. A child runs in a process group of its own, so that whatever
it started dies with it when it takes too long or the user presses Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from emamba.errors import ToolError

_FIRST, _LAST = 5, 10  # lines of a failed program's output that an error carries


def which(name: str, hint: str) -> str:
    """Path of the program `name`; ToolError with `hint` when it is not on PATH."""
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not installed", hint)
    return path


def run(
    command: Sequence[str],
    cwd: Path | None,
    hint: str,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    stdin: str | None = None,
) -> str:
    """What `command` printed on its standard output.

    `env` is added to the environment. ToolError with `hint` and the first and last lines of output when the
    program cannot be started, exits with another code than 0, is killed, or takes over `timeout_s`.
    """
    name = Path(command[0]).name
    with _started(command, cwd, hint, env) as child:
        try:
            output, errors = child.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired as late:
            _kill(child)
            raise ToolError(
                f"{name} did not end within {timeout_s:g} s{_excerpt(late.output, late.stderr)}", hint
            ) from None
        except BaseException:
            _kill(child)
            raise
    if child.returncode != 0:
        raise ToolError(f"{name} {_ending(child.returncode)}{_excerpt(output, errors)}", hint)
    return output


def _started(
    command: Sequence[str], cwd: Path | None, hint: str, env: Mapping[str, str] | None
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"cannot start {Path(command[0]).name}: {error.strerror}", hint) from error


def _kill(child: subprocess.Popen[str]) -> None:
    """Ends the child and everything it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _excerpt(*outputs: str | bytes | None) -> str:
    """The first and last lines of a program's output, errors last, to put behind a fact."""
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text or "" for text in outputs]
    lines = [line.rstrip() for text in texts for line in text.splitlines() if line.strip()]
    if len(lines) > _FIRST + _LAST:
        lines = [*lines[:_FIRST], "...", *lines[-_LAST:]]
    return "".join(f"\n    {line}" for line in lines)
