"""What people noted of the photos that a planted set is made of: near copies, and landmarks seen together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from cairn.algorithms.duplicates import groups_of
from cairn.base.errors import InputError

_NEAR_COPY_OF = re.compile(r"near copy of\s+(\S+)", re.IGNORECASE)
_ALSO_SHOWS = re.compile(r"also shows\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class PhotoNotes:
    """What was noted, by the path of a photo relative to its folder of landmark folders.

    group_of: photos that are near copies of each other have the same number.
    several: photos that show a second landmark. related: pairs of landmarks that some photo shows together,
    and pairs that a third landmark links; each pair both ways.
    """

    group_of: dict[str, int] = field(default_factory=dict)
    several: frozenset[str] = frozenset()
    related: frozenset[tuple[str, str]] = frozenset()

    def are_copies(self, one: str, other: str) -> bool:
        """Whether both photos were noted as near copies of each other."""
        return one in self.group_of and self.group_of[one] == self.group_of.get(other)

    def are_related(self, one: str, other: str) -> bool:
        """Whether a photo of the landmark `one` may show the landmark `other` as well."""
        return one == other or (one, other) in self.related


def read_photo_notes(path: Path, photos: Sequence[str]) -> PhotoNotes:
    """The notes of a CSV file with the columns photo, landmark_id and note, on those of `photos` that they name.

    photo: a path, a file's name or its stem. note: "near copy of PHOTO" or "also shows LANDMARK ...".
    Raises InputError where the file cannot be read as that.
    """
    table = _read(path)
    found = _Finder(photos)
    copies: list[tuple[str, str]] = []
    several: dict[str, list[str]] = {}
    for photo, landmark_id, note in table.iter_rows():
        named = found.photo(landmark_id, photo)
        if named is None or note is None:
            continue
        if (said := _NEAR_COPY_OF.match(note)) and (
            other := found.photo(landmark_id, said.group(1))
        ):
            copies.append((named, other))
        if said := _ALSO_SHOWS.match(note):
            several[named] = said.group(1).replace(",", " ").split()
    seen_together = [
        (photo.split("/")[0], landmark) for photo, shown in several.items() for landmark in shown
    ]
    groups = _grouped(copies)
    return PhotoNotes(
        {photo: number for number, group in enumerate(groups) for photo in group},
        frozenset(several),
        frozenset((a, b) for group in _grouped(seen_together) for a in group for b in group),
    )


def _read(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as CSV ({error}); a header line with the columns photo, landmark_id and note was "
            "expected; check its name, or save it again as CSV in UTF-8"
        ) from error
    if "photo" not in table.columns:
        raise InputError(
            f"{path} has the columns {', '.join(table.columns)}; photo was expected among them; rename the column"
        )
    missing = [name for name in ("landmark_id", "note") if name not in table.columns]
    table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    return table.select("photo", "landmark_id", "note").drop_nulls("photo")


class _Finder:
    """Finds a photo by its path, its name or its stem, in its landmark's folder first."""

    def __init__(self, photos: Sequence[str]) -> None:
        self._by_name: dict[str, str] = {}
        for photo in reversed(photos):
            folder, _, name = photo.partition("/")
            stem = name.rsplit(".", 1)[0]
            self._by_name |= dict.fromkeys(
                (photo, f"{folder}/{stem}", f"{folder}/{name}", name, stem), photo
            )

    def photo(self, landmark_id: str | None, name: str) -> str | None:
        """The photo's path, or None where there is no such photo."""
        return self._by_name.get(f"{landmark_id}/{name}") or self._by_name.get(name)


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The names of `pairs` in groups, where those of a pair share one."""
    given = list(pairs)
    names = sorted({name for pair in given for name in pair})
    row_of = {name: row for row, name in enumerate(names)}
    rows = np.array([(row_of[a], row_of[b]) for a, b in given], np.int64).reshape(-1, 2)
    groups: dict[int, list[str]] = {}
    for name, first in zip(names, groups_of(len(names), rows).tolist(), strict=True):
        groups.setdefault(first, []).append(name)
    return list(groups.values())
