"""Verified images over a work folder: landmark by landmark, and only where its images have changed since."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_json
from cairn.base.watching import Watch
from cairn.images.pixels import Decoded
from cairn.pipeline.describing import descriptors_at_hand
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.verified import VERIFIED_SCHEMA, VerifiedImages
from cairn.stages.describe import KeptImage, checked_image
from cairn.stages.policies import GLD_CLEAN
from cairn.stages.scrub.looks import Looks
from cairn.stages.verifying import MOST_TRIED, verified_counts

# Another number where another Cairn would count otherwise.
WAY = 1
# What Ctrl-C may cost: so many images, or this share of them all where that is more.
IMAGES_A_PART, MOST_PARTS = 500, 200
# Points are found on images of about this longest side.
ENOUGH_PX = 1024


def verified_support(place: WorkFolder, rows: pl.LazyFrame, *, watch: Watch) -> pl.DataFrame:
    """image_id and n_verified of each image that shows a landmark, counted where that is not known yet.

    rows: of the catalog, those whose image is kept, showing what they showed before any decision.
    An image that cannot be read is verified by none.
    Raises InputError where images have no descriptors.
    """
    images = (
        rows.select(
            "image_id", pl.col("landmark_ids").list.first().alias("landmark"), "path", "kept_digest"
        )
        .drop_nulls("landmark")
        .collect(engine="streaming")
    )
    keyed = _keyed(images)
    known = _known(place).join(keyed, on=["image_id", "landmark_key"], how="semi")
    missing = keyed.join(known, on="image_id", how="anti").sort("landmark", "image_id")
    if len(missing):
        known = _counted(place, missing, known, watch)
    return known.select("image_id", "n_verified")


def _keyed(images: pl.DataFrame) -> pl.DataFrame:
    """`images` with landmark_key, one key for all images of a landmark."""
    lists = (
        images.sort("image_id")
        .group_by("landmark", maintain_order=True)
        .agg("image_id", "kept_digest")
    )
    keys = [
        digest_json([WAY, GLD_CLEAN.least_verified, MOST_TRIED, ids, digests])[:24]
        for ids, digests in lists.select("image_id", "kept_digest").iter_rows()
    ]
    named = lists.select("landmark", pl.Series("landmark_key", keys, pl.String))
    return images.join(named, on="landmark", how="left", maintain_order="left")


def _known(place: WorkFolder) -> pl.DataFrame:
    """What was counted before; a table that cannot be read is passed over."""
    try:
        return VerifiedImages.read(place.verified_path).table
    except InputError:
        return pl.DataFrame(schema=VERIFIED_SCHEMA)


def _counted(
    place: WorkFolder, missing: pl.DataFrame, known: pl.DataFrame, watch: Watch
) -> pl.DataFrame:
    """`known` with the rows of `missing`, whose landmarks are all whole; written now and then on the way."""
    vectors = descriptors_at_hand(place, set(missing["kept_digest"]))
    kept = [
        KeptImage(image_id, path, digest)
        for image_id, path, digest in missing.select("image_id", "path", "kept_digest").iter_rows()
    ]

    def pixels_of(row: int) -> Decoded:
        return checked_image(kept[row], place.images, enough_px=ENOUGH_PX)

    looks, tables, n_unwritten = Looks(pixels_of, None), [known], 0
    with watch.phase("verify", len(missing)) as advance:
        for landmark in missing.with_row_index("row").partition_by("landmark", maintain_order=True):
            counts = verified_counts(
                landmark["row"].to_numpy().astype(np.int64),
                _vectors(vectors, landmark["kept_digest"].to_list()),
                looks=looks,
                enough=GLD_CLEAN.least_verified,
            )
            told = landmark.with_columns(pl.Series("n_verified", counts, pl.Int32))
            tables.append(told.select(*VERIFIED_SCHEMA))
            n_unwritten += len(landmark)
            if n_unwritten >= max(IMAGES_A_PART, len(missing) // MOST_PARTS):
                VerifiedImages(pl.concat(tables)).write(place.verified_path)
                n_unwritten = 0
            advance(len(landmark))
    counted = VerifiedImages(pl.concat(tables))
    counted.write(place.verified_path)
    return counted.table


def _vectors(
    vectors: Mapping[str, npt.NDArray[np.float32]], digests: Sequence[str]
) -> npt.NDArray[np.float32]:
    return np.stack([vectors[digest] for digest in digests])
