"""How records that are tables check, write and read themselves."""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import disk_errors, write_whole

Schema = dict[str, pl.DataType | type[pl.DataType]]
ROWS_A_GROUP = 10_000
# As Rust and as Python say it.
_OS_ERROR = re.compile(r"(?:\(os error |\[Errno )(\d+)")


def require_schema(table: pl.DataFrame, schema: Schema, *, what: str) -> None:
    """Nothing, where `table` has exactly the columns and types of `schema`.

    Raises InputError that names every column that is missing, unknown or of another type.
    """
    wrong = [f"no column {name}" for name in schema if name not in table.columns]
    wrong += [f"an unknown column {name}" for name in table.columns if name not in schema]
    wrong += [
        f"column {name} is {table.schema[name]}, not {pl.DataFrame(schema={name: kind}).schema[name]}"
        for name, kind in schema.items()
        if name in table.columns
        and table.schema[name] != pl.DataFrame(schema={name: kind}).schema[name]
    ]
    if wrong:
        raise InputError(
            f"{what} has {'; '.join(wrong)}; the columns of docs/files.md were expected; "
            "make it again with the command that writes it"
        )


def write_table(table: pl.DataFrame, path: Path) -> None:
    """`path` holds `table` as Parquet, or what it held before."""
    write_whole(path, lambda file: _written(lambda: table.write_parquet(file)))


class Pieces:
    """A table that comes in pieces, so that only one of them is in memory; see `pieces_of`."""

    def __init__(self, path: Path, folder: Path, schema: Schema) -> None:
        self._path, self._folder, self._schema = path, folder, schema
        self._n_pieces = 0

    def add(self, piece: pl.DataFrame) -> None:
        """The next rows are those of `piece`, which has the columns of the schema."""
        self._n_pieces += 1
        path = self._folder / f"{self._n_pieces:09}.parquet"
        rows = piece.select(*self._schema)
        _written(lambda: rows.write_parquet(path, compression="lz4"))

    def write(self) -> None:
        """The file holds all pieces in their order, or what it held before."""
        if not self._n_pieces:
            self.add(pl.DataFrame(schema=self._schema))
        joined = pl.scan_parquet(sorted(self._folder.iterdir()))
        write_whole(
            self._path,
            lambda file: _written(
                lambda: joined.sink_parquet(file, maintain_order=True, row_group_size=ROWS_A_GROUP)
            ),
        )


@contextlib.contextmanager
def pieces_of(path: Path, schema: Schema) -> Iterator[Pieces]:
    """Pieces for the table at `path`, which changes only when they are written; after that nothing is left of them.

    Raises DiskError when the disk is full.
    """
    folder = path.with_name(f".{path.name}.pieces")
    with disk_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield Pieces(path, folder, schema)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def read_table(path: Path, *, what: str, made_by: str) -> pl.DataFrame:
    """The Parquet table at `path`.

    Raises InputError where there is none or it cannot be read; `made_by` is the command to run.
    """
    with _told(path, what, made_by):
        return pl.read_parquet(path)


def scan_table(path: Path, *, what: str, made_by: str) -> pl.LazyFrame:
    """The Parquet table at `path`, of which only what is asked for is read.

    Raises InputError where there is none or it is none; `made_by` is the command to run.
    """
    with _told(path, what, made_by):
        table = pl.scan_parquet(path)
        # Reads how the file ends, where Parquet says what it holds.
        table.collect_schema()
        return table


def _written(write: Callable[[], object]) -> None:
    """What `write` writes by polars, whose error of a full disk leaves as the OSError that it was."""
    try:
        write()
    except pl.exceptions.PolarsError as error:
        number = _OS_ERROR.search(str(error))
        if number is None:
            raise
        code = int(number.group(1))
        raise OSError(code, os.strerror(code)) from error


@contextlib.contextmanager
def _told(path: Path, what: str, made_by: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; {what} was expected there; run: {made_by}"
        ) from error
    except PermissionError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; {what} that you may read were expected there; give yourself the "
            "right to read it"
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as {what}; it is damaged or not a Parquet file; "
            f"remove it and run: {made_by}"
        ) from error
