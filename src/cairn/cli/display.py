"""Words out: progress and warnings to stderr, results to stdout, tables that fit a terminal."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cairn.base.watching import Advance

if TYPE_CHECKING:
    from rich.progress import Progress


class TerminalWatch:
    """Bars on stderr where it is a terminal, else one line for each finished stretch of work."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A stretch of work of `total` steps, shown as a bar with rate and time left."""
        if not self._is_terminal:
            started = time.monotonic()
            yield lambda steps: None
            steps = f"{total:,} in " if total > 1 else ""
            print(f"{name}: {steps}{time.monotonic() - started:.1f} s", file=sys.stderr)
            return
        with _bars() as bars:
            task = bars.add_task(name, total=max(total, 1), completed=0 if total else 1)
            yield lambda steps: bars.advance(task, steps)

    def note(self, text: str) -> None:
        """One line on stderr."""
        print(text, file=sys.stderr)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<22}"), BarColumn(bar_width=32), MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True), console=Console(stderr=True),
    )  # fmt: skip


def program() -> str:
    """How the command was called: `cairn`, or its path where the shell would not find it."""
    called = sys.argv[0]
    is_found = shutil.which("cairn") is not None or Path(called).name != "cairn"
    return "cairn" if is_found else called


def say(text: str) -> None:
    """A line of result on stdout; where nobody reads it any more, the work goes on without saying."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it stays open to the end


def answer(text: str) -> None:
    """A line that is what the command is for; raises BrokenPipeError where nobody reads it any more."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first column is set left, numbers right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    is_number = [
        bool(rows) and all(_looks_like_number(row[i]) for row in rows if row[i])
        for i in range(len(head))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join(lines)


def _looks_like_number(cell: str) -> bool:
    return (
        cell.replace(",", "").replace(".", "").replace("%", "").replace("-", "").strip().isdigit()
    )
