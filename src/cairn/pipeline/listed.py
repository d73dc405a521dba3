"""The rows of a downloaded list on their way into the catalog: in parts, joined with all other lists."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

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

ROWS_A_PART = 100_000


@dataclass(frozen=True)
class OtherLists:
    """The image ids that other lists of the work folder have taken, and what this list calls such images."""

    list_name: str
    taken_ids: frozenset[str]

    @staticmethod
    def of(place: WorkFolder, list_name: str) -> "OtherLists":
        """What the catalog, where there is one, says of lists other than `list_name`."""
        if not place.catalog_path.exists():
            return OtherLists(list_name, frozenset())
        others = Catalog.scan(place.catalog_path).filter(pl.col("list") != list_name)
        return OtherLists(list_name, frozenset(others.select("image_id").collect().to_series()))

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
        clashes = {i: self.id_of(i) for i in rows["image_id"] if i in self.taken_ids}
        clashes |= {i: self.id_of(i) for i in rows["twin_id"].drop_nulls() if i in self.taken_ids}
        return (
            rows.with_columns(pl.col("image_id", "twin_id").replace(clashes)) if clashes else rows
        )


def write_rows(
    place: WorkFolder, plan: Plan, journal: Journal, *, others: OtherLists, placeholder_ids: int
) -> None:
    """The catalog and the landmarks of `place` hold every row of the plan's list as the journal knows it."""
    shutil.rmtree(place.download_parts, ignore_errors=True)
    parts: list[Path] = []
    named: dict[str, ListRow] = {}
    list_name = plan.source.name
    for number, rows in enumerate(_several(plan)):
        wanted = listed(plan, rows)
        outcomes = journal.outcomes(keys_of(wanted).to_numpy())
        table = download_rows(wanted, outcomes, list_name=list_name)
        parts.append(place.download_parts / f"{number:05}.parquet")
        write_table(others.renamed(table), parts[-1])
        named |= {row.landmark_id: row for row in rows if row.landmark_id and _says_more(row)}
    before = place.catalog_path if place.catalog_path.exists() else None
    join_parts(
        parts, place.catalog_path, list_name=list_name, before=before, placeholder_ids=placeholder_ids
    )  # fmt: skip
    shutil.rmtree(place.download_parts, ignore_errors=True)
    _landmarks(place, named).write(place.landmarks_path)


def _several(plan: Plan) -> Iterator[list[ListRow]]:
    rows = plan.source.rows()
    while several := list(islice(rows, ROWS_A_PART)):
        yield several


def _says_more(row: ListRow) -> bool:
    return row.name is not None or row.latitude is not None


def _landmarks(place: WorkFolder, named: dict[str, ListRow]) -> Landmarks:
    """The landmarks that kept images show; names and places from the list, else as they were known."""
    kept = Catalog.scan(place.catalog_path).filter(pl.col("status") == KEPT)
    shown = kept.select(pl.col("landmark_ids").explode().drop_nulls().unique()).collect()
    known: dict[str, dict[str, object]] = {}
    if place.landmarks_path.exists():
        before = Landmarks.read(place.landmarks_path).table
        known = {row["landmark_id"]: row for row in before.iter_rows(named=True)}
    return Landmarks.of(
        _landmark(landmark_id, known.get(landmark_id, {}), named.get(landmark_id))
        for landmark_id in sorted(shown.to_series())
    )


def _landmark(landmark_id: str, known: dict[str, object], row: ListRow | None) -> dict[str, object]:
    told = {"landmark_id": landmark_id, "name": landmark_id.replace("_", " ")} | known
    if row is None:
        return told
    said = {"name": row.name, "latitude": row.latitude, "longitude": row.longitude}
    return told | {key: value for key, value in said.items() if value is not None}
