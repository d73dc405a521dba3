"""The images that a bundle knows: those of its gallery, and its distractors."""

from pathlib import Path

import polars as pl

from cairn.records.tables import Schema, read_table, require_schema

GALLERY_SCHEMA: Schema = {
    "image_id": pl.String,
    "landmark_ids": pl.List(pl.String),
    "licence": pl.String,
    "author": pl.String,
    "digest": pl.String,
}


def read_gallery_images(path: Path) -> pl.DataFrame:
    """The rows at `path`, with GALLERY_SCHEMA; of bundles from before the digests were kept they are null."""
    table = read_table(path, what="a table of a bundle's images", made_by="cairn index WORK")
    if "digest" not in table.columns:
        table = table.with_columns(pl.lit(None, pl.String).alias("digest"))
    require_schema(table, GALLERY_SCHEMA, what=f"the table {path}")
    return table.select(*GALLERY_SCHEMA)


def nameless(n_images: int) -> pl.DataFrame:
    """`n_images` rows of images of which nothing is known: the distractors of older bundles."""
    rows = [dict.fromkeys(GALLERY_SCHEMA) | {"landmark_ids": []} for _ in range(n_images)]
    return pl.DataFrame(rows, schema=GALLERY_SCHEMA)
