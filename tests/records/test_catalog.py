from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.records.catalog import CATALOG_SCHEMA, OF_DOWNLOADS, PENDING, Catalog
from tests.make import catalog


def test_a_catalog_without_the_columns_of_downloads_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    made = catalog([["a"], None])
    made.table.drop(OF_DOWNLOADS).write_parquet(path)
    assert Catalog.read(path).table.equals(made.table)
    assert Catalog.scan(path).collect_schema().names() == list(CATALOG_SCHEMA)


def test_a_catalog_from_before_decisions_is_read_with_all_images_in_use(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    made = catalog([["a"], None])
    made.table.drop(*OF_DOWNLOADS, "excluded").write_parquet(path)
    assert Catalog.read(path).table.equals(made.table)
    assert len(Catalog.read(path).images) == 2


def test_an_excluded_image_is_kept_and_not_in_use_and_counts_add_up() -> None:
    cause = pl.Series("excluded", ["near copy", None, None])
    made = Catalog(catalog([["a"], ["b"], None]).table.with_columns(cause))
    assert made.images["image_id"].to_list() == ["i0001", "i0002"]
    assert made.kept["image_id"].to_list() == ["i0000", "i0001", "i0002"]
    assert made.landmark_ids == ["b"]
    assert made.counts() == {"kept": 2, "excluded: near copy": 1}


def test_rows_that_are_not_fetched_yet_are_counted() -> None:
    rows: list[dict[str, object]] = [
        {"image_id": "a", "status": PENDING, "cause": "not fetched yet"}
    ]
    assert Catalog.of(rows).counts() == {"pending: not fetched yet": 1}


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(InputError, match="has the status \\['lost'\\]"):
        Catalog.of([{"image_id": "a", "status": "lost"}])


def test_an_image_that_is_kept_twice_is_refused() -> None:
    with pytest.raises(InputError, match="keeps the image a twice"):
        Catalog.of([{"image_id": "a", "status": "kept"}] * 2)


def test_a_table_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    catalog([None]).table.drop("status").write_parquet(tmp_path / "catalog.parquet")
    with pytest.raises(InputError, match="no column status"):
        Catalog.read(tmp_path / "catalog.parquet")


@pytest.mark.parametrize("read", [Catalog.read, Catalog.scan])
def test_a_file_that_is_no_table_is_told(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "catalog.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="cannot be read as a catalog; it is damaged"):
        read(tmp_path / "catalog.parquet")
    with pytest.raises(InputError, match="does not exist; a catalog was expected"):
        read(tmp_path / "nothing.parquet")
