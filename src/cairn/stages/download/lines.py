"""Bytes of a list cut into fields: many plain lines at once, or one record at a time with its quotes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# No record of a list is longer; what is counts as one malformed line.
LONGEST_BYTES = 1 << 18
# A quote that is not closed within so many lines was not meant as one.
MOST_LINES = 20
NEWLINE = 10
ADDRESS = re.compile(r"\s*https?://", re.IGNORECASE)
NOT_UTF8, NUL, UNCLOSED = (
    "bytes that are not UTF-8",
    "a NUL character",
    "a quote that is not closed",
)
STRAY_END, AFTER_QUOTE = "a line end in the middle", "text after a closing quote"
TOO_LONG = f"a line longer than {LONGEST_BYTES:,} bytes"
# Spaces around a field are no part of it; other blanks of Unicode are left to those who know them.
AROUND = " \t"


@dataclass(frozen=True)
class Cut:
    """How the lines of a list are cut: by which character, into how many fields, which one the address."""

    delimiter: str
    n_fields: int
    address_place: int


class Malformed(str):
    """Why a record cannot be read, in words that follow `the line has`."""

    __slots__ = ()


class Record(NamedTuple):
    """One record: its fields without the blanks around them, or why it has none; None for a blank line.

    end: where the next record begins; n_lines: the physical lines that it takes.
    """

    fields: list[str] | Malformed | None
    end: int
    n_lines: int


class PlainLines(NamedTuple):
    """Many lines without anything odd: every column as a list, and where each line begins."""

    columns: list[list[str]]
    starts: npt.NDArray[np.int64]


def plain_lines(data: bytes, cut: Cut, wanted: Sequence[int]) -> PlainLines | None:
    """The `wanted` columns of all lines of `data`, or None where a line needs a closer look.

    data: whole lines, each with its end.
    """
    if b'"' in data or b"\0" in data:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            return None
    raw = np.frombuffer(data, np.uint8)
    if cut.n_fields == 1:
        ends = np.flatnonzero(raw == NEWLINE)
        flat = text.split("\n")
    else:
        marks = np.flatnonzero((raw == NEWLINE) | (raw == ord(cut.delimiter)))
        ends = marks[cut.n_fields - 1 :: cut.n_fields]
        # As many marks as there are fields, each n-th of them a line's end, and no other is.
        if len(marks) % cut.n_fields or np.count_nonzero(raw == NEWLINE) != len(ends):
            return None
        if not (raw[ends] == NEWLINE).all():
            return None
        flat = text.replace("\n", cut.delimiter).split(cut.delimiter)
    columns = [flat[place : -1 : cut.n_fields] for place in wanted]
    if _has_blanks_around(text, cut.delimiter):
        columns = [[field.strip(AROUND) for field in column] for column in columns]
    if cut.n_fields == 1 and "" in columns[0]:
        return None
    starts = np.empty(len(ends), np.int64)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    return PlainLines(columns, starts)


def _has_blanks_around(text: str, delimiter: str) -> bool:
    if delimiter != "\t" and "\t" in text:
        return True
    if " " not in text or text.startswith(" "):
        return " " in text
    edges = ("\n ", " \n", f"{delimiter} ", f" {delimiter}")
    return any(edge in text for edge in edges)


def record_at(data: bytes, start: int, cut: Cut, *, is_all: bool) -> Record | None:
    """The record that begins at `start`, or None where more bytes are needed to know it.

    is_all: no more bytes will come; what is open at their end stays open.
    """
    end = data.find(b"\n", start)
    if end < 0:
        if not is_all:
            return None
        end = len(data)
    after = min(end + 1, len(data))
    text = _text(data[start:end])
    if text is None:
        return Record(Malformed(NOT_UTF8), after, 1)
    if not text.strip(" "):
        return Record(None, after, 1)
    if '"' not in text:
        return Record(_checked(text.split(cut.delimiter), text, cut), after, 1)
    fields = cut_line(text, cut.delimiter)
    if fields is None:
        return _over_lines(data, start, after, cut, is_all=is_all)
    return Record(
        fields if isinstance(fields, Malformed) else _checked(fields, text, cut), after, 1
    )


def _text(line: bytes) -> str | None:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return None


def _checked(fields: list[str], text: str, cut: Cut) -> list[str] | Malformed:
    if "\0" in text:
        return Malformed(NUL)
    if "\r" in text and any("\r" in field for field in text.split('"')[::2]):
        return Malformed(STRAY_END)
    if len(fields) != cut.n_fields:
        told = "1 field" if len(fields) == 1 else f"{len(fields):,} fields"
        return Malformed(f"{told} where {cut.n_fields:,} were expected")
    return [field.strip(AROUND) for field in fields]


def cut_line(text: str, delimiter: str) -> list[str] | Malformed | None:
    """The fields of one record as it stands, quotes taken off; None where a quote is not closed."""
    fields: list[str] = []
    place = 0
    while True:
        if not text.startswith('"', place):
            stop = text.find(delimiter, place)
            if stop < 0:
                return [*fields, text[place:]]
            fields.append(text[place:stop])
            place = stop + 1
            continue
        close = text.find('"', place + 1)
        while close >= 0 and text.startswith('"', close + 1):
            close = text.find('"', close + 2)
        if close < 0:
            return None
        fields.append(text[place + 1 : close].replace('""', '"'))
        if close + 1 == len(text):
            return fields
        if text[close + 1] != delimiter:
            return Malformed(AFTER_QUOTE)
        place = close + 2


def _over_lines(data: bytes, start: int, after: int, cut: Cut, *, is_all: bool) -> Record | None:
    """The record whose quote is open at the end of its first line; where that was no quote, only that line."""
    alone = Record(Malformed(UNCLOSED), after, 1)
    begin = after
    for n_lines in range(2, MOST_LINES + 1):
        end = data.find(b"\n", begin)
        if end < 0:
            if not is_all:
                return None
            end = len(data)
        line = data[begin:end]
        if begin >= len(data) or _is_row(line, cut):
            return alone
        begin = min(end + 1, len(data))
        if b'"' not in line:
            continue
        text = _text(data[start:end])
        fields = Malformed(NOT_UTF8) if text is None else cut_line(text, cut.delimiter)
        if text is not None and fields is not None:
            checked = fields if isinstance(fields, Malformed) else _checked(fields, text, cut)
            return alone if isinstance(checked, Malformed) else Record(checked, begin, n_lines)
        if fields is not None:
            return alone
    return alone


def _is_row(line: bytes, cut: Cut) -> bool:
    """Whether a line is a whole row by itself, which no open quote before it may swallow."""
    # One quote more on this line may be the one that closes what was opened before it.
    if line.count(b'"') % 2:
        return False
    text = _text(line)
    fields = None if text is None else cut_line(text, cut.delimiter)
    if fields is None or isinstance(fields, Malformed) or len(fields) != cut.n_fields:
        return False
    return ADDRESS.match(fields[cut.address_place]) is not None
