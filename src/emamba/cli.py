"""The command line: each verb is the twin of a function in `emamba.flow`.

The only place where errors become exit codes: an error is two lines on stderr, what happened and what to
do, and the code of its family (see `emamba.errors`). Results go to stdout, progress to stderr.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from emamba import __version__, data, flow
from emamba.config import Config, load_config, recipes
from emamba.errors import EmambaError, StorageError, ToolError

INTERRUPTED = 130
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
bench = typer.Typer(no_args_is_help=True, help="Measure: against other packages, choice by choice, setting by setting.")
app.add_typer(bench, name="bench")
sets = typer.Typer(help="Data sets: which there are, where they lie, and how to get them.")
app.add_typer(sets, name="data")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, as `emamba train` makes it.")]
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help=f"TOML file, or one of: {', '.join(recipes())}.")]
Folder = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Run folder to make. [default: runs/<name>]")]
Force = Annotated[bool, typer.Option("--force", help="Redo what is up to date.")]
Set = Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(data.SOURCES)}.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Holds a subfolder for each data set; else EMAMBA_DATA does."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]


def main(arguments: list[str] | None = None) -> None:
    """Runs a verb and exits with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    wanted = [argument for argument in given if argument != "--debug"] or ["--help"]
    sys.exit(_status(wanted, debug="--debug" in given))


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


@app.command()
def demo(run: Folder = None, data_dir: DataDir = None, force: Force = False, as_json: Json = False) -> None:
    """All stages for the handwritten digits, and the table of results."""
    run = run or Path("runs/digits")
    with _listener() as listener:
        results = flow.demo(run, force, listener, data_dir)
    _finish(run, results, as_json)


@app.command("flow")
def _flow(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE|RUN", help="A recipe, or the run folder of one.")],
    run: Folder = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """All stages of a recipe, and the table of results."""
    config, run = _begun(recipe, run)
    with _listener() as listener:
        results = flow.flow(config, run, force, listener, data_dir)
    _finish(run, results, as_json)


@app.command()
def train(
    recipe: Recipe, run: Folder = None, data_dir: DataDir = None, force: Force = False, as_json: Json = False
) -> None:
    """Train the model of a recipe; makes the run folder."""
    config, run = _begun(recipe, run)
    with _listener() as listener:
        results = flow.train(config, run, force, listener, data_dir)
    _finish(run, results, as_json, "Model")


@app.command()
def quantize(run: Run, data_dir: DataDir = None, force: Force = False, as_json: Json = False) -> None:
    """The trained model as an integer graph."""
    with _listener() as listener:
        results = flow.quantize(run, force, listener, data_dir)
    _finish(run, results, as_json, "Model")


@app.command()
def show(run: Run, as_json: Json = False) -> None:
    """The integer graph, one line an operation."""
    shown = flow.show(run)
    print((run / "graph.json").read_text() if as_json else shown, end="" if as_json else "\n")


@app.command()
def emit(run: Run, force: Force = False, as_json: Json = False) -> None:
    """The integer graph as C and as Verilog."""
    with _listener() as listener:
        results = flow.emit(run, force, listener)
    _finish(run, results, as_json, "C", "Hardware")


@app.command()
def verify(
    run: Run,
    frames: Annotated[int | None, typer.Option(min=2, help="Test frames to compare. [default: all]")] = None,
    stalls: Annotated[bool | None, typer.Option(help="Random stalls on input and output. [default: recipe]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the stalls.")] = 0,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Prove that golden executor, C and Verilog give the same integers."""
    with _listener() as listener:
        results = flow.verify(run, frames, stalls, seed, force, listener, data_dir)
    _finish(run, results, as_json, "Speed", "Proof")


@app.command()
def synth(run: Run, force: Force = False, as_json: Json = False) -> None:
    """Synthesize the Verilog for AMD UltraScale+ with Yosys."""
    with _listener() as listener:
        results = flow.synth(run, force, listener)
    _finish(run, results, as_json, "Hardware")


@app.command()
def report(run: Run, force: Force = False, as_json: Json = False) -> None:
    """One HTML page with all results, and the table of them."""
    with _listener() as listener:
        results = flow.report(run, force, listener)
    _finish(run, results, as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """The tools that stages need: found, in which version, or missing."""
    tools = flow.doctor()
    if as_json:
        print(json.dumps(tools, indent=1))
    else:
        _print_table((tool["name"], tool["found"] or "missing", tool["needed_for"]) for tool in tools)
    missing = [tool for tool in tools if not tool["found"]]
    if missing:
        raise ToolError(
            f"missing: {', '.join(tool['name'] for tool in missing)}", "; ".join(tool["hint"] for tool in missing)
        )


@bench.command("scan")
def _bench_scan(
    rounds: Annotated[int, typer.Option(min=1, help="Measurements, of which the median counts.")] = 5,
    limit: Annotated[int, typer.Option(min=1, help="Seconds after which a package is given up.")] = 60,
    as_json: Json = False,
) -> None:
    """The selective scan, forward and backward, against mambapy's and transformers'."""
    from emamba.bench.scan import scan, summary

    with _listener() as listener:
        measured = scan(listener.progress, rounds=rounds, limit=limit)
    if as_json:
        print(json.dumps(measured, indent=1))
    else:
        _print_table(summary(measured))


@bench.command("ablation")
def _bench_ablation(
    recipe: Recipe,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="Holds its run folders. [default: runs/<name>_ablation]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all trainings. [default: recipe]")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """What each choice of a recipe costs, from exact float to integers; up to four trainings."""
    from emamba.bench.ablation import ablation, seeded, summary, table

    config = load_config(recipe) if seed is None else seeded(load_config(recipe), seed)
    with _listener() as listener:
        found = ablation(config, run or Path("runs") / f"{config.name}_ablation", listener, data_dir)
    _print_measured(asdict(found), table(found), summary(found), as_json)


@bench.command("sweep")
def _bench_sweep(run: Run, data_dir: DataDir = None, as_json: Json = False) -> None:
    """What widths, curves and scales cost a trained model, post-training, on validation frames."""
    from emamba.bench.sweep import summary, sweep, table

    with _listener() as listener:
        found = sweep(run, listener.progress, data_dir)
    _print_measured(asdict(found), table(found), summary(found), as_json)


@sets.command("list")
def _list(data_dir: DataDir = None, as_json: Json = False) -> None:
    """The data sets: task, sizes, and where each was found."""
    found = data.catalogue(data_dir)
    if as_json:
        print(json.dumps([asdict(entry) for entry in found], indent=1, default=str))
        return
    for entry in found:
        place = "comes with the package" if entry.bundled else entry.folder or "missing"
        print(f"{entry.name:<14} {entry.task:<14} {entry.sizes}\n{'':<14} {place}")


@sets.command()
def fetch(name: Set, data_dir: DataDir = None) -> None:
    """Download the official files of a data set; goes on where it was interrupted."""
    with _listener() as listener:
        paths = data.fetch(name, data_dir, listener.progress)
    for path in paths:
        print(path)


@sets.command()
def check(name: Set, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Read a data set whole, compare its checksums, and say what it is."""
    found = data.check(name, data_dir)
    if as_json:
        print(json.dumps(asdict(found), indent=1, default=str))
        return
    for key, value in asdict(found).items():
        print(f"{key:<14} {value if value is not None else 'comes with the package'}")


def _begun(recipe: str, run: Path | None) -> tuple[Config, Path]:
    """The recipe and the run folder that a verb begins with; a run folder stands for its recipe."""
    if (Path(recipe) / "config.toml").is_file():
        return flow.recipe(Path(recipe)), run or Path(recipe)
    config = load_config(recipe)
    return config, run or Path("runs") / config.name


def _finish(run: Path, results: dict[str, Any], as_json: bool, *groups: str) -> None:
    """Prints `results` as JSON, or the named groups of the table of all results (without names: all)."""
    if as_json:
        print(json.dumps(results, indent=1))
        return
    from emamba.report import load_results
    from emamba.report.summary import groups as grouped

    wanted = [group for group in grouped(load_results(run)) if not groups or group.title in groups]
    _print_table(row for group in wanted for row in group.rows)
    if not groups:
        print(f"report: {run / 'report.html'}")


def _print_table(rows: Iterable[Sequence[str]]) -> None:
    """Rows of a name, a value, and a note that may wrap."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _print_measured(found: dict[str, Any], rows: Sequence[Sequence[str]], about: Iterable[str], as_json: bool) -> None:
    """`found` as JSON, or its rows in columns as wide as their cells, and what there is to say about them."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in about:
        print(line)


@contextmanager
def _listener() -> Iterator[flow.Listener]:
    """Progress bars on stderr; where that is no terminal, one line for each thing that begins."""
    console = Console(stderr=True, highlight=False, markup=False)

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    if not console.is_terminal:
        yield flow.Listener(_lines(say), say)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield flow.Listener(_bars(bars), say)


def _bars(bars: Progress) -> flow.Progress:
    """A `progress` that shows one bar: that of the label it was called with last."""
    tasks: dict[str, TaskID] = {}

    def progress(done: int, total: int, label: str) -> None:
        if label not in tasks:
            for task in tasks.values():
                bars.update(task, visible=False)
            tasks[label] = bars.add_task(label, total=None)
        bars.update(tasks[label], completed=done, total=total or None, visible=True)

    return progress


def _lines(say: Callable[[str], None]) -> flow.Progress:
    """A `progress` that says each label once."""
    seen: set[str] = set()

    def progress(done: int, total: int, label: str) -> None:
        if label not in seen:
            seen.add(label)
            say(f"{label} ...")

    return progress
