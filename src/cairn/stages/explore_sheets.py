"""Explore: which images stand on the sheets of landmarks."""

from collections.abc import Sequence

import polars as pl

from cairn.reports.sheets import spread

N_DISTRACTORS = 16
NO_LANDMARK = ""
SHEET_SCHEMA = {
    "landmark": pl.String,
    "image_id": pl.String,
    "path": pl.String,
    "kept_digest": pl.String,
    "credit": pl.String,
}


def sheet_images(
    images: pl.LazyFrame, landmark_ids: Sequence[str], *, n: int, with_none: bool
) -> pl.DataFrame:
    """At most `n` images of each landmark, spread over all of them by id: landmark, image_id, path, kept_digest, credit.

    images: as `stages.explore.images_of` gives them. The landmarks stand in the order given; after them come images
    that show none, under the name NO_LANDMARK, where they are wanted and there are some.
    """
    shows_none = pl.lit(with_none) & (pl.col("landmark_ids").list.len() == 0)
    credit = pl.concat_str("author", "licence", separator=", ", ignore_nulls=True)
    found = (
        images.filter(pl.col("landmark").is_in(list(landmark_ids)) | shows_none)
        .select(
            pl.col("landmark").fill_null(NO_LANDMARK), "image_id", "path", "kept_digest", credit.alias("credit"),
        )
        .collect(engine="streaming")
        .sort("landmark", "image_id")
    )  # fmt: skip
    by_landmark = {str(key[0]): part for key, part in found.partition_by("landmark", as_dict=True).items()}  # fmt: skip
    chosen = [
        part[spread(len(part), n if landmark_id else N_DISTRACTORS)]
        for landmark_id in (*dict.fromkeys(landmark_ids), NO_LANDMARK)
        if (part := by_landmark.get(landmark_id)) is not None
    ]
    return pl.concat(chosen) if chosen else pl.DataFrame(schema=SHEET_SCHEMA)
