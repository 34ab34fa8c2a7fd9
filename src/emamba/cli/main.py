"""The entry: verbs, and errors as exit codes.

The only place where errors become exit codes: an error is two lines on stderr, what happened and what to
do, and the code of its family (see `emamba.errors`). Results go to stdout, progress to stderr.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Annotated

import typer

from emamba import __version__
from emamba.cli import bench, data, pdk, stages, zoo
from emamba.cli.fuzz import fuzz
from emamba.cli.search import search
from emamba.errors import EmambaError, StorageError

INTERRUPTED = 130
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(stages.verbs)
app.add_typer(data.verbs, name="data")
app.add_typer(pdk.verbs, name="pdk")
app.add_typer(zoo.verbs, name="zoo")
app.add_typer(bench.verbs, name="bench")
app.command()(fuzz)
app.command()(search)


def main(arguments: list[str] | None = None) -> None:
    """Runs a verb and exits with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    wanted = [argument for argument in given if argument != "--debug"] or ["--help"]
    code = _status(wanted, debug="--debug" in given)
    _flush()
    sys.exit(code)


def _flush() -> None:
    """Prints what is left; that nobody reads it any more (`emamba show RUN | head -1`) is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends


def _status(arguments: list[str], debug: bool) -> int:
    """The exit code of a verb; its error is told on stderr."""
    try:
        code = app(arguments, prog_name="emamba", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, hint, code = _explained(error)
        print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    if code == INTERRUPTED:
        print("interrupted: finished stages are kept, the same command goes on from there", file=sys.stderr)
    return code


def _explained(error: Exception) -> tuple[str, str, int]:
    """What happened, what to do, and the exit code."""
    if isinstance(error, EmambaError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, OSError) and error.errno in _STORAGE:
        return str(error), "free space, or choose a folder that can be written", StorageError.exit_code
    usage = getattr(error, "format_message", None)
    if usage:  # typer's own: unknown options, missing arguments
        return usage(), "see: emamba --help, or emamba VERB --help", getattr(error, "exit_code", 2)
    return f"{type(error).__name__}: {error}", "this is a defect of emamba: run again with --debug and report it", 1


def _version(asked: bool) -> None:
    if asked:
        print(f"emamba {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a Mamba model in PyTorch to verified hardware. Begin with: emamba demo"""
