"""Decisions: which images are left out and what others show instead, by a policy and by people, undone at any time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.records.catalog import CATALOG_SCHEMA, KEPT
from cairn.records.tables import Schema, read_table, require_schema, write_table

DECISIONS_SCHEMA: Schema = {
    "image_id": pl.String,
    "excluded": pl.String,
    "landmark_ids": pl.List(pl.String),
    "before_landmark_ids": pl.List(pl.String),
    "because": pl.String,
    "by": pl.String,
}
BY_POLICY = "policy"
MADE_BY = "cairn scrub WORK --apply POLICY"
_IS_KEPT = pl.col("status") == KEPT


@dataclass(frozen=True)
class Decisions:
    """One row for each image that something was decided about, in the order of the catalog.

    excluded: why the image is left out, null where it is not. landmark_ids: what it shows by this decision, null
    where that stays as it was; before_landmark_ids: what it showed before, null also where nobody had said.
    because: a sentence for a person. by: `policy`, or the reviewers' names.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, DECISIONS_SCHEMA, what="the list of decisions")
        ids = self.table["image_id"]
        if ids.is_duplicated().any():
            raise InputError(
                f"something was decided about the image {ids.filter(ids.is_duplicated())[0]} twice; one row each "
                f"was expected; decide anew with: {MADE_BY}"
            )
        idle = self.table.filter(pl.col("excluded").is_null() & pl.col("landmark_ids").is_null())
        if len(idle):
            raise InputError(
                f"nothing is decided about the image {idle['image_id'][0]}, though it has a row; a cause or "
                f"landmarks were expected; decide anew with: {MADE_BY}"
            )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def landmark_ids(self) -> list[str]:
        """The landmarks that images show by decision, each once, sorted."""
        return sorted(self.table["landmark_ids"].explode().drop_nulls().unique())

    def about(self, rows: pl.DataFrame) -> "Decisions":
        """The decisions about the images of `rows`, which have a column image_id."""
        return Decisions(self.table.join(rows.select("image_id"), on="image_id", how="semi"))

    def applied_to(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` of a catalog in which nothing is decided, with these decisions; order and columns stay."""
        decided = self.about(rows).table.select(
            "image_id",
            pl.col("excluded").alias("excluded_now"),
            pl.col("landmark_ids").alias("landmark_ids_now"),
        )
        is_told = _IS_KEPT & pl.col("landmark_ids_now").is_not_null()
        return (
            rows.join(decided, on="image_id", how="left", maintain_order="left")
            .with_columns(
                pl.when(_IS_KEPT).then("excluded_now").alias("excluded"),
                pl.when(is_told)
                .then("landmark_ids_now")
                .otherwise("landmark_ids")
                .alias("landmark_ids"),
            )
            .select(rows.columns)
        )

    def undone_in(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """`rows` of a catalog as they were before these decisions: in use, and showing what they showed.

        A row that shows something else than was decided has been written anew since then, and stays as it is.
        rows: with at least image_id, status, landmark_ids and excluded, which they keep in their order.
        """
        decided = self.table.lazy().drop_nulls("landmark_ids")
        told = decided.select(
            "image_id", pl.col("landmark_ids").alias("landmark_ids_now"), "before_landmark_ids"
        )
        as_decided = pl.col("landmark_ids").eq_missing(pl.col("landmark_ids_now"))
        is_told = _IS_KEPT & pl.col("landmark_ids_now").is_not_null() & as_decided
        return (
            rows.join(told, on="image_id", how="left", maintain_order="left")
            .with_columns(
                pl.lit(None, CATALOG_SCHEMA["excluded"]).alias("excluded"),
                pl.when(is_told)
                .then("before_landmark_ids")
                .otherwise("landmark_ids")
                .alias("landmark_ids"),
            )
            .drop("landmark_ids_now", "before_landmark_ids")
        )

    def write(self, path: Path) -> None:
        """`path` holds the decisions as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Decisions":
        """The decisions that `path` holds."""
        return Decisions(read_table(path, what="decisions", made_by=MADE_BY))

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Decisions":
        """Decisions of rows given as dicts; absent columns are null."""
        return Decisions(pl.DataFrame(list(rows), schema=DECISIONS_SCHEMA))


def undone(rows: pl.LazyFrame, made: Sequence[Decisions]) -> pl.LazyFrame:
    """`rows` of a catalog as they were before any decision; of several in `made` the later ones come first."""
    for decisions in made:
        rows = decisions.undone_in(rows)
    return rows.with_columns(pl.lit(None, CATALOG_SCHEMA["excluded"]).alias("excluded"))
