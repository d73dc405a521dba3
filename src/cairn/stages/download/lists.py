"""Lists of addresses as a person has them: every row, numbered from 1, whatever its line looks like."""

import contextlib
import gzip
import os
import shutil
import tempfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cairn.base.errors import InputError
from cairn.base.files import disk_errors
from cairn.stages.download.blocks import Block, BlockMaker, ListRow
from cairn.stages.download.columns import read_columns
from cairn.stages.download.lines import (
    LONGEST_BYTES,
    TOO_LONG,
    UNCLOSED,
    Malformed,
    Record,
    record_at,
)

# Most records end within so many bytes of their beginning.
NEAR_BYTES = 4096
CHUNK_BYTES = 1 << 20
UTF8_MARK = b"\xef\xbb\xbf"
KINDS = {
    b"\x1f\x8b": "a gzip file without .gz at the end of its name; give it that name",
    b"PK\x03\x04": "a zip or Excel file; save it as CSV (UTF-8)",
    b"PAR1": "a Parquet file; save it as CSV",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"<": "a web page or XML; save the list itself",
    b"{": "JSON; save it as CSV",
    b"[": "JSON; save it as CSV",
}


class AddressList:
    """An open list: its rows as a stream, and any one of them by where it begins.

    name: the resolved path of the file, as the catalog names the list.
    Close it, or use it as a context; the file stays open until then.
    """

    def __init__(self, path: Path, file: BinaryIO, *, columns: str = "") -> None:
        self.name = path.resolve().as_posix()
        self._path, self._file = path, file
        self._was = _state(file)
        self._end = _end_of_text(file)
        place, n_blank, first_line = _first_line(file, self._end, path)
        suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
        self._columns = read_columns(
            _header_text(first_line, path), mapping=columns, suffix=suffix.lower(), what=str(path)
        )
        self._first, self._n_first_lines = place, n_blank
        if self._columns.has_header:
            self._first, self._n_first_lines = place + len(first_line), n_blank + 1
        if self._first >= self._end:
            raise InputError(
                f"{path} has names of columns and no row; a row for each photo was expected below "
                "them; add some, or name another list"
            )
        self._maker = BlockMaker(self._columns)
        # Rows of several lines, and by how many lines those after them are farther down.
        self._long_rows: list[int] = []
        self._shifts: list[int] = []
        self._n_known = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """The file is closed; no row can be read any more."""
        self._file.close()

    @property
    def has(self) -> frozenset[str]:
        """The meanings that the list's columns have."""
        return frozenset(self._columns.at)

    @property
    def most_rows(self) -> int:
        """A number of rows that the list does not pass; most lists have as many."""
        count, place = 1, self._first
        while place < self._end:
            data = self._bytes(place, CHUNK_BYTES)
            count += data.count(b"\n")
            place += len(data)
        return count

    def rows(self) -> Iterator[ListRow]:
        """Every row in the order of the list; blank lines count, but for those at the very end.

        Raises InputError where the file changes meanwhile.
        """
        for block in self.blocks():
            yield from block.rows()

    def blocks(self) -> Iterator[Block]:
        """The rows in blocks of some thousands, column by column, for whoever reads millions of them."""
        place, row, line = self._first, 1, self._n_first_lines + 1
        while place < self._end:
            data = self._bytes(place, LONGEST_BYTES)
            is_all = place + len(data) >= self._end
            block, used = self._maker.block(
                data, is_all=is_all, first_row=row, first_line=line, offset=place
            )
            if not used:
                record = self._long_record(place, data)
                block = self._maker.of_record(record, row=row, line=line, offset=place)
                used = record.end
            self._remember(block)
            yield block
            place, row, line = place + used, row + len(block), block.next_line

    def at(self, offset: int, row: int) -> ListRow:
        """The row of the number `row`, which begins at byte `offset` of the plain file.

        Raises InputError where the file has changed since it was opened.
        """
        if self._n_known < row:
            for _ in self.blocks():
                pass
        line = self._n_first_lines + row + self._shift(row)
        block = self._maker.of_record(self._record(offset), row=row, line=line, offset=offset)
        return next(block.rows())

    def identity(self, offset: int) -> tuple[str, str]:
        """The id and the address of the row that begins at byte `offset`: less than `at`, and quicker."""
        return self._maker.identity(self._record(offset))

    def _bytes(self, place: int, n_bytes: int) -> bytes:
        if _state(self._file) != self._was:
            raise InputError(
                f"{self._path} has changed while it was read; a list that stays as it is was expected; "
                "run the same command again once nothing writes to it"
            )
        return os.pread(self._file.fileno(), max(min(n_bytes, self._end - place), 0), place)

    def _record(self, offset: int) -> Record:
        """The record at `offset`: most end nearby, and only the others are worth a longer reading."""
        data = b""
        for n_bytes in (NEAR_BYTES, LONGEST_BYTES):
            data = self._bytes(offset, n_bytes)
            is_all = offset + len(data) >= self._end
            record = record_at(data, 0, self._columns.cut, is_all=is_all)
            if record is not None:
                return record
        return self._long_record(offset, data)

    def _long_record(self, offset: int, data: bytes) -> Record:
        """The record that does not end within the longest reading `data`: its first line is malformed."""
        end = data.find(b"\n")
        if end >= 0:
            return Record(Malformed(UNCLOSED), end + 1, 1)
        place = offset + len(data)
        while place < self._end:
            more = self._bytes(place, CHUNK_BYTES)
            end = more.find(b"\n")
            place += len(more) if end < 0 else end + 1
            if end >= 0:
                break
        return Record(Malformed(TOO_LONG), place - offset, 1)

    def _remember(self, block: Block) -> None:
        for row, n_lines in block.long_rows:
            if row > self._n_known:
                self._long_rows.append(row)
                self._shifts.append(n_lines - 1 + (self._shifts[-1] if self._shifts else 0))
        self._n_known = max(self._n_known, block.first_row + len(block) - 1)

    def _shift(self, row: int) -> int:
        """By how many lines `row` is farther down because of rows of several lines before it."""
        before = bisect_left(self._long_rows, row)
        return self._shifts[before - 1] if before else 0


def open_list(path: Path, *, columns: str = "", scratch: Path | None = None) -> AddressList:
    """The list at `path`: CSV, TSV or one address a line, UTF-8, also packed with gzip.

    columns: what its columns are called where that cannot be guessed: `url=link,id=key,landmark=place`.
    scratch: the folder in which a packed list lies unpacked, out of sight, while it is open; else the system's.
    Raises InputError where it is no list that can be read, DiskError where there is no space to unpack it.
    """
    file = _unpacked(path, scratch) if path.suffix == ".gz" else _opened(path)
    try:
        return AddressList(path, file, columns=columns)
    except BaseException:
        file.close()
        raise


def _opened(path: Path) -> BinaryIO:
    told = "a file of addresses (CSV, TSV or one a line) was expected"
    if "://" in str(path) or str(path).startswith(("http:/", "https:/")):
        raise InputError(f"{path} is an address; {told}; save the list first, then name the file")
    if not path.is_file():
        found = "is no file" if path.exists() else "does not exist"
        raise InputError(f"{path} {found}; {told}; check its name")
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; {told}; check its permissions"
        ) from error


def _unpacked(path: Path, scratch: Path | None) -> BinaryIO:
    with (
        contextlib.ExitStack() as stack,
        _opened(path) as packed,
        disk_errors(scratch or Path(tempfile.gettempdir())),
    ):
        file = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
        try:
            with gzip.open(packed) as plain:
                shutil.copyfileobj(plain, file, CHUNK_BYTES)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(
                f"{path} cannot be unpacked: {error}; a whole gzip file was expected; fetch it again"
            ) from error
        file.flush()
        stack.pop_all()
        return file


def _state(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns


def _end_of_text(file: BinaryIO) -> int:
    """The byte after the last one that is no blank: blank lines at the end are no rows."""
    end = os.fstat(file.fileno()).st_size
    while end:
        start = max(end - CHUNK_BYTES, 0)
        text = os.pread(file.fileno(), end - start, start).rstrip(b" \r\n")
        if text:
            return start + len(text)
        end = start
    return 0


def _first_line(file: BinaryIO, end: int, path: Path) -> tuple[int, int, bytes]:
    """Where the first line with text begins, the number of blank lines before it, and the line with its end."""
    data = os.pread(file.fileno(), min(LONGEST_BYTES, end), 0)
    start = len(UTF8_MARK) if data.startswith(UTF8_MARK) else 0
    kind = next((told for mark, told in KINDS.items() if data.startswith(mark, start)), None)
    if kind is not None or start >= end:
        found = f"is {kind}" if kind else "is empty; name a list that holds rows"
        raise InputError(f"{path} {found}; names of columns and rows below them were expected")
    text = data[start:].lstrip(b" \r\n")
    start = data.rfind(b"\n", 0, len(data) - len(text)) + 1 or start
    line, newline, _ = data[start:].partition(b"\n")
    if not newline and len(data) < end:
        raise InputError(
            f"the first line of {path} is longer than {LONGEST_BYTES:,} bytes; names of columns, such as "
            "id,url,landmark_id, were expected; check that it is a list"
        )
    return start, data.count(b"\n", 0, start), line + newline


def _header_text(line: bytes, path: Path) -> str:
    try:
        text = line.strip(b"\r\n").decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(
            f"the first line of {path} is no UTF-8 text: {line[:40]!r}; names of columns, such as "
            "id,url,landmark_id, were expected; save the list as UTF-8"
        )
    return text
