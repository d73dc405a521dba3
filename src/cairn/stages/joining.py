"""Joining: rows with the same bytes find each other, over all lists, however many rows there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import polars as pl

from cairn.base.errors import InputError
from cairn.records.catalog import CATALOG_SCHEMA, DUPLICATE, EXCLUDED, KEPT, Catalog
from cairn.records.tables import pieces_of

SAME_BYTES, SAME_ADDRESS, SAME_ID = "duplicate bytes", "same address", "duplicate id"
PLACEHOLDER = "placeholder"
# The same picture under so many landmarks is what a host shows in place of photos; where no row names a landmark,
# the addresses alone decide.
PLACEHOLDER_LANDMARKS = 3
PIECE_ROWS = 10_000

_IS_KEPT = pl.col("status") == KEPT
_IS_PLACEHOLDER = (pl.col("status") == EXCLUDED) & (pl.col("cause") == PLACEHOLDER)
_HAS_BYTES = pl.col("digest").is_not_null() & (
    pl.col("status").is_in([KEPT, DUPLICATE]) | _IS_PLACEHOLDER
)
# What has to be known of a row to say how it ends; imported rows have no attempts.
_FACTS = (
    "place", "image_id", "source", "own_landmark_ids", "status", "cause", "digest",
    pl.col("path").is_not_null().alias("has_file"), "attempts",
)  # fmt: skip
_ENDS = ("status", "cause", "twin_id", "landmark_ids")


@dataclass(frozen=True)
class _Source:
    """Rows that are read as often as needed; the first of them has the place `start` in the catalog."""

    rows: pl.LazyFrame
    start: int
    n_rows: int

    @property
    def placed(self) -> pl.LazyFrame:
        """The rows with their place."""
        return self.rows.with_row_index("place", offset=self.start)


def with_twins(table: pl.DataFrame, *, placeholder_ids: int = 0) -> pl.DataFrame:
    """The rows of `table`, in order; of those with the same bytes one is kept, and shows what all of them say.

    Kept is the first that was kept before, else the first that has a file; the others are duplicates
    and point to it. Its `landmark_ids` begin with its own; those of every other row are what the row itself says.
    placeholder_ids: bytes that were downloaded from so many addresses, under three landmarks or more or where nobody
    names any, are no photo, and the rows that were downloaded with them are excluded; 0: never.
    """
    sources = [_Source(table.lazy(), 0, len(table))]
    return _joined(sources, _ends(sources, _with_bytes(sources), placeholder_ids)).collect()


def join_parts(
    parts: Sequence[Path], out: Path, *, list_name: str, before: Path | None = None, placeholder_ids: int = 0
) -> None:  # fmt: skip
    """`out` holds the catalog of the rows in `parts`, joined as by `with_twins`, or what it held before.

    parts: Parquet files of catalog rows of the list `list_name`, in the order of the list.
    before: the catalog so far, which may be `out`; its rows of other lists stay in front.
    Rows stream from file to file; in memory are 21 bytes of each that has an image, and those with twins.
    Raises InputError where an id is kept twice, DiskError when the disk is full.
    """
    frames = [Catalog.scan(part) for part in parts]
    if before is not None:
        frames.insert(0, Catalog.scan(before).filter(pl.col("list") != list_name))
    counts = [frame.select(pl.len()).collect().item() for frame in frames]
    starts = accumulate(counts, initial=0)
    sources = [_Source(*given) for given in zip(frames, starts, counts, strict=False)]
    rows = _with_bytes(sources)
    ends = _ends(sources, rows, placeholder_ids)
    _require_ids_once(sources, rows, ends)
    with pieces_of(out, CATALOG_SCHEMA) as pieces:
        # Joined on the way from file to file, millions of rows would all be in memory at once.
        for source in sources:
            for start in range(0, source.n_rows, PIECE_ROWS):
                n_rows = min(PIECE_ROWS, source.n_rows - start)
                piece = _Source(source.rows.slice(start, n_rows), source.start + start, n_rows)
                pieces.add(_with_ends(piece, ends).collect())
        pieces.write()


def _with_bytes(sources: Sequence[_Source]) -> pl.DataFrame:
    """The rows whose bytes are known: place, whether kept, and 64-bit hashes of digest and id."""
    found = (
        pl.col("place"),
        _IS_KEPT.alias("is_kept"),
        pl.col("digest").hash().alias("bytes_hash"),
        pl.col("image_id").hash().alias("id_hash"),
    )
    return pl.concat(
        source.placed.filter(_HAS_BYTES).select(found).collect(engine="streaming")
        for source in sources
    )


def _repeated(hashes: pl.Series) -> pl.Series:
    """Which of `hashes` stand there more than once."""
    numbers = hashes.to_numpy()
    order = np.argsort(numbers)
    is_as_next = numbers[order[1:]] == numbers[order[:-1]]
    is_repeated = np.zeros(len(numbers), np.bool_)
    is_repeated[order[1:][is_as_next]] = True
    is_repeated[order[:-1][is_as_next]] = True
    return pl.Series(is_repeated)


def _rows_at(
    sources: Sequence[_Source], places: pl.DataFrame, columns: Sequence[str | pl.Expr]
) -> pl.DataFrame:
    """`columns` of the rows at `places`, in order."""
    found = (
        source.placed.join(places.lazy().select("place"), on="place", how="semi")
        .select(columns)
        .collect(engine="streaming")
        for source in sources
    )
    return pl.concat(map(_alone, found)).sort("place")


def _alone(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with a copy of their text: as it was read, it would keep all the text around it in memory."""
    nested = pl.col(pl.List(pl.String))
    return rows.with_columns(pl.col(pl.String) + "", nested.list.eval(pl.element() + ""))


def _ends(sources: Sequence[_Source], rows: pl.DataFrame, placeholder_ids: int) -> pl.DataFrame:
    """How each row ends whose end depends on others: place, status, cause, twin_id, landmark_ids."""
    # A hash that stands alone has no twin for sure; of the others the digests decide. A duplicate that
    # stands alone has lost its twin.
    candidates = rows.filter(_repeated(rows["bytes_hash"]) | ~rows["is_kept"])
    facts = _rows_at(sources, candidates, _FACTS)
    placeholders = _placeholders(facts, placeholder_ids)
    is_one = pl.col("digest").is_in(placeholders.implode()) & pl.col("attempts").is_not_null()
    excluded = facts.filter(is_one).select(
        "place",
        pl.lit(EXCLUDED).alias("status"),
        pl.lit(PLACEHOLDER).alias("cause"),
        pl.lit(None, pl.String).alias("twin_id"),
        pl.col("own_landmark_ids").alias("landmark_ids"),
    )
    photos = facts.filter(~is_one & ~_IS_PLACEHOLDER)
    return pl.concat([excluded, _ends_of_photos(photos)])


def _placeholders(facts: pl.DataFrame, placeholder_ids: int) -> pl.Series:
    """The digests that came from so many addresses under so many landmarks, or under none, that they show none."""
    if not placeholder_ids:
        return pl.Series([], dtype=pl.String)
    counted = (
        facts.filter(pl.col("attempts") > 0)
        .group_by("digest")
        .agg(
            pl.col("source").n_unique().alias("n_addresses"),
            pl.col("own_landmark_ids").list.first().drop_nulls().n_unique().alias("n_landmarks"),
            pl.col("own_landmark_ids").is_null().all().alias("is_unlabelled"),
        )
    )
    is_spread = (pl.col("n_landmarks") >= PLACEHOLDER_LANDMARKS) | pl.col("is_unlabelled")
    return counted.filter((pl.col("n_addresses") >= placeholder_ids) & is_spread)["digest"]


def _ends_of_photos(photos: pl.DataFrame) -> pl.DataFrame:
    """How rows end that all have an image: one of each digest is kept, the others point to it."""
    kept = (
        photos.filter(_IS_KEPT | pl.col("has_file"))
        .sort(~_IS_KEPT, "place")
        .group_by("digest", maintain_order=True)
        .agg(
            pl.col("place").first().alias("kept_place"), pl.col("image_id").first().alias("kept_id")
        )
    )
    truths = (
        # An id that was given twice, to two addresses, says nothing of the one that was fetched.
        photos.join(kept.select("digest", "kept_place"), on="digest", how="inner")
        .filter(pl.col("own_landmark_ids").is_not_null() & pl.col("cause").ne_missing(SAME_ID))
        # The main landmark, whose folder the image is in, is what the kept row itself says.
        .sort(pl.col("place") != pl.col("kept_place"), "place")
        .group_by("digest", maintain_order=True)
        .agg(pl.col("own_landmark_ids").list.explode().drop_nulls().unique(maintain_order=True))
        .rename({"own_landmark_ids": "truth"})
    )
    is_kept = pl.col("place") == pl.col("kept_place")
    says_why = pl.col("cause").is_in([SAME_ADDRESS, SAME_ID])
    return (
        photos.join(kept, on="digest", how="inner")
        .join(truths, on="digest", how="left")
        .select(
            "place",
            pl.when(is_kept).then(pl.lit(KEPT)).otherwise(pl.lit(DUPLICATE)).alias("status"),
            pl.when(is_kept)
            .then(None)
            .when(says_why)
            .then("cause")
            .otherwise(pl.lit(SAME_BYTES))
            .alias("cause"),
            pl.when(~is_kept).then("kept_id").alias("twin_id"),
            pl.when(is_kept).then("truth").otherwise("own_landmark_ids").alias("landmark_ids"),
        )
    )


def _require_ids_once(sources: Sequence[_Source], rows: pl.DataFrame, ends: pl.DataFrame) -> None:
    """Nothing, where no two rows that end as kept have one id; otherwise raises InputError."""
    others = rows.join(ends, on="place", how="anti").filter("is_kept")
    kept = pl.concat(
        [
            others.select("place", "id_hash"),
            rows.join(ends.filter(_IS_KEPT), on="place", how="semi").select("place", "id_hash"),
        ]
    )
    doubtful = kept.filter(_repeated(kept["id_hash"]))
    ids = _rows_at(sources, doubtful, ("place", "list", "image_id"))
    twice = ids.filter(pl.col("image_id").is_duplicated())
    if len(twice):
        image_id = twice["image_id"][0]
        lists = twice.filter(pl.col("image_id") == image_id)["list"]
        raise InputError(
            f"{' and '.join(lists)} both have an image {image_id}, with different bytes; ids that differ "
            "from list to list were expected; give each list a work folder of its own"
        )


def _joined(sources: Sequence[_Source], ends: pl.DataFrame) -> pl.LazyFrame:
    """The rows of all sources in order, each with its end."""
    return pl.concat(_with_ends(source, ends) for source in sources)


def _with_ends(source: _Source, ends: pl.DataFrame) -> pl.LazyFrame:
    last = source.start + source.n_rows - 1
    found = ends.filter(pl.col("place").is_between(source.start, last)).with_columns(
        pl.lit(True).alias("ends_so")
    )
    plain = {"landmark_ids": "own_landmark_ids"}
    return (
        source.placed.join(
            found.lazy(), on="place", how="left", suffix="_end", maintain_order="left"
        )
        .with_columns(
            *(
                pl.when("ends_so").then(f"{name}_end").otherwise(plain.get(name, name)).alias(name)
                for name in _ENDS
            ),
            # Decisions are about images as they were; they hold again once all rows are joined.
            excluded=pl.lit(None, CATALOG_SCHEMA["excluded"]),
        )
        .select(*CATALOG_SCHEMA)
    )
