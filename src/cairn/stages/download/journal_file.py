"""The journal's SQLite file: how it is opened, what its tables are, and what its errors mean to a user."""

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cairn.base.errors import InputError
from cairn.base.files import PART_SUFFIX, disk_errors

FORMAT_VERSION = 1
# "Crnj": says of any SQLite file that it is a journal of ours.
APPLICATION_ID = 0x43726E6A
COLUMNS = (
    "key", "status", "cause", "detail", "path", "width_px", "height_px", "size_bytes", "digest",
    "kept_digest", "likeness", "fetched_from", "http_status", "attempts", "fetched_at_ms",
)  # fmt: skip
# A row is added and never changed, and there is no index: keys are hashes, so each would dirty a page of
# its own, and twenty times the bytes would be written. Of several rows with one key the last counts.
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE outcomes (
    key INTEGER NOT NULL, status TEXT NOT NULL, cause TEXT, detail TEXT, path TEXT,
    width_px INTEGER, height_px INTEGER, size_bytes INTEGER,
    digest BLOB, kept_digest BLOB, likeness BLOB,
    fetched_from TEXT, http_status INTEGER, attempts INTEGER NOT NULL, fetched_at_ms INTEGER NOT NULL
);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
COMMIT;
"""
REFUSED = {
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM
}  # fmt: skip
IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# SQLite adds to the kind of error, in the low byte, what it was doing.
KIND = 0xFF
PROBE_BYTES = 1 << 16


def open_file(path: Path) -> sqlite3.Connection:
    """The journal's file at `path`, new where there is none, held by this process alone.

    Raises InputError where it is no journal, a newer Cairn's, damaged, or in use; DiskError where it cannot be.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with told(path):
        database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(path, database)
        except BaseException:
            database.close()
            raise
    return database


def _prepare(path: Path, database: sqlite3.Connection) -> None:
    # Alone with the file, SQLite needs no memory that processes share, which network disks do not have.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (maker,) = database.execute("PRAGMA application_id").fetchone()
    (n_tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    is_new = n_tables == 0 and maker == version == 0
    if not is_new and maker != APPLICATION_ID:
        raise InputError(
            f"{path} is another program's database; the journal of cairn download was expected there; "
            "move it away, then run the same command again"
        )
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has the format {version}; at most {FORMAT_VERSION} was expected, a newer Cairn wrote "
            "it; update Cairn, or name another work folder"
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if is_new:
        database.executescript(TABLES)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Inside it, SQLite's errors about `path` leave as ours: InputError or DiskError, in three parts."""
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & KIND
        if kind in DAMAGED:
            raise InputError(
                f"{path} is damaged ({error}); the journal of what was downloaded was expected; bring back a "
                "copy of it, or move it away and run the same command again: all photos are fetched anew"
            ) from error
        if kind in IN_USE:
            raise InputError(
                f"{path} is in use by another program; this one alone was expected; wait for the other to "
                "end, then run the same command again"
            ) from error
        if kind == sqlite3.SQLITE_FULL:
            _refuse(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        if kind in REFUSED:
            _refuse(path, _refusal(path.parent) or OSError(errno.EIO, str(error)))
        raise


def _refuse(path: Path, reason: OSError) -> None:
    with disk_errors(path):
        raise reason


def _refusal(folder: Path) -> OSError | None:
    """What the system says when a file is written in `folder`; SQLite keeps to itself that a quota is used up."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=PART_SUFFIX) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
