"""The command line: verbs are the twins of functions, and errors become exit codes here alone."""

from emamba.cli.main import app, main

__all__ = ["app", "main"]
