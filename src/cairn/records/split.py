"""The split: which part each image belongs to, and which images are copies of one another."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.records.tables import Schema, read_table, require_schema, write_table

TRAIN, VAL, TEST = PARTS = ("train", "val", "test")
SPLIT_SCHEMA: Schema = {
    "image_id": pl.String,
    "part": pl.String,
    "group": pl.String,
    "cause": pl.String,
    "part_before": pl.String,
}


@dataclass(frozen=True)
class Split:
    """One row an image: its part, or null with the cause; `group` is the first image of its copies.

    part_before: of an image that is excluded now, the part it was in and returns to; null otherwise.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, SPLIT_SCHEMA, what="the split")
        told = pl.concat([self.table["part"], self.table["part_before"]])
        unknown = set(told.drop_nulls().unique()) - set(PARTS)
        if unknown:
            raise InputError(
                f"the split has the part {sorted(unknown)}; one of {PARTS} was expected; "
                "deal anew with: cairn split WORK --fresh"
            )
        parts = self.table.drop_nulls("part").group_by("group").agg(pl.col("part").n_unique())
        torn = parts.filter(pl.col("part") > 1)
        if len(torn):
            raise InputError(
                f"the split tears the copies of {torn['group'][0]} apart; copies on one side were "
                "expected; deal anew with: cairn split WORK --fresh"
            )

    def image_ids(self, *parts: str) -> list[str]:
        """The images of `parts`, in the order of the split."""
        return self.table.filter(pl.col("part").is_in(parts))["image_id"].to_list()

    def counts(self) -> dict[str, int]:
        """The number of images in each part, and of those in none by cause."""
        named = pl.coalesce("part", pl.format("in no part: {}", "cause"))
        found = dict(self.table.group_by(named.alias("what")).len().sort("what").iter_rows())
        return {what: found[what] for what in (*PARTS, *found) if what in found}

    def write(self, path: Path) -> None:
        """`path` holds the split as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Split":
        """The split that `path` holds."""
        table = read_table(path, what="a split", made_by="cairn split WORK")
        if "part_before" not in table.columns:
            # Splits from before `cairn scrub` lack it; no image was excluded then.
            table = table.with_columns(pl.lit(None, pl.String).alias("part_before"))
        return Split(table)

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Split":
        """A split of rows given as dicts; absent columns are null."""
        return Split(pl.DataFrame(list(rows), schema=SPLIT_SCHEMA))
