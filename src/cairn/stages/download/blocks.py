"""Rows of a list, some thousands at a time: columns of text, where each row begins, and what is wrong with which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cairn.base.files import digest_bytes
from cairn.images.fetch.addresses import NO_ADDRESSES
from cairn.stages.download.columns import Columns
from cairn.stages.download.lines import Malformed, PlainLines, Record, plain_lines, record_at

# Lines that are not plain are read one by one when they are so few.
FEW_BYTES = 1024
LONGEST_NO_ADDRESS = max(map(len, NO_ADDRESSES))


class RowFault(StrEnum):
    """Why a row of a list names no address."""

    MALFORMED = "malformed row"
    BLANK = "blank line"
    NO_ADDRESS = "no address"


class ListRow(NamedTuple):
    """One row of a list as it stands there.

    row: its number from 1; line: its first line in the file, the header counted; offset: the byte where it begins.
    image_id: the list's own id, else 16 hex digits of the address's digest; "" where there is neither.
    landmark_id: None where the list does not say.
    name, latitude, longitude: of the landmark.
    fault: why it names no address; detail: what exactly is wrong.
    """

    row: int
    line: int
    offset: int
    image_id: str
    url: str
    landmark_id: str | None = None
    licence: str | None = None
    author: str | None = None
    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    fault: RowFault | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that follow each other in a list.

    columns: [N] strings by meaning, "" where a row has none; `id` and `url` are always there.
    faults: by place in the block, with what exactly is wrong.
    long_rows: number and lines of each row that takes several.
    """

    first_row: int
    offsets: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    columns: Mapping[str, Sequence[str]]
    faults: Mapping[int, tuple[RowFault, str]]
    next_line: int
    long_rows: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.offsets)

    def rows(self) -> Iterator[ListRow]:
        """The rows one by one."""
        nothing = [None] * len(self)
        faults: list[RowFault | None] = list(nothing)
        details = [""] * len(self)
        for place, (fault, detail) in self.faults.items():
            faults[place], details[place] = fault, detail
        texts = [
            [text or None for text in self.columns[meaning]] if meaning in self.columns else nothing
            for meaning in ("landmark", "licence", "author", "name")
        ]
        degrees = [
            [_degrees(text, most) for text in self.columns[meaning]] if meaning in self.columns else nothing
            for meaning, most in (("latitude", 90), ("longitude", 180))
        ]  # fmt: skip
        return map(
            ListRow, range(self.first_row, self.first_row + len(self)), self.lines.tolist(),
            self.offsets.tolist(), self.columns["id"], self.columns["url"], *texts, *degrees, faults, details,
        )  # fmt: skip


def _degrees(text: str, most: float) -> float | None:
    """The number, where it is one of a place on earth."""
    try:
        number = float(text) if text else most + 1
    except ValueError:
        return None
    return number if -most <= number <= most else None


def is_no_address(url: str) -> bool:
    """Whether `url` is what tables write where they have no address."""
    return len(url) <= LONGEST_NO_ADDRESS and url.lower() in NO_ADDRESSES


def _id_of(url: str) -> str:
    return "" if is_no_address(url) else digest_bytes(url.encode())[:16]


class _Parts:
    """Lines as they are read, for a block that is not made yet."""

    def __init__(self, columns: Columns) -> None:
        self._at = columns.at
        self._nothing = [""] * columns.cut.n_fields
        self.columns: dict[str, list[str]] = {meaning: [] for meaning in columns.at}
        self.starts: list[int] = []
        self.faults: dict[int, tuple[RowFault, str]] = {}
        self.n_lines: dict[int, int] = {}

    def add_lines(self, lines: PlainLines, start: int) -> None:
        """Plain lines, the first of which begins at `start`."""
        for column, more in zip(self.columns.values(), lines.columns, strict=True):
            column.extend(more)
        self.starts.extend((lines.starts + start).tolist())

    def add_record(self, record: Record, start: int) -> None:
        """One record, which begins at `start`."""
        place = len(self.starts)
        fields = self._nothing
        if record.fields is None:
            self.faults[place] = RowFault.BLANK, "the line is blank"
        elif isinstance(record.fields, Malformed):
            self.faults[place] = RowFault.MALFORMED, f"the line has {record.fields}"
        else:
            fields = record.fields
        for meaning, column in self.columns.items():
            column.append(fields[self._at[meaning]])
        if record.n_lines > 1:
            self.n_lines[place] = record.n_lines
        self.starts.append(start)

    def block(self, *, first_row: int, first_line: int, offset: int) -> Block:
        """The block, its ids made where the list has none and its rows without address told."""
        count, urls = len(self.starts), self.columns["url"]
        short = [place for place, url in enumerate(urls) if len(url) <= LONGEST_NO_ADDRESS]
        for place in filter(lambda place: is_no_address(urls[place]), short):
            told = f"the address is {urls[place]!r}" if urls[place] else "the address is empty"
            self.faults.setdefault(place, (RowFault.NO_ADDRESS, told))
        ids = self.columns.get("id") or [""] * count
        if "" in ids:
            self.columns["id"] = [
                image_id or ("" if place in self.faults else _id_of(url))
                for place, (image_id, url) in enumerate(zip(ids, urls, strict=True))
            ]
        lines = np.arange(first_line, first_line + count + 1, dtype=np.int64)
        for place, n_lines in self.n_lines.items():
            lines[place + 1 :] += n_lines - 1
        return Block(
            first_row, np.array(self.starts, np.int64) + offset, lines[:-1], self.columns, self.faults,
            int(lines[-1]), [(first_row + place, n) for place, n in self.n_lines.items()],
        )  # fmt: skip


@dataclass(frozen=True)
class BlockMaker:
    """Makes blocks of the bytes of one list."""

    columns: Columns

    def block(
        self, data: bytes, *, is_all: bool, first_row: int, first_line: int, offset: int
    ) -> tuple[Block, int]:
        """The rows that are whole in `data`, and how many bytes they take; none where not even one is.

        is_all: the list ends where `data` does.
        offset: the byte of the list at which `data` begins.
        """
        parts, place = _Parts(self.columns), 0
        end = len(data) if is_all else data.rfind(b"\n") + 1
        while place < end:
            quote = data.find(b'"', place, end)
            if quote < 0:
                self._add_lines(parts, data, place, end)
                place = end
                break
            odd = max(data.rfind(b"\n", place, quote) + 1, place)
            self._add_lines(parts, data, place, odd)
            record = record_at(data, odd, self.columns.cut, is_all=is_all)
            place = odd
            if record is None:
                break
            parts.add_record(record, odd)
            place = record.end
        return parts.block(first_row=first_row, first_line=first_line, offset=offset), place

    def of_record(self, record: Record, *, row: int, line: int, offset: int) -> Block:
        """The block of one record."""
        parts = _Parts(self.columns)
        parts.add_record(record, 0)
        return parts.block(first_row=row, first_line=line, offset=offset)

    def identity(self, record: Record) -> tuple[str, str]:
        """The id and the address of one record, as its row has them."""
        fields, at = record.fields, self.columns.at
        if fields is None or isinstance(fields, Malformed):
            return "", ""
        url = fields[at["url"]]
        return (fields[at["id"]] if "id" in at else "") or _id_of(url), url

    def _add_lines(self, parts: _Parts, data: bytes, start: int, end: int) -> None:
        """The lines from `start` to `end`, none of which holds a quote: all at once, or half by half."""
        if start >= end:
            return
        cut = self.columns.cut
        if end - start > FEW_BYTES:
            whole = data[start:end]
            ended = whole if whole.endswith(b"\n") else whole + b"\n"
            lines = plain_lines(ended, cut, list(self.columns.at.values()))
            if lines is not None:
                parts.add_lines(lines, start)
                return
            middle = data.find(b"\n", start + len(whole) // 2, end) + 1
            if start < middle < end:
                self._add_lines(parts, data, start, middle)
                self._add_lines(parts, data, middle, end)
                return
        while start < end:
            record = record_at(data, start, cut, is_all=True)
            if record is None:
                return
            parts.add_record(record, start)
            start = record.end
