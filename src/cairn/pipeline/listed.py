"""The rows of a downloaded list on their way into the catalog: in parts, joined with all other lists."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.files import digest_bytes
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import KEPT, Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.tables import write_table
from cairn.stages.download.blocks import ListRow
from cairn.stages.download.journal import Journal
from cairn.stages.download.plan import Plan
from cairn.stages.download.rows import download_rows, keys_of, listed
from cairn.stages.joining import join_parts

# So many rows with all that is known of them take some 50 MB on the way.
ROWS_A_PART = 5_000


class TakenIds:
    """Image ids in 8 bytes each: none of them is ever taken for free; one in a billion billions is the other way round.

    Ids that differ in case only are one: on some disks so are their files.
    """

    def __init__(self, ids: pl.Series) -> None:
        self._hashes: npt.NDArray[np.uint64] = np.sort(_folded(ids).hash().to_numpy())

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, image_id: str) -> bool:
        return len(self) > 0 and bool(self.has(pl.Series([image_id]))[0])

    def has(self, ids: pl.Series) -> pl.Series:
        """Which of `ids` are taken."""
        hashes = _folded(ids).hash().to_numpy()
        places = np.searchsorted(self._hashes, hashes)
        after = np.append(self._hashes, np.uint64(0))[places]
        return pl.Series((places < len(self._hashes)) & (after == hashes)) & ids.is_not_null()


def _folded(ids: pl.Series) -> pl.Series:
    return ids.str.to_lowercase()


@dataclass(frozen=True)
class OtherLists:
    """The image ids that other lists of the work folder have taken, and what this list calls such images."""

    list_name: str
    taken_ids: TakenIds

    @staticmethod
    def of(place: WorkFolder, list_name: str) -> "OtherLists":
        """What the catalog, where there is one, says of lists other than `list_name`."""
        if not place.catalog_path.exists():
            return OtherLists(list_name, TakenIds(pl.Series([], dtype=pl.String)))
        others = Catalog.scan(place.catalog_path).filter(pl.col("list") != list_name)
        return OtherLists(
            list_name, TakenIds(others.select("image_id").collect(engine="streaming").to_series())
        )

    def id_of(self, image_id: str) -> str:
        """The id that an image gets here: the list's own, or one made of both where that is taken."""
        if image_id not in self.taken_ids:
            return image_id
        return digest_bytes(f"{self.list_name}\n{image_id}".encode())[:16]

    def place_of(self, plan: Plan, index: int) -> str:
        """Where the image of a row goes, without its suffix; never where an image of another list lies."""
        stem = plan.place(index)
        if not self.taken_ids:
            return stem
        image_id, _ = plan.source.identity(int(plan.offsets[index]))
        is_taken = image_id in self.taken_ids
        return f"{stem.rpartition('/')[0]}/{self.id_of(image_id)}" if is_taken else stem

    def renamed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the ids that their images have here."""
        if not self.taken_ids:
            return rows
        both = pl.concat([rows["image_id"], rows["twin_id"].drop_nulls()]).unique()
        clashes = {i: self.id_of(i) for i in both.filter(self.taken_ids.has(both))}
        return (
            rows.with_columns(pl.col("image_id", "twin_id").replace(clashes)) if clashes else rows
        )


@dataclass(frozen=True)
class LandmarkFacts:
    """What a list says of a landmark, in the columns of `Landmarks`; None where it says nothing."""

    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    supercategory: str | None = None
    hierarchical_label: str | None = None
    natural_or_human_made: str | None = None


def tables_of_list(
    plan: Plan, journal: Journal, facts: dict[str, LandmarkFacts]
) -> Iterator[pl.DataFrame]:
    """The catalog's rows of the plan's list as the journal knows them, in order, some at a time.

    facts: gets what the rows say of landmarks.
    """
    all_rows = plan.source.rows()
    while rows := list(islice(all_rows, ROWS_A_PART)):
        wanted = listed(plan, rows)
        outcomes = journal.outcomes(keys_of(wanted).to_numpy())
        facts |= {
            row.landmark_id: _said(row) for row in rows if row.landmark_id and _says_more(row)
        }
        yield download_rows(wanted, outcomes, list_name=plan.source.name)
    # Joining needs the memory.
    journal.let_go()


def write_rows(
    place: WorkFolder, tables: Iterable[pl.DataFrame], *, others: OtherLists, placeholder_ids: int
) -> None:
    """The catalog of `place` holds the rows of `tables`, which are those of one list in order, in place of its old ones."""
    shutil.rmtree(place.download_parts, ignore_errors=True)
    parts: list[Path] = []
    for number, table in enumerate(tables):
        parts.append(place.download_parts / f"{number:05}.parquet")
        write_table(others.renamed(table), parts[-1])
    before = place.catalog_path if place.catalog_path.exists() else None
    join_parts(
        parts, place.catalog_path, list_name=others.list_name, before=before,
        placeholder_ids=placeholder_ids,
    )  # fmt: skip
    shutil.rmtree(place.download_parts, ignore_errors=True)


def write_landmarks(place: WorkFolder, facts: Mapping[str, LandmarkFacts]) -> None:
    """`place` holds the landmarks that kept images show; names and places from `facts`, else as they were known."""
    kept = Catalog.scan(place.catalog_path).filter(pl.col("status") == KEPT)
    shown = kept.select(pl.col("landmark_ids").explode().drop_nulls().unique()).collect()
    known: dict[str, dict[str, object]] = {}
    if place.landmarks_path.exists():
        before = Landmarks.read(place.landmarks_path).table
        known = {row["landmark_id"]: row for row in before.iter_rows(named=True)}
    Landmarks.of(
        _landmark(landmark_id, known.get(landmark_id, {}), facts.get(landmark_id))
        for landmark_id in sorted(shown.to_series())
    ).write(place.landmarks_path)


def _says_more(row: ListRow) -> bool:
    return row.name is not None or row.latitude is not None


def _said(row: ListRow) -> LandmarkFacts:
    return LandmarkFacts(row.name, row.latitude, row.longitude)


def _landmark(
    landmark_id: str, known: dict[str, object], facts: LandmarkFacts | None
) -> dict[str, object]:
    told = {"landmark_id": landmark_id, "name": landmark_id.replace("_", " ")} | known
    if facts is None:
        return told
    return told | {key: value for key, value in asdict(facts).items() if value is not None}
