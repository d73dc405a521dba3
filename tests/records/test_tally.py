from pathlib import Path

import polars as pl
import pytest

from cairn.records.catalog import Catalog
from cairn.records.tables import write_table
from cairn.records.tally import NO_HOST, Tally, tally_of

Row = dict[str, object]
KEPT: Row = {"status": "kept", "path": "x", "size_bytes": 10}
GONE: Row = {"status": "failed", "cause": "gone"}
BUSY: Row = {"status": "failed", "cause": "host too busy"}


def tallied(path: Path, *rows: Row, list_name: str = "l.csv") -> Tally:
    """The tally of a catalog of these rows; each has an id of its own and the list `l.csv` unless told."""
    made = [
        {"list": "l.csv", "row": i, "image_id": f"i{i}", "source": "http://a.test/x"} | row
        for i, row in enumerate(rows, start=1)
    ]
    write_table(Catalog.of(made).table, path / "catalog.parquet")
    return tally_of(path / "catalog.parquet", list_name)


def test_ends_are_counted_kept_first_then_the_commonest(tmp_path: Path) -> None:
    pending: Row = {"status": "pending", "cause": "not fetched yet"}
    found = tallied(tmp_path, BUSY, GONE, GONE, KEPT, pending)
    assert found.ends == (
        ("kept", None, 1), ("failed", "gone", 2), ("failed", "host too busy", 1),
        ("pending", "not fetched yet", 1),
    )  # fmt: skip
    assert (found.n_rows, found.n_kept) == (5, 1)


def test_counts_of_ends_and_of_hosts_add_up_to_the_rows(tmp_path: Path) -> None:
    rows = [
        kind | {"source": f"http://{host}.test/1"} for kind in (KEPT, GONE, BUSY) for host in "abca"
    ]
    found = tallied(tmp_path, *rows)
    assert found.n_rows == sum(n for *_, n in found.ends) == 12
    assert sum(host.n_rows for host in found.hosts) == 12
    assert sum(host.n_kept for host in found.hosts) == found.n_kept == 4
    assert sum(host.n_failed for host in found.hosts) == found.count("failed") == 8


def test_hosts_are_told_by_rows_and_their_causes_by_number(tmp_path: Path) -> None:
    b: Row = {"source": "http://b.test/1"}
    found = tallied(tmp_path, KEPT, GONE | b, BUSY | b, GONE | b, KEPT | b)
    assert [(host.host, host.n_rows, host.n_kept, host.n_failed) for host in found.hosts] == [
        ("b.test", 4, 1, 3), ("a.test", 1, 1, 0),
    ]  # fmt: skip
    assert found.hosts[0].causes == (("gone", 2), ("host too busy", 1))


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("http://A.test/x", "a.test"),
        ("https://a.test:8080/x?y=http://b.test/", "a.test:8080"),
        ("http://user:word@a.test/", "a.test"),
        ("http://[::1]:80/x", "[::1]:80"),
        ("http://a.test", "a.test"),
        ("http://a.test?x@y", "a.test"),
        ("None", NO_HOST),
        ("http://", NO_HOST),
        ("", NO_HOST),
        (None, NO_HOST),
    ],
)
def test_a_host_is_read_from_an_address(tmp_path: Path, source: str | None, host: str) -> None:
    assert tallied(tmp_path, GONE | {"source": source}).hosts[0].host == host


def test_bytes_and_landmarks_are_those_of_kept_images(tmp_path: Path) -> None:
    two: Row = {"landmark_ids": ["x", "y"]}
    one: Row = {"landmark_ids": ["x"]}
    other: Row = {"status": "duplicate", "size_bytes": 99, "landmark_ids": ["z"]}
    found = tallied(tmp_path, KEPT | two, KEPT | one, KEPT, other)
    assert (found.n_bytes, found.n_landmarks) == (30, 2)


def test_nothing_kept_is_no_landmark(tmp_path: Path) -> None:
    found = tallied(tmp_path, GONE | {"landmark_ids": ["x"]})
    assert (found.n_kept, found.n_bytes, found.n_landmarks) == (0, 0, 0)


def test_unlabelled_images_show_no_landmark(tmp_path: Path) -> None:
    assert tallied(tmp_path, KEPT, KEPT | {"landmark_ids": []}).n_landmarks == 0


def test_rows_of_other_lists_do_not_count(tmp_path: Path) -> None:
    found = tallied(tmp_path, KEPT, GONE | {"list": "other.csv"})
    assert found.ends == (("kept", None, 1),)
    assert tally_of(tmp_path / "catalog.parquet", "unknown.csv").ends == ()


def test_rows_of_a_status_and_of_causes_are_counted(tmp_path: Path) -> None:
    excluded: Row = {"status": "excluded", "cause": "gone"}
    found = tallied(tmp_path, GONE, BUSY, BUSY, excluded, KEPT)
    assert (found.count("failed"), found.count("excluded"), found.count("pending")) == (3, 1, 0)
    assert found.of_causes(frozenset({"gone", "host too busy"})) == 3


def test_a_tally_is_that_of_the_slow_way(tmp_path: Path) -> None:
    kinds = (KEPT, GONE, BUSY)
    rows = [kinds[i * 7 % 3] | {"source": f"http://h{i * i % 5}.test/{i}"} for i in range(200)]
    found = tallied(tmp_path, *rows)
    table = pl.read_parquet(tmp_path / "catalog.parquet")
    for host in found.hosts:
        own = table.filter(pl.col("source").str.starts_with(f"http://{host.host}/"))
        assert host.n_rows == len(own)
        assert dict(host.causes) == {
            cause: own["cause"].eq(cause).sum() for cause in set(own["cause"]) - {None}
        }
