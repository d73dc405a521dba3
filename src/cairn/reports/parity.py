"""The page of an export: how near each format comes to the network, as one HTML file."""

import statistics
from pathlib import Path

from cairn.base.files import write_text
from cairn.records.parity import BARS, FormatParity, ParityReport
from cairn.reports.pages import render


def write_parity_report(path: Path, parity: ParityReport) -> None:
    """`path` holds the page; it asks for nothing from outside and runs no script."""
    rows = [_row(one, parity) for one in parity.formats]
    write_text(path, render("parity.html.j2", {"parity": parity, "rows": rows}))


def _row(one: FormatParity, parity: ParityReport) -> tuple[str, ...]:
    answers = ("", "")
    if one.answers is not None:
        change = one.answers.gap_change
        answers = (
            f"{one.answers.same_top_share:.1%} of {one.answers.n_queries:,}",
            "" if change is None else f"{change:+.4f}",
        )
    return (
        one.name,
        f"{one.cosine_median:.6f}",
        f"{one.cosine_low:.6f}",
        f"{one.cosine_least:.6f}",
        f"{BARS[one.name]}",
        f"{one.size_bytes / 1e6:.1f}",
        f"{statistics.median(one.images_per_s):.1f}",
        f"{parity.times_as_quick(one.name):.2f}",
        *answers,
    )
