"""A contest file: one answer or none for each photo of a list, written whole and checked when read."""

import csv
import io
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.files import write_text
from cairn.records.contest_rows import contest_rows, require_id, row_error

SUBMISSION_COLUMNS = ("id", "landmarks")
# As Python writes a number and no more than that: no nan, no inf, no 1_000.
SCORE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
CELL = "'landmark_id score', one landmark and a finite number, or nothing"


@dataclass(frozen=True, slots=True)
class ContestAnswer:
    """The landmark that is answered for a photo; a larger score is surer, across photos."""

    landmark_id: str
    score: float


@dataclass(frozen=True)
class Submission:
    """The answers by image id, in the order of the rows; None: a photo without an answer."""

    answers: Mapping[str, ContestAnswer | None]

    def __post_init__(self) -> None:
        for image_id, answer in self.answers.items():
            if answer is not None:
                require_one_word(answer.landmark_id)
                if not math.isfinite(answer.score):
                    raise InputError(
                        f"the answer for {image_id} has the score {answer.score}; a finite number was expected; "
                        "recognise it again"
                    )

    @property
    def n_answered(self) -> int:
        """The photos that have an answer."""
        return sum(answer is not None for answer in self.answers.values())

    def write(self, path: Path) -> None:
        """`path` holds the contest file, or what it held before.

        A score has all the digits that it needs to be read back as the very same number.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SUBMISSION_COLUMNS)
        for image_id, answer in self.answers.items():
            cell = "" if answer is None else f"{answer.landmark_id} {answer.score!r}"
            writer.writerow((image_id, cell))
        write_text(path, text.getvalue())

    @staticmethod
    def read(path: Path) -> "Submission":
        """The contest file at `path`.

        Raises InputError where it cannot be read, its header is another, a photo comes twice, or a cell is
        neither empty nor one landmark with a finite score.
        """
        answers: dict[str, ContestAnswer | None] = {}
        for line, (image_id, cell) in contest_rows(path, SUBMISSION_COLUMNS):
            require_id(path, line, image_id)
            if image_id in answers:
                raise row_error(path, line, f"names {image_id} again", "each photo once")
            answers[image_id] = _answer(path, line, cell)
        return Submission(answers)

    def require_photos(self, image_ids: Collection[str], *, of: str) -> None:
        """Nothing, where these are the photos that have a row each; otherwise raises InputError."""
        wanted = set(image_ids)
        unknown = [image_id for image_id in self.answers if image_id not in wanted]
        missing = [image_id for image_id in image_ids if image_id not in self.answers]
        if unknown or missing:
            wrong = [
                f"{counted(len(ids), 'photo')} {word} (first: {ids[0]})"
                for ids, word in ((unknown, f"that {of} does not name"), (missing, "missing"))
                if ids
            ]
            raise InputError(
                f"the contest file has {' and '.join(wrong)}; a row for each of the {len(wanted):,} photos of {of} and no "
                "other was expected; make it from that list: cairn submit"
            )


def require_one_word(landmark_id: str) -> None:
    """Nothing, where a contest file can name this landmark; otherwise raises InputError."""
    if landmark_id.split() != [landmark_id] or not landmark_id.isprintable():
        raise InputError(
            f"the landmark {landmark_id!r} cannot stand in a contest file, where a space ends it; an id of one word was "
            "expected; give it an id without spaces and make the bundle again"
        )


def _answer(path: Path, line: int, cell: str) -> ContestAnswer | None:
    words = cell.split()
    if not words:
        return None
    if len(words) != 2 or not SCORE.fullmatch(words[1]) or not words[0].isprintable():
        raise row_error(path, line, f"has the cell {cell[:60]!r}", CELL)
    score = float(words[1])
    # 1e999 is written as a number and is none that can be held.
    if not math.isfinite(score):
        raise row_error(path, line, f"has the cell {cell[:60]!r}", CELL)
    return ContestAnswer(words[0], score)
