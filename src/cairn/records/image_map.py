"""The map of images: a place in a plane for each, near others that look alike."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.records.tables import Schema, require_schema, write_table

IMAGE_MAP_SCHEMA: Schema = {
    "image_id": pl.String,
    "landmark_id": pl.String,
    "is_labelled": pl.Boolean,
    "x": pl.Float32,
    "y": pl.Float32,
    "nearest_id": pl.String,
}


@dataclass(frozen=True)
class ImageMap:
    """One row an image: its main landmark (null: none, or not known), its place, and the image most like it.

    x, y: -1 to 1, widest along x. way: how the images were described, in words.
    n_described: how many images have a descriptor; the map may show a part of them.
    """

    table: pl.DataFrame
    way: str
    n_described: int

    def __post_init__(self) -> None:
        require_schema(self.table, IMAGE_MAP_SCHEMA, what="the map of images")

    @property
    def nearest_same(self) -> float | None:
        """The share of the labelled images whose nearest labelled image shows the same main landmark, or none as they do.

        Images whose nearest one is not labelled are left out; None where that leaves nothing.
        """
        labelled = self.table.filter("is_labelled")
        others = labelled.select(
            pl.col("image_id").alias("nearest_id"), pl.col("landmark_id").alias("other_id")
        )
        pairs = labelled.join(others, on="nearest_id", how="inner")
        same = pairs.select(pl.col("landmark_id").eq_missing(pl.col("other_id")).mean()).item()
        return None if same is None else float(same)

    def write(self, path: Path) -> None:
        """`path` holds the places as Parquet."""
        write_table(self.table, path)
