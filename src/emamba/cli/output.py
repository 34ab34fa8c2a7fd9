"""What the command line prints: tables, results, progress."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from emamba import flow


def finish(run: Path, results: dict[str, Any], as_json: bool, *groups: str) -> None:
    """Prints `results` as JSON, or the named groups of the table of all results (without names: all)."""
    if as_json:
        print(json.dumps(results, indent=1))
        return
    from emamba.report import load_results
    from emamba.report.summary import groups as grouped

    wanted = [group for group in grouped(load_results(run)) if not groups or group.title in groups]
    print_table(row for group in wanted for row in group.rows)
    if not groups:
        print(f"report: {run / 'report.html'}")


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Rows of a name, a value, and a note that may wrap."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


@contextmanager
def listener() -> Iterator[flow.Listener]:
    """Progress bars on stderr; where that is no terminal, one line for each thing that begins."""
    console = Console(stderr=True, highlight=False, markup=False)

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    if not console.is_terminal:
        yield flow.Listener(as_lines(say), say)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield flow.Listener(as_bars(bars), say)


def as_bars(bars: Progress) -> flow.Progress:
    """A `progress` that shows one bar: that of the label it was called with last."""
    tasks: dict[str, TaskID] = {}

    def progress(done: int, total: int, label: str) -> None:
        if label not in tasks:
            for task in tasks.values():
                bars.update(task, visible=False)
            tasks[label] = bars.add_task(label, total=None)
        bars.update(tasks[label], completed=done, total=total or None, visible=True)

    return progress


def as_lines(say: Callable[[str], None]) -> flow.Progress:
    """A `progress` that says each label once."""
    seen: set[str] = set()

    def progress(done: int, total: int, label: str) -> None:
        if label not in seen:
            seen.add(label)
            say(f"{label} ...")

    return progress


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns as wide as their cells, whatever the width of the terminal; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def front_table(designs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The designs of `flow.explore` in columns, and under which wish `emamba build` gives each."""
    head = (
        "cycles a frame",
        "latency",
        "multipliers",
        "use",
        "DSP",
        "LUT",
        "FF",
        "memory bits",
        "asap7 mm2",
        "nJ",
        "wish",
    )
    return [head, *map(_front_row, designs)]


def _front_row(it: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("dsp", "lut", "ff", "memory_bits")
    speed = [f"{it[name]:,}" for name in ("cycles_per_frame", "latency_cycles", "multipliers")]
    wish = f"--interval {it['interval_cycles']} --latency {it['latency_cycles']}"
    chip = f"{it['asap7_mm2']:.4f}", f"{it['asap7_nj']:,.1f}"
    return *speed, f"{it['multiplier_use']:.0%}", *(f"{it[name]:,}" for name in names), *chip, wish
