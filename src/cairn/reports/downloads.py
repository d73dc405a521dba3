"""The report of a download: how every row of the list ended, by cause, by host and over time, as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.files import write_text
from cairn.images.fetch.causes import PASSING
from cairn.records.catalog import DUPLICATE, EXCLUDED, FAILED, KEPT, PENDING
from cairn.records.tally import NO_HOST, HostTally, Tally
from cairn.reports.cause_words import words_of
from cairn.reports.charts import Chart, fetched_chart, percent
from cairn.reports.pages import render

MOST_HOSTS = 100


@dataclass(frozen=True)
class DownloadContents:
    """What the report tells.

    fetched_at_s: when each photo that is kept was fetched, seconds since the first, ascending; a sample
    of some hundreds is enough.
    facts: what else a reader may want to know, name and value. next_command: what to run now.
    """

    tally: Tally
    fetched_at_s: Sequence[float]
    facts: tuple[tuple[str, str], ...]
    next_command: str


@dataclass(frozen=True)
class EndRow:
    """How some rows ended: `kind` picks the colour, `says` what it means and what can be done."""

    words: str
    kind: str
    n: int
    share: str
    width: float
    says: str


@dataclass(frozen=True)
class HostRow:
    """One host: its rows in widths of percent of the largest's, kept, failed and others; all together have no widths."""

    host: str
    tally: HostTally
    widths: tuple[float, float, float]
    most_often: str


def write_download_report(path: Path, contents: DownloadContents) -> None:
    """`path` holds the report; it asks for nothing from outside and runs no script."""
    write_text(path, render_download_report(contents))


def render_download_report(contents: DownloadContents) -> str:
    """The report as the text of one HTML file."""
    tally = contents.tally
    n_passing = tally.of_causes(frozenset(map(str, PASSING)))
    return render(
        "download.html.j2",
        {
            "tally": tally,
            "name": Path(tally.list_name).name,
            "most_hosts": MOST_HOSTS,
            "n_hosts": sum(host.host != NO_HOST for host in tally.hosts),
            "lead": _lead(tally, n_passing),
            "n_passing": n_passing,
            "n_failed": tally.count(FAILED),
            "n_waiting": tally.count(PENDING),
            "n_twins": tally.count(DUPLICATE),
            "n_excluded": tally.count(EXCLUDED),
            "ends": end_rows(tally),
            "hosts": host_rows(tally),
            "over_time": _over_time(contents),
            "facts": contents.facts,
            "next_command": contents.next_command,
        },
    )


def _lead(tally: Tally, n_passing: int) -> str:
    """What the numbers come to, in a sentence or two."""
    said = [
        f"{counted(tally.n_rows, 'row')}: {percent(tally.n_kept / max(tally.n_rows, 1))} became images, of "
        f"{counted(tally.n_landmarks, 'landmark')}."
    ]
    if n_passing:
        said.append(
            f"{counted(n_passing, 'row')} failed for a cause that may pass: the same command tries again."
        )
    if tally.count(PENDING):
        said.append(
            f"{counted(tally.count(PENDING), 'row')} still to fetch: the same command goes on."
        )
    return " ".join(said)


def end_rows(tally: Tally) -> list[EndRow]:
    """How the rows ended, as the lines of a table, in the order of `tally.ends`."""
    most = max((n for _, _, n in tally.ends), default=1)
    return [
        EndRow(
            words=cause or ("kept" if status == KEPT else status),
            kind=_kind(status, cause),
            n=n,
            share=percent(n / tally.n_rows),
            width=round(100 * n / most, 2),
            says=words_of(status, cause),
        )
        for status, cause, n in tally.ends
    ]


def _kind(status: str, cause: str | None) -> str:
    if status == FAILED:
        return "passing" if cause in PASSING else "failed"
    return {KEPT: "kept", PENDING: "waiting"}.get(status, "other")


def host_rows(tally: Tally) -> list[HostRow]:
    """The hosts with most rows, all others, and all together, as the lines of a table."""
    shown = tally.shown_hosts(MOST_HOSTS)
    most = max((host.n_rows for host in shown), default=1)
    rows = []
    for host in (*shown, tally.all_hosts):
        parts = (host.n_kept, host.n_failed, host.n_others)
        is_drawn = host in shown
        first, second, third = (round(100 * part / most * is_drawn, 2) for part in parts)
        causes = ", ".join(f"{n:,} {cause}" for cause, n in host.causes[:2])
        rows.append(HostRow(host.host, host, (first, second, third), causes))
    return rows


def _over_time(contents: DownloadContents) -> Chart | None:
    times = contents.fetched_at_s
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return fetched_chart(times, n_kept=contents.tally.n_kept)
