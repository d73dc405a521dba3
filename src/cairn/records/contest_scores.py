"""What the photos of a contest show, as it is told when the contest is over, and what answers score by it."""

from collections.abc import Set
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.records.contest_rows import contest_rows, require_id, row_error

TRUTH_COLUMNS = ("id", "landmarks", "Usage")
SCORED = ("Public", "Private")
IGNORED = "Ignored"


@dataclass(frozen=True, slots=True)
class ContestTruth:
    """The landmarks that a photo shows, and the part of the contest that it counts in: Public, Private or Ignored."""

    landmark_ids: Set[str]
    usage: str


def read_truth(path: Path) -> dict[str, ContestTruth]:
    """The truth of each photo by its id, as the list `id,landmarks,Usage` has it.

    Raises InputError where a row is none, a photo comes twice, or the list is empty.
    """
    truth: dict[str, ContestTruth] = {}
    for line, (image_id, shown, usage) in contest_rows(path, TRUTH_COLUMNS):
        require_id(path, line, image_id)
        if image_id in truth:
            raise row_error(path, line, f"names {image_id} again", "each photo once")
        if usage not in (*SCORED, IGNORED):
            raise row_error(
                path, line, f"has the Usage {usage[:40]!r}", "Public, Private or Ignored"
            )
        # Of ignored photos some of these lists say "None", which is no landmark.
        if usage != IGNORED and "None" in shown.split():
            raise row_error(
                path, line, "says 'None'", "landmark ids with spaces between, or nothing,"
            )
        truth[image_id] = ContestTruth(frozenset(shown.split()), usage)
    if not truth:
        raise InputError(
            f"{path} has no rows; what each photo of a contest shows was expected; name another list"
        )
    return truth


@dataclass(frozen=True)
class PartScore:
    """What the answers score on one part of a contest; gap and top_1 are None where none of its photos shows a landmark.

    n_with_landmark: M, what GAP divides by. top_1: the share of these photos whose answer is right.
    """

    usage: str
    n_photos: int
    n_with_landmark: int
    n_answered: int
    gap: float | None
    top_1: float | None


@dataclass(frozen=True)
class ContestScores:
    """The scores of each part that the truth has, and how many photos of it are ignored."""

    parts: tuple[PartScore, ...]
    n_ignored: int

    def to_json(self) -> JsonValue:
        """As one JSON object."""
        return asdict(self)
