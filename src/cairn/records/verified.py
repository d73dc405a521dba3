"""Verified images: how many other photos of its own landmark each image matches point by point."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.records.tables import Schema, read_table, require_schema, write_table

VERIFIED_SCHEMA: Schema = {
    "image_id": pl.String,
    "landmark_key": pl.String,
    "n_verified": pl.Int32,
}
MADE_BY = "cairn scrub WORK --apply gld-clean"


@dataclass(frozen=True)
class VerifiedImages:
    """One row for each image that shows a landmark.

    landmark_key: of all images of its landmark and how they were matched; where it is another one, count again.
    n_verified: 0 to what the policy asks for; beyond that nobody counted.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, VERIFIED_SCHEMA, what="the table of verified images")

    def write(self, path: Path) -> None:
        """`path` holds the counts as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "VerifiedImages":
        """The counts that `path` holds."""
        return VerifiedImages(read_table(path, what="verified images", made_by=MADE_BY))
