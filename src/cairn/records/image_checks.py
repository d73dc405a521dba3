"""Image checks: what was measured on the pixels of each kept image, one row an image."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.records.tables import Schema, read_table, require_schema, write_table

IMAGE_CHECKS_SCHEMA: Schema = {
    "image_id": pl.String,
    "kept_digest": pl.String,
    "way": pl.Int32,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "sharpness": pl.Float32,
    "bright_grey": pl.Float32,
    "dark_share": pl.Float32,
    "relief_grey": pl.Float32,
    "flat_share": pl.Float32,
    "edge_share": pl.Float32,
    "least_flat_share": pl.Float32,
    "frame_flat_share": pl.Float32,
    "frame_spread_grey": pl.Float32,
    "colours_share": pl.Float32,
    "paper_share": pl.Float32,
    "saturation": pl.Float32,
    "seam_clear": pl.Float32,
    "pixels_digest": pl.String,
    "mirrored_likeness": pl.Binary,
}


@dataclass(frozen=True)
class ImageChecks:
    """One row a kept image, in the order of the catalog; docs/files.md says what each column holds.

    kept_digest: of the bytes that were measured. way: another number where another Cairn measures otherwise.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, IMAGE_CHECKS_SCHEMA, what="the table of image checks")

    def write(self, path: Path) -> None:
        """`path` holds the checks as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "ImageChecks":
        """The checks that `path` holds."""
        return ImageChecks(read_table(path, what="image checks", made_by="cairn scrub WORK"))

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "ImageChecks":
        """Checks of rows given as dicts; absent columns are null."""
        return ImageChecks(pl.DataFrame(list(rows), schema=IMAGE_CHECKS_SCHEMA))
