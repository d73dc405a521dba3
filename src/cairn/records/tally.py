"""How the rows of one list ended, counted by cause and by host."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.records.catalog import FAILED, KEPT

NO_HOST = "(no host)"
# As far as a host's name goes in an address; what stands before an @ is no part of it.
HOST = r"^[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#@]*@)?([^/?#]+)"


@dataclass(frozen=True)
class HostTally:
    """How the rows of one host ended; `causes` are those of its failed rows, commonest first."""

    host: str
    n_rows: int
    n_kept: int
    n_failed: int
    causes: tuple[tuple[str, int], ...]

    @property
    def n_others(self) -> int:
        """The rows that are neither kept nor failed: duplicates, left out, or still to fetch."""
        return self.n_rows - self.n_kept - self.n_failed


@dataclass(frozen=True)
class Tally:
    """How the rows of one list ended; the counts of `ends`, and those of `hosts`, add up to `n_rows`.

    ends: status, cause (None where there is none) and number of rows, commonest first, kept before all.
    hosts: those with most rows first. n_bytes: of the kept images. n_landmarks: that kept images show.
    """

    list_name: str
    n_rows: int
    ends: tuple[tuple[str, str | None, int], ...]
    hosts: tuple[HostTally, ...]
    n_kept: int
    n_bytes: int
    n_landmarks: int

    def count(self, status: str) -> int:
        """The number of rows of one status."""
        return sum(n for found, _, n in self.ends if found == status)

    def shown_hosts(self, most: int) -> tuple[HostTally, ...]:
        """The `most` hosts with most rows (or one more), and all others as one: together they have all rows."""
        others = self.hosts[most:]
        if len(others) < 2:
            return self.hosts
        return (*self.hosts[:most], _together(f"{len(others):,} other hosts", others))

    @property
    def all_hosts(self) -> HostTally:
        """All hosts as one."""
        return _together("all", self.hosts)

    def of_causes(self, causes: frozenset[str]) -> int:
        """The number of failed rows with one of `causes`."""
        return sum(n for status, cause, n in self.ends if status == FAILED and cause in causes)


def _together(name: str, hosts: Sequence[HostTally]) -> HostTally:
    causes = Counter[str]()
    for host in hosts:
        causes.update(dict(host.causes))
    return HostTally(
        host=name,
        n_rows=sum(host.n_rows for host in hosts),
        n_kept=sum(host.n_kept for host in hosts),
        n_failed=sum(host.n_failed for host in hosts),
        causes=tuple(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
    )


def tally_of(catalog_path: Path, list_name: str) -> Tally:
    """How the rows of `list_name` ended, by the catalog at `catalog_path`, which is not read whole."""
    rows = pl.scan_parquet(catalog_path).filter(pl.col("list") == list_name)
    return tally_of_rows(rows, list_name)


def tally_of_rows(rows: pl.LazyFrame, list_name: str) -> Tally:
    """How `rows` of a catalog ended, in words those of `list_name`; they are not held in memory."""
    host = pl.col("source").str.extract(HOST).str.to_lowercase().fill_null(NO_HOST)
    grouped = (
        rows.group_by(host.alias("host"), "status", "cause")
        .agg(pl.len().alias("n"), pl.col("size_bytes").sum().alias("n_bytes"))
        .collect(engine="streaming")
    )
    kept = rows.filter(pl.col("status") == KEPT)
    shown = kept.select(pl.col("landmark_ids").explode().drop_nulls().n_unique()).collect(
        engine="streaming"
    )
    ends: dict[tuple[str, str | None], int] = defaultdict(int)
    by_host: dict[str, dict[tuple[str, str | None], int]] = defaultdict(dict)
    n_bytes = 0
    for name, status, cause, n, size in grouped.iter_rows():
        ends[status, cause] += n
        by_host[name][status, cause] = n
        n_bytes += size if status == KEPT else 0
    n_kept = sum(n for (status, _), n in ends.items() if status == KEPT)
    return Tally(
        list_name=list_name,
        n_rows=sum(ends.values()),
        ends=tuple((*key, n) for key, n in sorted(ends.items(), key=_kept_first)),
        hosts=tuple(
            sorted(
                (_host_tally(name, found) for name, found in by_host.items()),
                key=lambda tally: (-tally.n_rows, tally.host),
            )
        ),
        n_kept=n_kept,
        n_bytes=n_bytes,
        n_landmarks=int(shown.item()) if n_kept else 0,
    )


def _kept_first(item: tuple[tuple[str, str | None], int]) -> tuple[bool, int, str, str]:
    (status, cause), n = item
    return status != KEPT, -n, status, cause or ""


def _host_tally(host: str, ends: dict[tuple[str, str | None], int]) -> HostTally:
    failed = [(cause or "", n) for (status, cause), n in ends.items() if status == FAILED]
    return HostTally(
        host=host,
        n_rows=sum(ends.values()),
        n_kept=sum(n for (status, _), n in ends.items() if status == KEPT),
        n_failed=sum(n for _, n in failed),
        causes=tuple(sorted(failed, key=lambda item: (-item[1], item[0]))),
    )
