"""The landmarks: what is known of each beyond its photos."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.records.tables import Schema, read_table, require_schema, write_table

# What kind of thing each is; not in files from before there were such columns.
KINDS = ("supercategory", "hierarchical_label", "natural_or_human_made")
LANDMARK_SCHEMA: Schema = {
    "landmark_id": pl.String,
    "name": pl.String,
    "country": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    **dict.fromkeys(KINDS, pl.String),
}


@dataclass(frozen=True)
class Landmarks:
    """One row a landmark, sorted by id: name, country, coordinates in degrees and kind, null where unknown."""

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, LANDMARK_SCHEMA, what="the list of landmarks")
        ids = self.table["landmark_id"]
        if ids.is_duplicated().any():
            raise InputError(
                f"the landmark {ids.filter(ids.is_duplicated())[0]} is listed twice; one row each was "
                "expected; remove the row that is wrong"
            )
        beyond = self.table.filter(
            (pl.col("latitude").abs() > 90) | (pl.col("longitude").abs() > 180)
        )
        if len(beyond):
            place = beyond.row(0, named=True)
            raise InputError(
                f"the landmark {place['landmark_id']} lies at latitude {place['latitude']}, longitude "
                f"{place['longitude']}; -90 to 90 and -180 to 180 degrees were expected; mend the list "
                "(are the two columns swapped?)"
            )

    def write(self, path: Path) -> None:
        """`path` holds the landmarks as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Landmarks":
        """The landmarks that `path` holds."""
        table = read_table(
            path, what="a list of landmarks", made_by="cairn import WORK --folder DIR"
        )
        missing = [name for name in KINDS if name not in table.columns]
        return Landmarks(
            table.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
        )

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Landmarks":
        """Landmarks of rows given as dicts, sorted by id; absent columns are null."""
        return Landmarks(pl.DataFrame(list(rows), schema=LANDMARK_SCHEMA).sort("landmark_id"))
