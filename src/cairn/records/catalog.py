"""The catalog: one row for every row of every list, from wish to file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.records.tables import Schema, read_table, require_schema, write_table

KEPT, DUPLICATE, FAILED, EXCLUDED = "kept", "duplicate", "failed", "excluded"
STATUSES = (KEPT, DUPLICATE, FAILED, EXCLUDED)
CATALOG_SCHEMA: Schema = {
    "list": pl.String,
    "row": pl.Int64,
    "image_id": pl.String,
    "source": pl.String,
    "own_landmark_ids": pl.List(pl.String),
    "landmark_ids": pl.List(pl.String),
    "status": pl.String,
    "cause": pl.String,
    "twin_id": pl.String,
    "path": pl.String,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "size_bytes": pl.Int64,
    "digest": pl.String,
    "kept_digest": pl.String,
    "likeness": pl.Binary,
    "licence": pl.String,
    "author": pl.String,
}


@dataclass(frozen=True)
class Catalog:
    """Every row of every list with its status and cause; docs/files.md says what each column holds."""

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, CATALOG_SCHEMA, what="the catalog")
        unknown = set(self.table["status"]) - set(STATUSES)
        if unknown:
            raise InputError(
                f"the catalog has the status {sorted(map(str, unknown))}; one of {STATUSES} was "
                "expected; make it again with: cairn import"
            )
        kept = self.images["image_id"]
        if kept.n_unique() != len(kept):
            twice = kept.filter(kept.is_duplicated())[0]
            raise InputError(
                f"the catalog keeps the image {twice} twice; each image once was expected; "
                "make it again with: cairn import"
            )

    @property
    def images(self) -> pl.DataFrame:
        """The rows whose image is kept in the work folder, in the order of the catalog."""
        return self.table.filter(pl.col("status") == KEPT)

    @property
    def landmark_ids(self) -> list[str]:
        """The landmarks that kept images show, each once, sorted."""
        return sorted(self.images["landmark_ids"].explode().drop_nulls().unique())

    def counts(self) -> dict[str, int]:
        """The number of rows of each status and cause, `failed: truncated` and so on; they add up."""
        with_cause = pl.format("{}: {}", "status", "cause")
        named = pl.when(pl.col("cause").is_null()).then("status").otherwise(with_cause)
        grouped = (
            self.table.group_by(named.alias("what"))
            .len()
            .sort("len", "what", descending=[True, False])
        )
        return dict(grouped.iter_rows())

    def write(self, path: Path) -> None:
        """`path` holds the catalog as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Catalog":
        """The catalog that `path` holds."""
        return Catalog(read_table(path, what="a catalog", made_by="cairn import WORK --folder DIR"))

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Catalog":
        """A catalog of rows given as dicts; absent columns are null."""
        return Catalog(pl.DataFrame(list(rows), schema=CATALOG_SCHEMA))
