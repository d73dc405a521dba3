"""Explore: what a catalog holds, counted in streams, so that millions of rows need little memory."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from cairn.records.catalog import EXCLUDED, KEPT
from cairn.records.exploration import (
    LANDMARK_COUNTS_SCHEMA,
    CatalogCounts,
    CountryCount,
    Exploration,
    LandmarkCount,
    ListCount,
    Named,
    PartCount,
    SideRange,
    Totals,
    range_words,
    size_ranges,
)
from cairn.records.landmarks import Landmarks
from cairn.records.scores import SIZES
from cairn.records.split import PARTS
from cairn.records.tally import tally_of_rows

ALL_LISTS = "all lists"
NOT_DEALT = "not dealt yet"
N_LARGEST = 30
SIDE_ENDS_PX = (128, 256, 384, 512, 640, 800, 1024, 1280, 1600, 2048, 3072, 4096)
# Width to height.
SHAPES = (
    ("1:3", 1 / 3), ("1:2", 1 / 2), ("9:16", 9 / 16), ("2:3", 2 / 3), ("3:4", 3 / 4), ("1:1", 1.0),
    ("4:3", 4 / 3), ("3:2", 3 / 2), ("16:9", 16 / 9), ("2:1", 2.0), ("3:1", 3.0),
)  # fmt: skip
NOT_KNOWN = "not known"


def explore(
    rows: pl.LazyFrame, *, landmarks: Landmarks | None, split: pl.LazyFrame | None
) -> Exploration:
    """The counts of a catalog; an image is a row that is kept and, where rows can be, not excluded.

    rows: as `Catalog.scan` gives them. split: image_id, part, group, cause; None: none was made yet.
    An image counts for its main landmark, so that the images of the landmarks, the distractors and the
    unlabelled add up to all images; rows by status and cause add up to all rows, and so do those by host.
    """
    told = with_exclusions(rows)
    images = images_of(told, split)
    by_landmark = landmark_counts(images, landmarks)
    sides, shapes = _sides_and_shapes(images)
    return Exploration(
        CatalogCounts(
            totals=_totals(told, images, by_landmark, split),
            rows=tally_of_rows(told, ALL_LISTS),
            lists=_lists(told),
            largest=tuple(
                LandmarkCount(**row) for row in by_landmark.head(N_LARGEST).iter_rows(named=True)
                if row["n_images"]
            ),
            sizes=size_ranges(
                _of_mains(by_landmark),
                [(smallest, largest) for _, smallest, largest in SIZES],
                [name for name, *_ in SIZES],
            ),
            finer_sizes=size_ranges(_of_mains(by_landmark)),
            sides=sides,
            shapes=shapes,
            licences=_by_name(images, pl.col("licence")),
            countries=_countries(by_landmark),
            parts=_parts(images) if split is not None else (),
            in_no_part=_in_no_part(images) if split is not None else (),
        ),
        by_landmark,
    )  # fmt: skip


def with_exclusions(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows, where one that scrub excluded has the status excluded and its cause, as others that are left out."""
    if "excluded" not in rows.collect_schema().names():
        return rows
    is_out = (pl.col("status") == KEPT) & pl.col("excluded").is_not_null()
    return rows.with_columns(
        status=pl.when(is_out).then(pl.lit(EXCLUDED)).otherwise("status"),
        cause=pl.when(is_out).then("excluded").otherwise("cause"),
    )


def images_of(rows: pl.LazyFrame, split: pl.LazyFrame | None) -> pl.LazyFrame:
    """The images among `rows` with `landmark`, the main one (null: none, or not known), part, and its cause."""
    images = rows.filter(pl.col("status") == KEPT).drop("cause")
    images = images.with_columns(landmark=pl.col("landmark_ids").list.first())
    if split is None:
        nothing = pl.lit(None, pl.String)
        return images.with_columns(part=nothing, group=nothing, cause=nothing)
    dealt = split.select("image_id", "part", "group", "cause")
    return images.join(dealt, on="image_id", how="left")


def landmark_counts(images: pl.LazyFrame, landmarks: Landmarks | None) -> pl.DataFrame:
    """A row for every landmark that an image shows, as `Exploration.landmarks`."""
    in_parts = [(pl.col("part") == part).sum().alias(part) for part in PARTS]
    mains = _collected(
        images.filter(pl.col("landmark").is_not_null())
        .group_by("landmark")
        .agg(pl.len().alias("n_images"), *in_parts, pl.col("part").is_null().sum().alias("in_no_part"))
    )  # fmt: skip
    besides = _collected(
        images.filter(pl.col("landmark_ids").list.len() > 1)
        .select(pl.col("landmark_ids").list.slice(1).alias("landmark"))
        .explode("landmark")
        .group_by("landmark")
        .agg(pl.len().alias("n_also"))
    )
    known = Landmarks.of([]) if landmarks is None else landmarks
    names = known.table.select(pl.col("landmark_id").alias("landmark"), "name", "country")
    joined = mains.join(besides, on="landmark", how="full", coalesce=True)
    joined = joined.join(names, on="landmark", how="left").with_columns(
        pl.col("landmark").alias("landmark_id"), pl.coalesce("name", "landmark").alias("name")
    )
    numbers = [name for name, kind in LANDMARK_COUNTS_SCHEMA.items() if kind == pl.Int64]
    counted = joined.with_columns(pl.col(numbers).fill_null(0)).cast(
        dict.fromkeys(numbers, pl.Int64)
    )
    return counted.select(list(LANDMARK_COUNTS_SCHEMA)).sort(
        "n_images", "n_also", "landmark_id", descending=[True, True, False]
    )


def _collected(table: pl.LazyFrame) -> pl.DataFrame:
    return table.collect(engine="streaming")


def _of_mains(by_landmark: pl.DataFrame) -> pl.Series:
    return by_landmark.filter(pl.col("n_images") > 0)["n_images"]


def _totals(
    rows: pl.LazyFrame,
    images: pl.LazyFrame,
    by_landmark: pl.DataFrame,
    split: pl.LazyFrame | None,
) -> Totals:
    shown = pl.col("landmark_ids").list.len()
    found = _collected(
        images.select(
            pl.len().alias("n_images"),
            pl.col("size_bytes").sum().alias("n_bytes"),
            pl.col("landmark").is_not_null().sum().alias("n_labelled"),
            (shown == 0).sum().alias("n_distractors"),
            pl.col("landmark_ids").is_null().sum().alias("n_unlabelled"),
            (shown > 1).sum().alias("n_several"),
            pl.col("author").drop_nulls().n_unique().alias("n_authors"),
        )
    ).row(0, named=True)
    n_landmarks = len(_of_mains(by_landmark))
    n_groups, n_copies = (0, 0) if split is None else _copies(images)
    return Totals(
        n_rows=_collected(rows.select(pl.len())).item(),
        **found,
        n_landmarks=n_landmarks,
        n_only_beside=len(by_landmark) - n_landmarks,
        n_groups=n_groups,
        n_copies=n_copies,
    )


def _copies(images: pl.LazyFrame) -> tuple[int, int]:
    """The number of groups of copies that lie in a part, and of the images in them."""
    dealt = images.filter(pl.col("part").is_not_null()).group_by("group").len()
    several = dealt.filter(pl.col("len") > 1)
    found = _collected(
        several.select(pl.len().alias("groups"), pl.col("len").sum().alias("images"))
    )
    n_groups, n_images = found.row(0)
    return n_groups, n_images


def _lists(rows: pl.LazyFrame) -> tuple[ListCount, ...]:
    n_images = (pl.col("status") == KEPT).sum().alias("n_images")
    found = _collected(rows.group_by("list").agg(pl.len().alias("n_rows"), n_images))
    ordered = found.rename({"list": "name"}).sort("n_rows", "name", descending=[True, False])
    return tuple(ListCount(**row) for row in ordered.iter_rows(named=True))


def _by_name(images: pl.LazyFrame, name: pl.Expr) -> tuple[Named, ...]:
    found = _collected(images.group_by(name.alias("name")).agg(pl.len().alias("n_images")))
    ordered = found.sort("n_images", "name", descending=[True, False], nulls_last=True)
    return tuple(Named(**row) for row in ordered.iter_rows(named=True))


def _countries(by_landmark: pl.DataFrame) -> tuple[CountryCount, ...]:
    """The images and landmarks of each country; nothing where no landmark has one."""
    mains = by_landmark.filter(pl.col("n_images") > 0)
    if mains["country"].null_count() == len(mains):
        return ()
    found = mains.group_by(pl.col("country").alias("name")).agg(
        pl.col("n_images").sum(), pl.len().alias("n_landmarks")
    )
    ordered = found.sort("n_images", "name", descending=[True, False], nulls_last=True)
    return tuple(CountryCount(**row) for row in ordered.iter_rows(named=True))


def _parts(images: pl.LazyFrame) -> tuple[PartCount, ...]:
    found = _collected(
        images.filter(pl.col("part").is_not_null())
        .group_by(pl.col("part").alias("name"))
        .agg(
            pl.len().alias("n_images"),
            pl.col("landmark").drop_nulls().n_unique().alias("n_landmarks"),
            (pl.col("landmark_ids").list.len() == 0).sum().alias("n_distractors"),
            pl.col("landmark_ids").is_null().sum().alias("n_unlabelled"),
        )
    )
    by_name = {row["name"]: PartCount(**row) for row in found.iter_rows(named=True)}
    empty = {"n_images": 0, "n_landmarks": 0, "n_distractors": 0, "n_unlabelled": 0}
    return tuple(by_name.get(part) or PartCount(name=part, **empty) for part in PARTS)


def _in_no_part(images: pl.LazyFrame) -> tuple[Named, ...]:
    outside = images.filter(pl.col("part").is_null())
    return _by_name(outside, pl.col("cause").fill_null(NOT_DEALT))


def _sides_and_shapes(images: pl.LazyFrame) -> tuple[tuple[SideRange, ...], tuple[Named, ...]]:
    """Images by their longest side and by their shape; those whose size is not known come last."""
    found = _collected(images.group_by("width_px", "height_px").agg(pl.len().alias("n")))
    known = found.filter(pl.col("width_px") > 0, pl.col("height_px") > 0)
    unknown = int(found["n"].sum()) - int(known["n"].sum())
    width, height = known["width_px"].to_numpy(), known["height_px"].to_numpy()
    n = known["n"].to_numpy()
    place = np.searchsorted(SIDE_ENDS_PX, np.maximum(width, height))
    sides = np.bincount(place, weights=n, minlength=len(SIDE_ENDS_PX) + 1).astype(int)
    middles = [math.sqrt(a * b) for (_, a), (_, b) in itertools.pairwise(SHAPES)]
    shapes = np.bincount(
        np.searchsorted(middles, width / np.maximum(height, 1)), weights=n, minlength=len(SHAPES)
    ).astype(int)
    named = [Named(name=name, n_images=k) for (name, _), k in zip(SHAPES, shapes, strict=True) if k]
    named += [Named(name=NOT_KNOWN, n_images=unknown)] * (unknown > 0)
    return _side_ranges(sides.tolist()), tuple(named)


def _side_ranges(counts: Sequence[int]) -> tuple[SideRange, ...]:
    """The ranges from the first to the last that holds an image, those between them also where they hold none."""
    starts = (1, *(end + 1 for end in SIDE_ENDS_PX))
    ends = (*SIDE_ENDS_PX, None)
    ranges = [
        SideRange(name=range_words(start, end), smallest=start, largest=end, n_images=n)
        for start, end, n in zip(starts, ends, counts, strict=True)
    ]
    filled = [place for place, n in enumerate(counts) if n]
    return tuple(ranges[filled[0] : filled[-1] + 1]) if filled else ()
