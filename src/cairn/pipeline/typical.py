"""The photos by which a reviewer knows a landmark: those most like all others of it, looked for when asked."""

import bisect
import threading
from collections.abc import Callable

import numpy as np
import polars as pl

from cairn.algorithms.typical import nearest_to_mean
from cairn.pipeline.described import DescribedWay

N_TYPICAL = 8
# Of a landmark with more images the first of these by id, so that the largest takes no longer than others.
MOST_LOOKED_AT = 100


class TypicalPhotos:
    """Photos of each landmark, nearest to the mean of its descriptors first; several threads may ask at once.

    Of a landmark only images without a finding are shown, where it has any. Where there are no descriptors, those
    with the first ids are.
    """

    def __init__(
        self, images: pl.DataFrame, clear: pl.DataFrame, *, way: Callable[[], DescribedWay | None]
    ) -> None:
        """images: image_id, kept_digest and landmark_ids, of which the first counts, by image_id. clear: the image_id of those without a finding.

        way: the descriptors, asked for once, when the first landmark is.
        """
        self._pools = _pools(images, clear)
        self._open_way = way
        self._way: tuple[DescribedWay | None] | None = None
        self._known: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def of(self, landmark_id: str) -> list[str]:
        """At most N_TYPICAL image_ids, the most typical first; none where no image shows the landmark."""
        known = self._known.get(landmark_id)
        if known is None:
            known = self._known[landmark_id] = self._look(landmark_id)
        return known

    def _look(self, landmark_id: str) -> list[str]:
        place = bisect.bisect_left(self._pools["landmark_id"], landmark_id)
        if place == len(self._pools) or self._pools["landmark_id"][place] != landmark_id:
            return []
        _, image_ids, digests = self._pools.row(place)
        way = self._opened_way()
        found = {} if way is None else way.found([digest for digest in digests if digest])
        described = [
            (image_id, found[digest])
            for image_id, digest in zip(image_ids, digests, strict=True)
            if digest in found and np.isfinite(found[digest]).all()
        ]
        if not described:
            return list(image_ids[:N_TYPICAL])
        order = nearest_to_mean(np.stack([vector for _, vector in described]))
        nearest = [described[place][0] for place in order]
        return list(dict.fromkeys([*nearest, *image_ids]))[:N_TYPICAL]

    def _opened_way(self) -> DescribedWay | None:
        with self._lock:
            if self._way is None:
                self._way = (self._open_way(),)
            return self._way[0]


def _pools(images: pl.DataFrame, clear: pl.DataFrame) -> pl.DataFrame:
    """A row for each landmark, by its id: the images to choose from, in their order, and their digests."""
    main = pl.col("landmark_ids").list.first().alias("landmark_id")
    shown = images.select("image_id", "kept_digest", main).drop_nulls("landmark_id")
    is_clear = pl.col("image_id").is_in(clear["image_id"].implode())
    has_clear = pl.col("is_clear").any().over("landmark_id")
    return (
        shown.with_columns(is_clear.alias("is_clear"))
        .filter(pl.col("is_clear") | ~has_clear)
        .group_by("landmark_id", maintain_order=True)
        .agg(pl.col("image_id", "kept_digest").head(MOST_LOOKED_AT))
        .sort("landmark_id")
    )
