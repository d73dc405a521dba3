"""The journal: how each row ended that was fetched, in one file that a kill at any time leaves whole."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import JsonValue

from cairn.records.catalog import KEPT
from cairn.records.tables import Schema
from cairn.stages.download.journal_file import COLUMNS, open_file, told

DETAIL_CHARACTERS = 300
ROWS_AT_ONCE = 20_000
# Outcomes as a table: SQLite's columns in the words and types of the catalog.
OUTCOME_SCHEMA: Schema = {
    "key": pl.Int64,
    "status": pl.String,
    "cause": pl.String,
    "detail": pl.String,
    "path": pl.String,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "size_bytes": pl.Int64,
    "digest": pl.String,
    "kept_digest": pl.String,
    "likeness": pl.Binary,
    "fetched_from": pl.String,
    "http_status": pl.Int32,
    "attempts": pl.Int32,
    "fetched_at": pl.Datetime("ms", "UTC"),
}
FILE_SCHEMA: Schema = {"key": pl.Int64, "path": pl.String, "size_bytes": pl.Int64}
CAUSE_SCHEMA: Schema = {"key": pl.Int64, "cause": pl.String}
INSERT = f"INSERT INTO outcomes ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
SELECT = (
    f"SELECT {', '.join(f'outcomes.{name}' for name in COLUMNS)} FROM json_each(?) AS wanted "
    "CROSS JOIN outcomes ON outcomes.rowid = wanted.value"
)
RUNNING = "is running"
Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one row ended; what describes the image is None where there is none. docs/files.md says more."""

    key: int
    status: str
    cause: str | None = None
    detail: str | None = None
    path: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    size_bytes: int | None = None
    digest: str | None = None
    kept_digest: str | None = None
    likeness: bytes | None = None
    fetched_from: str | None = None
    http_status: int | None = None
    attempts: int
    fetched_at_ms: int


class Journal:
    """An open journal, which no other process can open meanwhile.

    Every method raises InputError where the file is damaged, DiskError where the disk is full or refuses.
    Methods may be called from several threads, one at a time.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self._newest: tuple[Keys, Keys] | None = None

    @staticmethod
    def open(path: Path) -> "Journal":
        """The journal at `path`, a new one where there is none.

        Raises InputError where it is no journal, a newer Cairn's, damaged, or in use.
        """
        return Journal(path, open_file(path))

    def close(self) -> None:
        """All is in the one file, and the file is free."""
        with told(self._path):
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def let_go(self) -> None:
        """The memory in which rows are found (16 bytes each) is free until the next is asked for."""
        self._newest = None

    def begin(self) -> bool:
        """Whether the run before this one came to its end; from now on a run is under way."""
        ended_well = not self.note(RUNNING)
        self.write_note(RUNNING, True)
        with told(self._path):
            # On the disk before the first image is: after a power cut it says that files may be astray.
            self._database.execute("PRAGMA wal_checkpoint(FULL)")
        return ended_well

    def end(self) -> None:
        """The run has come to its end: the journal knows of every file that it wrote."""
        self.write_note(RUNNING, False)

    def note(self, name: str) -> JsonValue:
        """What was noted under `name`; None where nothing was."""
        with told(self._path):
            found = self._database.execute("SELECT value FROM notes WHERE name = ?", (name,))
            row = found.fetchone()
        value: JsonValue = json.loads(row[0]) if row else None
        return value

    def write_note(self, name: str, value: JsonValue) -> None:
        """From now on `note(name)` gives `value`."""
        with self._writing() as database:
            database.execute("REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """All of `outcomes` are in the journal, in place of earlier ones with their keys, or none is."""
        self._newest = None
        with self._writing() as database:
            database.executemany(INSERT, map(_as_row, outcomes))

    def forget(self, keys: Keys) -> None:
        """Nothing is known any more of the rows with these keys."""
        self._remove(self._numbers_of(keys))

    def kept_keys(self) -> Keys:
        """The keys of all rows whose image is kept, in the order in which they came."""
        self._numbers()
        query = "SELECT key, rowid FROM outcomes WHERE status = ? ORDER BY rowid"
        return self._keys_and_numbers(query, KEPT)[0]

    def failed(self) -> pl.DataFrame:
        """The rows without an image: `key` and `cause`, in the order in which they came."""
        query = "SELECT key, cause FROM outcomes WHERE status <> ? ORDER BY rowid"
        return pl.concat([pl.DataFrame(schema=CAUSE_SCHEMA), *self._tables(query, CAUSE_SCHEMA)])

    def files(self, *, inside: str = "") -> Iterator[pl.DataFrame]:
        """The kept images, in the order in which they came, some at a time: `key`, `path`, `size_bytes`.

        inside: only those whose path begins so.
        """
        query = (
            "SELECT key, path, size_bytes FROM outcomes WHERE status = ? AND substr(path, 1, ?) = ? "
            "ORDER BY rowid"
        )
        return self._tables(query, FILE_SCHEMA, len(inside), inside)

    def outcomes(self, keys: Keys) -> pl.DataFrame:
        """How the rows with these keys ended, each once, in the order in which they came; unknown keys have no row."""
        numbers = np.unique(self._numbers_of(keys))
        found = [
            self._outcomes_at(numbers[start : start + ROWS_AT_ONCE])
            for start in range(0, len(numbers), ROWS_AT_ONCE)
        ]
        return pl.concat([pl.DataFrame(schema=OUTCOME_SCHEMA), *found])

    def _outcomes_at(self, numbers: Keys) -> pl.DataFrame:
        with told(self._path):
            rows = self._database.execute(SELECT, (json.dumps(numbers.tolist()),)).fetchall()
        stored = OUTCOME_SCHEMA | {"digest": pl.Binary, "kept_digest": pl.Binary}
        columns = dict(zip(stored, zip(*rows, strict=True), strict=True))
        as_words = pl.col("digest", "kept_digest").bin.encode("hex")
        return pl.DataFrame(columns, schema=stored).with_columns(as_words)

    def _tables(self, query: str, schema: Schema, *values: object) -> Iterator[pl.DataFrame]:
        """What `query` finds of kept images, or of other rows, some at a time."""
        self._numbers()
        with told(self._path):
            rows = self._database.execute(query, (KEPT, *values))
            while several := rows.fetchmany(ROWS_AT_ONCE):
                yield pl.DataFrame(several, schema, orient="row")

    def _numbers_of(self, keys: Keys) -> Keys:
        """The row numbers of those of `keys` that are in the journal."""
        known, numbers = self._numbers()
        places = np.searchsorted(known, keys)
        is_inside = places < len(known)
        places, keys = places[is_inside], keys[is_inside]
        found: Keys = numbers[places[known[places] == keys]]
        return found

    def _numbers(self) -> tuple[Keys, Keys]:
        """All keys, sorted, and the number of the row of each; rows that were replaced are gone from the file."""
        if self._newest is None:
            keys, numbers = self._keys_and_numbers("SELECT key, rowid FROM outcomes ORDER BY rowid")
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            numbers = numbers[order]
            is_old = np.zeros(len(keys), np.bool_)
            is_old[:-1] = keys[1:] == keys[:-1]
            if is_old.any():
                self._remove(numbers[is_old])
                keys, numbers = keys[~is_old], numbers[~is_old]
            self._newest = keys, numbers
        return self._newest

    def _keys_and_numbers(self, query: str, *values: object) -> tuple[Keys, Keys]:
        """The keys and the numbers of the rows that `query` finds: 16 bytes a row, on the way too."""
        with told(self._path):
            (most,) = self._database.execute("SELECT max(rowid) FROM outcomes").fetchone()
            # Memory that is not written to is not taken.
            keys, numbers, count = np.empty(most or 0, np.int64), np.empty(most or 0, np.int64), 0
            rows = self._database.execute(query, values)
            while several := rows.fetchmany(ROWS_AT_ONCE):
                part = slice(count, count + len(several))
                keys[part], numbers[part] = np.array(several, np.int64).T
                count += len(several)
        return keys[:count], numbers[:count]

    def _remove(self, numbers: Keys) -> None:
        self._newest = None
        if len(numbers):
            with self._writing() as database:
                rows = ((number,) for number in numbers.tolist())
                database.executemany("DELETE FROM outcomes WHERE rowid = ?", rows)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Inside it, what is written comes to be all at once, or not at all."""
        with told(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _as_row(outcome: Outcome) -> tuple[object, ...]:
    """The columns of SQLite's table; a digest takes half the room as bytes."""
    return (
        outcome.key,
        outcome.status,
        outcome.cause,
        outcome.detail and outcome.detail[:DETAIL_CHARACTERS],
        outcome.path,
        outcome.width_px,
        outcome.height_px,
        outcome.size_bytes,
        outcome.digest and bytes.fromhex(outcome.digest),
        outcome.kept_digest and bytes.fromhex(outcome.kept_digest),
        outcome.likeness,
        outcome.fetched_from,
        outcome.http_status,
        outcome.attempts,
        outcome.fetched_at_ms,
    )
