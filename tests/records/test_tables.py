import resource
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import DiskError
from cairn.records.tables import Schema, pieces_of, write_table

SCHEMA: Schema = {"name": pl.String, "number": pl.Int64}


def piece(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"number": numbers, "name": [str(n) for n in numbers]})


def test_pieces_become_one_table_in_their_order_and_nothing_is_left_of_them(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with pieces_of(path, SCHEMA) as pieces:
        for start in range(0, 36, 3):
            pieces.add(piece(start, start + 1, start + 2))
        pieces.write()
    made = pl.read_parquet(path)
    assert made["number"].to_list() == list(range(36))
    assert made.columns == ["name", "number"]
    assert [found.name for found in tmp_path.iterdir()] == ["table.parquet"]


def test_no_piece_is_an_empty_table(tmp_path: Path) -> None:
    with pieces_of(tmp_path / "table.parquet", SCHEMA) as pieces:
        pieces.write()
    assert pl.read_parquet(tmp_path / "table.parquet").schema == SCHEMA


def test_without_writing_or_after_an_error_the_old_table_stays(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"old")
    with pieces_of(path, SCHEMA) as pieces:
        pieces.add(piece(1))
    with pytest.raises(pl.exceptions.ColumnNotFoundError), pieces_of(path, SCHEMA) as pieces:
        pieces.add(piece(1).drop("name"))
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["table.parquet"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(DiskError, match="could not be written"),
        pieces_of(tmp_path / "file" / "t", SCHEMA),
    ):
        pass


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond a few bytes, as on a disk that has no more room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
def test_a_table_that_the_disk_has_no_room_for_is_told_as_any_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(DiskError, match=r"a\.parquet.* could not be written: File too large"):
        write_table(pl.DataFrame({"a": range(1000)}), path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("full_disk")
def test_pieces_that_the_disk_has_no_room_for_are_told_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with (
        pytest.raises(DiskError, match="could not be written: File too large"),
        pieces_of(path, {"a": pl.Int64}) as pieces,
    ):
        pieces.add(pl.DataFrame({"a": range(1000)}))
    assert not list(tmp_path.iterdir())
