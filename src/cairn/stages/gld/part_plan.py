"""The plan of one part of a data set: which of its rows are wanted, their keys, and where their images go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from cairn.base.settings import SelectSettings
from cairn.base.watching import Silent, Watch
from cairn.stages.download.gathering import row_keys
from cairn.stages.download.naming import safe
from cairn.stages.download.plan import IMAGES
from cairn.stages.download.selection import chosen, needs_ranks, ranks_of
from cairn.stages.download.verdicts import Verdict
from cairn.stages.gld.id_table import ROWS_AT_ONCE
from cairn.stages.gld.part_rows import PartRow, PartRows
from cairn.stages.listing import NONE_FOLDER, UNKNOWN_FOLDER

Mask = npt.NDArray[np.bool_]
NO_LANDMARK = -1


@dataclass(frozen=True, eq=False)
class PartPlan:
    """What is to be done with each row of a part; arrays are [N], by position: the row's number less one.

    Lines of the list that are no rows are in none of them.
    rows: the part, which is to stay open.
    verdict: FETCH, SAME_ID, NOT_CHOSEN or MALFORMED for each row.
    first_of: by position of a row whose id an earlier one has, the position of the first that has it.
    key: the journal's; the same as of a list that has the row's id, address and landmark.
    """

    rows: PartRows
    list_name: str
    verdict: npt.NDArray[np.uint8]
    first_of: Mapping[int, int]
    key: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.verdict)

    @property
    def to_fetch(self) -> Mask:
        """Which rows are wanted, [N]."""
        return np.asarray(self.verdict == Verdict.FETCH, np.bool_)

    def counts(self) -> dict[Verdict, int]:
        """The number of rows of each verdict; they add up to the rows of the part."""
        counts = np.bincount(self.verdict, minlength=len(Verdict))
        return {verdict: int(counts[verdict]) for verdict in Verdict}


def make_part_plan(
    rows: PartRows, *, list_name: str, selecting: SelectSettings | None = None, watch: Watch | None = None
) -> PartPlan:  # fmt: skip
    """The plan of one part, made in one pass over it.

    Raises InputError where the list changes meanwhile, SettingsError where it has no landmarks to choose
    from.
    """
    selecting = selecting or SelectSettings()
    n_rows = len(rows)
    key = np.empty(n_rows, np.int64)
    landmark = np.empty(n_rows, np.int32)
    good, is_malformed = np.empty(n_rows, np.bool_), np.empty(n_rows, np.bool_)
    ranks = np.empty(n_rows, np.uint64) if needs_ranks(selecting) else None
    numbers: dict[str, int] = {}
    with (watch or Silent()).phase(list_name, n_rows) as advance:
        for several in _some_at_a_time(rows):
            part = slice(several[0].row - 1, several[-1].row)
            key[part] = _keys(several, list_name)
            good[part] = [row.is_wanted for row in several]
            is_malformed[part] = [row.is_malformed for row in several]
            landmark[part] = [_number(row.landmark_ids, numbers) for row in several]
            if ranks is not None:
                ranks[part] = ranks_of((row.image_id for row in several), seed=selecting.seed)
            advance(len(several))
    first = rows.firsts()
    is_first = first == np.arange(n_rows)
    wanted = chosen(good & is_first, landmark, list(numbers), ranks, selecting=selecting)
    verdict = np.full(n_rows, Verdict.NOT_CHOSEN, np.uint8)
    verdict[wanted] = Verdict.FETCH
    verdict[~is_first & wanted[first]] = Verdict.SAME_ID
    verdict[is_malformed] = Verdict.MALFORMED
    repeated = np.flatnonzero(~is_first)
    first_of = dict(zip(repeated.tolist(), first[repeated].tolist(), strict=True))
    return PartPlan(rows, list_name, verdict, first_of, key)


def _some_at_a_time(rows: PartRows) -> Iterator[list[PartRow]]:
    all_rows = rows.rows()
    while several := list(islice(all_rows, ROWS_AT_ONCE)):
        yield several


def _keys(rows: list[PartRow], list_name: str) -> npt.NDArray[np.int64]:
    # Images without an address have ids that mean other photos in other parts, and landmarks from lists
    # that may come later.
    return row_keys(
        [row.image_id for row in rows],
        [row.url or list_name for row in rows],
        [row.landmark_ids[0] if row.url and row.landmark_ids else "" for row in rows],
    )


def _number(landmark_ids: tuple[str, ...] | None, numbers: dict[str, int]) -> int:
    return numbers.setdefault(landmark_ids[0], len(numbers)) if landmark_ids else NO_LANDMARK


def folder_of(row: PartRow) -> str:
    """The folder in which the image of a row belongs: `images/<main landmark>`."""
    if row.landmark_ids is None:
        return f"{IMAGES}/{UNKNOWN_FOLDER}"
    return f"{IMAGES}/{safe(row.landmark_ids[0]) if row.landmark_ids else NONE_FOLDER}"
