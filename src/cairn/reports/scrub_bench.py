"""The page of the scrub bench: tables, curves over the queues, and sheets of photos, as one HTML file."""

from dataclasses import dataclass
from pathlib import Path

from cairn.base.files import write_text
from cairn.reports.charts import Chart
from cairn.reports.pages import render
from cairn.reports.sheets import Sheet


@dataclass(frozen=True)
class TableShown:
    """A table of words under a heading."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class QueueShown:
    """A queue of findings: what was found, and how many hits are right, up to each rank."""

    name: str
    found: Chart
    right: Chart


@dataclass(frozen=True)
class ScrubBenchContents:
    """What the page tells."""

    name: str
    lead: str
    tables: tuple[TableShown, ...]
    queues: tuple[QueueShown, ...]
    sheets: tuple[Sheet, ...]


def write_scrub_bench_report(path: Path, contents: ScrubBenchContents) -> None:
    """`path` holds the page; it asks for nothing from outside and runs no script."""
    write_text(path, render("scrub_bench.html.j2", {"contents": contents}))
