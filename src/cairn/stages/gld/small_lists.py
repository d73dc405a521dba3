"""The small lists of Google Landmarks v2: names of landmarks, which images are clean, what test images show."""

import csv
import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.stages.gld.datasets import CATEGORY_COLUMNS, DATASETS, HIERARCHY_COLUMNS
from cairn.stages.gld.id_table import ID_DIGITS, Numbers, id_number, id_numbers

_LOG = logging.getLogger(__name__)
CLEAN_COLUMNS = DATASETS["gld-v2"].list_file("train_clean.csv").columns
SOLUTION_COLUMNS = DATASETS["gld-v2"].list_file("recognition_solution_v2.1.csv").columns
NUMBER = re.compile(r"[0-9]{1,18}")
NUMBERS = re.compile(r"(?:[0-9]{1,18}(?: [0-9]{1,18})*)?")
CLEAN_ROW = re.compile(rb'([0-9]{1,18}),"?([0-9a-f]{16}(?: [0-9a-f]{16})*)"?\r?\n?')


@dataclass(frozen=True, slots=True)
class LandmarkWords:
    """What the lists say of a landmark beyond its number; empty where they say nothing.

    name: its category without the address around it. category: the address. The others are the columns of
    the list of hierarchies, in its own words.
    """

    name: str
    category: str
    supercategory: str = ""
    hierarchical_label: str = ""
    natural_or_human_made: str = ""


def landmark_names(
    category_csv: Path, hierarchy_csv: Path | None = None
) -> dict[str, LandmarkWords]:
    """The words of each landmark by its id, in the order of the list.

    A row that is none is left out, and the log says how many are: no photo is worth less for want of a name.
    Raises InputError where a list has other columns.
    """
    words: dict[str, LandmarkWords] = {}
    for landmark_id, category in _landmark_rows(category_csv, CATEGORY_COLUMNS):
        words[landmark_id] = _named(landmark_id, category)
    if hierarchy_csv is not None:
        for row in _landmark_rows(hierarchy_csv, HIERARCHY_COLUMNS):
            landmark_id, category, supercategory, label, origin = row
            words[landmark_id] = replace(
                words.get(landmark_id) or _named(landmark_id, category),
                supercategory=supercategory,
                hierarchical_label=label,
                natural_or_human_made=origin,
            )
    return words


def _named(landmark_id: str, category: str) -> LandmarkWords:
    return LandmarkWords(name_of_category(category) or landmark_id, category)


def _landmark_rows(path: Path, columns: tuple[str, ...]) -> Iterator[list[str]]:
    n_left_out = 0
    for _, row in _rows(path, columns):
        if row is not None and NUMBER.fullmatch(row[0]):
            yield row
        else:
            n_left_out += 1
    if n_left_out:
        _LOG.warning("%s: %d rows are no rows of %s", path, n_left_out, ",".join(columns))


def name_of_category(address: str) -> str:
    """`Tour Eiffel` for `http://commons.wikimedia.org/wiki/Category:Tour_Eiffel`; empty where it names nothing."""
    parts = urlsplit(address.strip())
    titles = parse_qs(parts.query).get("title")
    title = titles[0] if titles else unquote(parts.path.rpartition("/wiki/")[2])
    plain = unicodedata.normalize("NFC", title.removeprefix("Category:").replace("_", " "))
    return " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())


@dataclass(frozen=True)
class CleanIds:
    """The images of train that are worth training on: `numbers` [N] of their ids, sorted, and their landmarks [N]."""

    numbers: Numbers
    landmarks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def positions_of(self, image_ids: Sequence[str]) -> list[int]:
        """Where in `numbers` each image stands; -1 for one that is not in the list."""
        numbers = [id_number(image_id) for image_id in image_ids]
        asked = np.array([number or 0 for number in numbers], dtype=np.uint64)
        at = np.searchsorted(self.numbers, asked)
        is_there = at < len(self)
        is_there[is_there] = self.numbers[at[is_there]] == asked[is_there]
        found = np.where(is_there, at, -1).tolist()
        return [-1 if number is None else int(i) for number, i in zip(numbers, found, strict=True)]

    def __contains__(self, image_id: str) -> bool:
        return self.positions_of([image_id])[0] >= 0


def clean_ids(path: Path) -> CleanIds:
    """The images that the list `landmark_id,images` names, its ids separated by spaces.

    Raises InputError where a row is none, or names an image twice.
    """
    digits = bytearray()
    landmarks: list[int] = []
    counts: list[int] = []
    # A landmark with many images has a longer field than the CSV reader allows.
    for number, line in _lines(path, CLEAN_COLUMNS):
        match = CLEAN_ROW.fullmatch(line)
        if match is None:
            raise _row_error(path, number, CLEAN_COLUMNS)
        ids = match[2].replace(b" ", b"")
        digits += ids
        landmarks.append(int(match[1]))
        counts.append(len(ids) // ID_DIGITS)
    numbers = id_numbers(np.frombuffer(bytes(digits), dtype=np.uint8).reshape(-1, ID_DIGITS))
    order = np.argsort(numbers, kind="stable")
    found = CleanIds(numbers[order], np.repeat(np.array(landmarks, dtype=np.int64), counts)[order])
    repeated = np.flatnonzero(found.numbers[1:] == found.numbers[:-1])
    if len(repeated):
        raise InputError(
            f"{path} names the image {int(found.numbers[repeated[0]]):016x} twice; each image once was expected; "
            "fetch the list again"
        )
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """What a test image shows, and how the score counts it.

    landmark_ids: empty where it shows none, None where nobody says.
    """

    landmark_ids: tuple[str, ...] | None
    usage: str


def solution(path: Path) -> dict[str, Shown]:
    """The truth of each test image by id, as the list `id,landmarks,Usage` has it.

    Raises InputError where a row is none, or an image comes twice.
    """
    truth: dict[str, Shown] = {}
    for line, row in _rows(path, SOLUTION_COLUMNS):
        if row is None or not _is_solution(row):
            raise _row_error(path, line, SOLUTION_COLUMNS)
        image_id, landmarks, usage = row
        if image_id in truth:
            raise InputError(
                f"{path} names the image {image_id} twice; each image once was expected; fetch the list again"
            )
        is_told = NUMBERS.fullmatch(landmarks) is not None
        truth[image_id] = Shown(tuple(landmarks.split()) if is_told else None, usage)
    return truth


def _is_solution(row: list[str]) -> bool:
    known = row[2] in ("Public", "Private", "Ignored")
    # What an ignored image shows is told as "None" in some of these lists.
    plain = NUMBERS.fullmatch(row[1]) is not None or row[2] == "Ignored"
    return known and plain and id_number(row[0]) is not None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str] | None]]:
    """Each row that is not blank, None where it has not a field for each column, with the number of its last line."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        _require_columns(path, next(reader, []), columns)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield reader.line_num, None
            else:
                if row:
                    yield reader.line_num, row if len(row) == len(columns) else None


def _lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number; the first line is checked."""
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", errors="replace")
        _require_columns(path, first.replace('"', "").strip().split(","), columns)
        for number, line in enumerate(file, start=2):
            if line.strip():
                yield number, line


def _require_columns(path: Path, found: list[str], columns: tuple[str, ...]) -> None:
    if found != list(columns):
        raise InputError(
            f"{path} begins with {','.join(found)[:80]!r}; the columns {','.join(columns)} were expected; "
            "fetch the list again"
        )


def _row_error(path: Path, line: int, columns: tuple[str, ...]) -> InputError:
    return InputError(
        f"line {line:,} of {path} is no row of {','.join(columns)}; the list as it was published was expected; "
        "fetch it again"
    )
