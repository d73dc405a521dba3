"""The catalog: one row for every row of every list, from wish to file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.records.tables import Schema, read_table, require_schema, scan_table, write_table

KEPT, DUPLICATE, FAILED, EXCLUDED = "kept", "duplicate", "failed", "excluded"
PENDING = "pending"
STATUSES = (KEPT, DUPLICATE, FAILED, EXCLUDED, PENDING)
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
    "fetched_from": pl.String,
    "attempts": pl.Int32,
    "fetched_at": pl.Datetime("ms", "UTC"),
    "excluded": pl.String,
}
MADE_BY = "cairn import WORK --folder DIR"
IS_IN_USE = (pl.col("status") == KEPT) & pl.col("excluded").is_null()
# Catalogs from before `cairn download` lack these; all of their rows were imported.
OF_DOWNLOADS = ("fetched_from", "attempts", "fetched_at")
# And those from before `cairn scrub` this one; nothing was decided about their images.
OF_DECISIONS = ("excluded",)


def list_names(lists: Iterable[str]) -> list[str]:
    """What people call the lists of a catalog: the last part of each path, `train` of `gld-v2/train`."""
    return [name.rstrip("/").rsplit("/", 1)[-1] for name in lists]


@dataclass(frozen=True)
class Catalog:
    """Every row of every list with its status and cause; docs/files.md says what each column holds."""

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, CATALOG_SCHEMA, what="the catalog")
        unknown = set(self.table["status"].unique()) - set(STATUSES)
        if unknown:
            raise InputError(
                f"the catalog has the status {sorted(map(str, unknown))}; one of {STATUSES} was "
                "expected; make it again with cairn import or cairn download"
            )
        kept = self.kept["image_id"]
        if kept.n_unique() != len(kept):
            twice = kept.filter(kept.is_duplicated())[0]
            raise InputError(
                f"the catalog keeps the image {twice} twice; each image once was expected; "
                "make it again with cairn import or cairn download"
            )

    @property
    def images(self) -> pl.DataFrame:
        """The rows whose image is kept and in use, in the order of the catalog; decisions leave the others out."""
        return self.table.filter(IS_IN_USE)

    @property
    def dataset(self) -> str:
        """What people call the data set: the names of its lists."""
        return ", ".join(list_names(self.table["list"].unique(maintain_order=True)))

    @property
    def kept(self) -> pl.DataFrame:
        """The rows whose image is kept in the work folder, in use or excluded by a decision."""
        return self.table.filter(pl.col("status") == KEPT)

    @property
    def landmark_ids(self) -> list[str]:
        """The landmarks that images in use show, each once, sorted."""
        return sorted(self.images["landmark_ids"].explode().drop_nulls().unique())

    def counts(self) -> dict[str, int]:
        """The number of rows of each status and cause, `failed: truncated` and so on; they add up.

        An image that is kept and left out by a decision counts as `excluded` with that cause.
        """
        by_decision = pl.format(f"{EXCLUDED}: {{}}", "excluded")
        named = pl.coalesce(by_decision, pl.format("{}: {}", "status", "cause"), "status")
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
        table = read_table(path, what="a catalog", made_by=MADE_BY)
        return Catalog(_with_later_columns(table.lazy()).collect())

    @staticmethod
    def scan(path: Path) -> pl.LazyFrame:
        """The rows of the catalog, or of a part of one, at `path`: only what is asked for is read, and nothing checked."""
        return _with_later_columns(scan_table(path, what="a catalog", made_by=MADE_BY))

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Catalog":
        """A catalog of rows given as dicts; absent columns are null."""
        return Catalog(pl.DataFrame(list(rows), schema=CATALOG_SCHEMA))


def _with_later_columns(table: pl.LazyFrame) -> pl.LazyFrame:
    """`table` with the columns that older catalogs lack, in the order of the schema."""
    there = table.collect_schema().names()
    later = [name for name in (*OF_DOWNLOADS, *OF_DECISIONS) if name not in there]
    order = [name for name in CATALOG_SCHEMA if name in there or name in later]
    unknown = [name for name in there if name not in CATALOG_SCHEMA]
    return table.with_columns(
        pl.lit(None, CATALOG_SCHEMA[name]).alias(name) for name in later
    ).select(order + unknown)
