"""The rows of one part of a data set: each image with what all its lists say of it, as a stream or by id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.stages.gld.attribution import NOBODY, Attribution, Credit, attribution_of
from cairn.stages.gld.datasets import ADDRESS, LANDMARK, Dataset, Part
from cairn.stages.gld.id_table import ROWS_AT_ONCE, IdTable, Numbers
from cairn.stages.gld.small_lists import clean_ids, solution

Truth = Callable[[Sequence[str]], Sequence[tuple[str, ...] | None]]


class PartRow(NamedTuple):
    """One row of a part: `row` is its number in the list, from 1.

    url: empty where the list gives none. landmark_ids: what it shows; empty where that is nothing, None where
    nobody says. is_wanted: False where only the clean images are asked for and this is none.
    is_malformed: it has an id, and not the fields of the list; nothing else is known of it then.
    """

    row: int
    image_id: str
    url: str
    landmark_ids: tuple[str, ...] | None
    credit: Credit
    is_wanted: bool
    is_malformed: bool = False


class PartRows:
    """The rows of `part`, from lists at `paths` (by name); close it, or use it as a context.

    is_clean: only images of the data set's clean list are wanted; the others keep their rows.
    Lists of `part` that are missing from `paths` add nothing, but for the list of images. Who made an image is
    known from `open_credits` on. Lines that are no rows stand apart: of the list of images, `n_odd_lines`; of the list
    of truths they say nothing.
    Raises InputError where a list has other columns than as it was published.
    """

    def __init__(
        self, dataset: Dataset, part: Part, paths: Mapping[str, Path], *, is_clean: bool = False
    ) -> None:
        if is_clean and part.name != "train":
            raise InputError(
                f"the part {part.name} of {dataset.name} has no list of clean images; the part train was expected; "
                "name it, or ask for all images"
            )
        columns = dataset.list_file(part.images).columns
        self._address = columns.index(ADDRESS) if ADDRESS in columns else None
        self._landmark = columns.index(LANDMARK) if LANDMARK in columns else None
        self._prefix = part.landmark_prefix
        self._clean = clean_ids(paths[dataset.clean]) if is_clean else None
        with ExitStack() as opened:
            self._table = opened.enter_context(IdTable(paths[part.images], columns=columns))
            self._truth = _truth(dataset, part, paths, opened)
            self._credits_path = paths.get(part.attribution)
            self._attribution: Attribution | None = None
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The lists are let go."""
        self._opened.close()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def n_odd_lines(self) -> int:
        """Lines of the list of images that begin with no id."""
        return self._table.n_odd_lines

    @property
    def first_odd_line(self) -> int | None:
        """The number of the first of them."""
        return self._table.first_odd_line

    def open_credits(self) -> None:
        """From now on rows say who made their images, where there is a list of that; it takes 20 bytes a row."""
        if self._attribution is None and self._credits_path is not None:
            found = attribution_of(self._credits_path)
            self._attribution = self._opened.enter_context(found)

    def position_of(self, image_id: str) -> int | None:
        """Which row, counted from 0, an image has; of several the first; None where it is not in the list."""
        return self._table.position_of(image_id)

    def positions_of(self, numbers: Numbers) -> npt.NDArray[np.int64]:
        """For each number of an id the row that has it, of several the first; -1 where none has."""
        return self._table.positions_of(numbers)

    def firsts(self) -> npt.NDArray[np.int64]:
        """For each row [N] the first that has its id: itself, unless the id is repeated."""
        return self._table.firsts()

    def at(self, position: int) -> PartRow:
        """The row at a position, counted from 0."""
        return next(self._rows_at([position]))

    def of(self, image_id: str) -> PartRow | None:
        """The row of one image; None where it is not in the list."""
        position = self._table.position_of(image_id)
        return None if position is None else next(self._rows_at([position]))

    def rows(self) -> Iterator[PartRow]:
        """Every row, in the order of the list."""
        for first in range(0, len(self), ROWS_AT_ONCE):
            yield from self._rows_at(range(first, min(first + ROWS_AT_ONCE, len(self))))

    def _rows_at(self, positions: Sequence[int]) -> Iterator[PartRow]:
        found = self._table.rows_at(positions)
        nothing = [""] * (len(self._table.columns) - 1)
        several = [
            fields if fields is not None else [self._table.id_at(position), *nothing]
            for position, fields in zip(positions, found, strict=True)
        ]
        ids = [fields[0] for fields in several]
        credit = self._attribution.of_all(ids) if self._attribution is not None else repeat(NOBODY)
        clean = self._clean.positions_of(ids) if self._clean is not None else repeat(0)
        whole = [fields is not None for fields in found]
        together = zip(
            positions, several, self._landmarks(several), credit, clean, whole, strict=False
        )
        for position, fields, shown, whose, at, is_whole in together:
            yield PartRow(
                row=position + 1,
                image_id=fields[0],
                url=fields[self._address] if self._address is not None else "",
                landmark_ids=shown if is_whole else None,
                credit=whose,
                is_wanted=at >= 0 and is_whole,
                is_malformed=not is_whole,
            )

    def _landmarks(self, rows: Sequence[list[str]]) -> Sequence[tuple[str, ...] | None]:
        if self._landmark is None:
            return self._truth([fields[0] for fields in rows])
        return [(self._prefix + fields[self._landmark],) for fields in rows]


def _truth(dataset: Dataset, part: Part, paths: Mapping[str, Path], opened: ExitStack) -> Truth:
    """What looks up which landmarks images show, where the list of images does not say it."""
    if part.truths not in paths:
        return lambda image_ids: [None] * len(image_ids)
    path, columns = paths[part.truths], dataset.list_file(part.truths).columns
    if LANDMARK not in columns:
        shown = solution(path)
        return lambda image_ids: [
            shown[image_id].landmark_ids if image_id in shown else None for image_id in image_ids
        ]
    table = opened.enter_context(IdTable(path, columns=columns))
    at = columns.index(LANDMARK)

    def landmarks(image_ids: Sequence[str]) -> list[tuple[str, ...] | None]:
        return [
            (part.landmark_prefix + row[at],) if row else None for row in table.rows_of(image_ids)
        ]

    return landmarks
