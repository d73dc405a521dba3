from pathlib import Path

import polars as pl

from cairn.records.landmarks import KINDS, Landmarks


def test_a_file_from_before_there_were_kinds_is_read_and_has_none(tmp_path: Path) -> None:
    table = Landmarks.of([{"landmark_id": "a", "name": "A", "latitude": 1.5}]).table
    table.drop(KINDS).write_parquet(tmp_path / "landmarks.parquet")
    assert Landmarks.read(tmp_path / "landmarks.parquet").table.equals(table)
    assert table.select(KINDS).row(0) == (None, None, None)
    assert set(table.select(KINDS).dtypes) == {pl.String}
