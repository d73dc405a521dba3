"""How records that are tables check, write and read themselves."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import write_whole

Schema = dict[str, pl.DataType | type[pl.DataType]]


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
    write_whole(path, table.write_parquet)


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


@contextlib.contextmanager
def _told(path: Path, what: str, made_by: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; {what} was expected there; run: {made_by}"
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as {what}; it is damaged or not a Parquet file; "
            f"remove it and run: {made_by}"
        ) from error
