"""Rows of the CSV files of contests, checked as they come in: test lists, answers, truths."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.errors import InputError

MOST_ID_LETTERS = 200
TEST_COLUMNS = ("id",)


@dataclass(frozen=True)
class AskedPhotos:
    """The photos that a contest asks about, each id once, in the order of the list; `n_repeated` rows said one again."""

    image_ids: tuple[str, ...]
    n_repeated: int

    @staticmethod
    def read(path: Path) -> "AskedPhotos":
        """The list at `path`: CSV with a column `id`; other columns are passed over.

        Raises InputError where it cannot be read, names no photo or has a row without an id.
        """
        found: dict[str, None] = {}
        n_rows = 0
        for line, (image_id,) in contest_rows(path, TEST_COLUMNS, may_have_more=True):
            require_id(path, line, image_id)
            found[image_id] = None
            n_rows += 1
        if not found:
            raise InputError(
                f"{path} names no photo; a row with an id for each photo of the contest was expected; name another list"
            )
        return AskedPhotos(tuple(found), n_rows - len(found))


def contest_rows(
    path: Path, columns: tuple[str, ...], *, may_have_more: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The line number and the fields of `columns` of each row that is not blank, without spaces around them.

    UTF-8 with or without a byte order mark, any line ends, quoted or not. The header must be `columns`, or hold
    them where it `may_have_more`. Raises InputError at the first thing that is otherwise.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            head = [name.strip() for name in next(reader, [])]
            places = _places(path, head, columns, may_have_more=may_have_more)
            for row in reader:
                if len(row) < 2 and not "".join(row).strip():
                    continue
                if len(row) != len(head):
                    raise row_error(
                        path,
                        reader.line_num,
                        f"has {counted(len(row), 'field')}",
                        f"a field for each of the {len(head)} columns",
                    )
                yield reader.line_num, [row[place].strip() for place in places]
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; a CSV file was expected; check its name"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start:,}; a CSV file in UTF-8 was expected; save it as that"
        ) from error
    except csv.Error as error:
        raise InputError(
            f"{path} is no CSV near line {reader.line_num:,}: {error}; closed quotes and short fields were expected; mend it"
        ) from error


def require_id(path: Path, line: int, image_id: str) -> None:
    """Nothing, where a photo may have this id; otherwise raises InputError."""
    if not image_id or len(image_id) > MOST_ID_LETTERS or not image_id.isprintable():
        shown = "no id" if not image_id else f"the id {image_id[:40]!r}"
        raise row_error(
            path, line, f"has {shown}", f"an id of 1 to {MOST_ID_LETTERS} printable letters"
        )


def row_error(path: Path, line: int, wrong: str, expected: str) -> InputError:
    """What to raise for a row: its line, what is `wrong`, what was `expected`."""
    return InputError(
        f"line {line:,} of {path} {wrong}; {expected} was expected; mend that line, or make the file again"
    )


def _places(
    path: Path, head: list[str], columns: tuple[str, ...], *, may_have_more: bool
) -> list[int]:
    """Where each of `columns` stands in the header."""
    is_right = tuple(head) == columns
    if may_have_more:
        is_right = all(head.count(name) == 1 for name in columns)
    if not is_right:
        beyond = "a header with the column" if may_have_more else "the header"
        raise InputError(
            f"{path} begins with {','.join(head)[:80]!r}; {beyond} {','.join(columns)} was expected; "
            "mend the header, or name another file"
        )
    return [head.index(name) for name in columns]
