"""Lists of millions of rows that begin with a 16-digit id: any row found by its id, in bounded memory."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError

ID_DIGITS = 16
BLOCK_BYTES = 8 << 20
ROWS_AT_ONCE = 4096
# A quote may stand before the id, and one more byte tells whether it ends where it should.
_LOOK_AHEAD = ID_DIGITS + 2
_NO_DIGIT = 255
_DIGIT_OF = np.full(256, _NO_DIGIT, dtype=np.uint8)
_DIGIT_OF[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16, dtype=np.uint8)
_ENDS_AN_ID = np.zeros(256, dtype=bool)
_ENDS_AN_ID[np.frombuffer(b',"\r\n', dtype=np.uint8)] = True
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34

Numbers = npt.NDArray[np.uint64]


def id_number(image_id: str) -> int | None:
    """The 64-bit number that an id of 16 hex digits stands for; None for any other text."""
    try:
        number = int(image_id, 16)
    except ValueError:
        return None
    return number if f"{number:016x}" == image_id else None


def id_numbers(digits: npt.NDArray[np.uint8]) -> Numbers:
    """The numbers [N] of ids [N, 16] given by their letters' codes; the letters are known to be hex digits."""
    values = _DIGIT_OF[digits]
    return (
        np.ascontiguousarray(values[:, 0::2] << 4 | values[:, 1::2])
        .view(">u8")[:, 0]
        .astype(np.uint64)
    )


class IdTable:
    """The rows of a CSV file whose first column is an id of 16 hex digits; about 20 bytes of memory a row.

    columns: the names of the first line. A row begins where a line begins with an id and goes on to the next
    such line: a quote that is never closed spoils its own row only. Lines that begin otherwise go on with the
    row before them, where that has a quote, and spoil it in no case; `n_odd_lines` counts those that are not blank, and `first_odd_line` is the number of the
    first. Of rows with the same id the first counts; `n_repeated` says how many others there are.
    Raises InputError where the first line is not `columns`.
    """

    def __init__(self, path: Path, *, columns: tuple[str, ...]) -> None:
        self.path, self.columns = path, columns
        self.n_odd_lines = 0
        self.first_odd_line: int | None = None
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise InputError(
                f"{path} cannot be opened: {error.strerror}; a list with the columns {','.join(columns)} was "
                "expected there; put it there or name another folder"
            ) from error
        try:
            self._require_columns()
            self._stat = self._identity()
            numbers, starts = self._scan()
        except BaseException:
            self._file.close()
            raise
        self._bounds = np.append(starts, self._stat[0])
        order = np.argsort(numbers, kind="stable").astype(np.int32)
        self._sorted, self._order = numbers[order], order
        self.n_repeated = int(np.count_nonzero(self._sorted[1:] == self._sorted[:-1]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The file is let go, and the memory; no row can be found any more."""
        self._file.close()
        self._sorted, self._order = np.empty(0, np.uint64), np.empty(0, np.int32)
        self._bounds = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._order)

    def position_of(self, image_id: str) -> int | None:
        """Which row, counted from 0 in the order of the file, has that id; None where none has."""
        number = id_number(image_id)
        if number is None:
            return None
        # A plain int would have the whole column turned into floats first.
        at = int(np.searchsorted(self._sorted, np.uint64(number)))
        found = at < len(self._sorted) and int(self._sorted[at]) == number
        return int(self._order[at]) if found else None

    def positions_of(self, numbers: Numbers) -> npt.NDArray[np.int64]:
        """For each number of an id the row that has it, -1 where none has."""
        if not len(self):
            return np.full(len(numbers), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, numbers), len(self) - 1)
        return np.where(self._sorted[at] == numbers, self._order[at], -1).astype(np.int64)

    def firsts(self) -> npt.NDArray[np.int64]:
        """For each row [N] the first that has its id: itself, unless the id is repeated."""
        firsts = np.arange(len(self))
        if self.n_repeated:
            is_first = np.ones(len(self), np.bool_)
            is_first[1:] = self._sorted[1:] != self._sorted[:-1]
            starts = np.maximum.accumulate(np.where(is_first, np.arange(len(self)), 0))
            firsts[self._order] = self._order[starts]
        return firsts

    def row_of(self, image_id: str) -> list[str] | None:
        """The fields of the row of that id; None where there is none, or it has not a field for each column."""
        position = self.position_of(image_id)
        return None if position is None else self.rows_at((position,))[0]

    def rows_of(self, image_ids: Sequence[str]) -> list[list[str] | None]:
        """The fields of the row of each id, in the order given, as `row_of` gives them; many times faster."""
        numbers = [id_number(image_id) for image_id in image_ids]
        asked = np.array([number for number in numbers if number is not None], dtype=np.uint64)
        positions = self.positions_of(asked)
        rows = iter(self.rows_at(positions[positions >= 0].tolist()))
        found = iter([next(rows) if position >= 0 else None for position in positions.tolist()])
        return [None if number is None else next(found) for number in numbers]

    def rows_at(self, positions: Sequence[int]) -> list[list[str] | None]:
        """The fields of each row, counted from 0, in the order given; None where they are not one for each column.

        Raises InputError where the file has changed since it was opened.
        """
        if not positions:
            return []
        self._require_same()
        low, high = min(positions), max(positions)
        # Lists of the same images are mostly in the same order: one reading is then enough.
        if high - low < 4 * len(positions):
            bounds = self._bounds[low : high + 2].tolist()
            block = self._read(bounds[0], bounds[-1])
            at = [(bounds[i - low] - bounds[0], bounds[i - low + 1] - bounds[0]) for i in positions]
            return [self._fields(block[start:end]) for start, end in at]
        both = [(int(self._bounds[i]), int(self._bounds[i + 1])) for i in positions]
        return [self._fields(self._read(start, end)) for start, end in both]

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Every row with its position, in the order of the file, a block at a time."""
        for first in range(0, len(self), ROWS_AT_ONCE):
            several = range(first, min(first + ROWS_AT_ONCE, len(self)))
            yield from zip(several, self.rows_at(several), strict=True)

    def id_at(self, position: int) -> str:
        """The id of a row, counted from 0, whatever else stands in it."""
        start = int(self._bounds[position])
        return self._read(start, start + ID_DIGITS + 1).lstrip(b'"')[:ID_DIGITS].decode("ascii")

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - start, start)

    def _fields(self, record: bytes) -> list[str] | None:
        text = record.decode("utf-8", errors="replace").rstrip("\r\n")
        first = text.partition("\n")[0].rstrip("\r")
        if '"' not in first:
            text = first
        if '"' in text or "\n" in text:
            try:
                fields = next(csv.reader((text,)), [])
            except csv.Error:
                return None
        else:
            fields = text.split(",")
        return fields if len(fields) == len(self.columns) else None

    def _identity(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def _require_same(self) -> None:
        if self._identity() != self._stat:
            raise InputError(
                f"{self.path} has changed while it was read; the same list until the end was expected; "
                "leave it alone and run the same command again"
            )

    def _require_columns(self) -> None:
        line = self._file.readline(4096)
        found = line.decode("utf-8-sig", errors="replace").replace('"', "").strip().split(",")
        if [name.strip() for name in found] != list(self.columns):
            raise InputError(
                f"{self.path} begins with {','.join(found)[:80]!r}; the columns {','.join(self.columns)} were "
                "expected; fetch the list again or name another folder"
            )

    def _scan(self) -> tuple[Numbers, npt.NDArray[np.int64]]:
        """Numbers of the ids, and the bytes at which their rows begin, in the order of the file."""
        numbers, starts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        n_lines = 1
        for position in range(0, self._stat[0], BLOCK_BYTES):
            # Newlines are looked for in the block itself, ids also in what comes after it.
            block = self._read(position, position + BLOCK_BYTES + _LOOK_AHEAD)
            text = np.frombuffer(block + b"\n" * _LOOK_AHEAD, dtype=np.uint8)
            lines = np.flatnonzero(text[: min(BLOCK_BYTES, len(block))] == _NEWLINE) + 1
            is_row, digits = _ids_at(text, lines)
            numbers.append(id_numbers(digits[is_row]))
            starts.append(lines[is_row] + position)
            is_odd = ~is_row & (text[lines] != _NEWLINE) & (text[lines] != _RETURN)
            if self.first_odd_line is None and is_odd.any():
                self.first_odd_line = n_lines + int(np.argmax(is_odd)) + 1
            self.n_odd_lines += int(np.count_nonzero(is_odd))
            n_lines += len(lines)
        return np.concatenate(numbers), np.concatenate(starts)


def _ids_at(
    text: npt.NDArray[np.uint8], lines: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    """Whether a line that begins there begins with an id, and the codes [N, 16] of its first letters."""
    at = lines + (text[lines] == _QUOTE)
    digits = np.lib.stride_tricks.sliding_window_view(text, ID_DIGITS)[at]
    is_row = _ENDS_AN_ID[text[at + ID_DIGITS]] & (_DIGIT_OF[digits] != _NO_DIGIT).all(axis=1)
    return is_row, digits
