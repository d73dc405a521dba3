"""Scrub: descriptors, pixels and matched points of all images become findings, one row for each doubt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.inverted_lists import (
    EXACT_UP_TO,
    Index,
    neighbors_among,
    open_index,
    recall_among,
)
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.whitening import fit_whitening
from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.settings import ScrubSettings
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.pixels import Decoded
from cairn.models.embedder import Embedder
from cairn.records.catalog import Catalog
from cairn.records.descriptors import Descriptors
from cairn.records.findings import BLANK, DARK, Findings
from cairn.records.image_checks import ImageChecks
from cairn.records.split import Split
from cairn.stages.scrub.copies import CopyImages, CopyPair, find_copies
from cairn.stages.scrub.copy_findings import CopyTold, copy_findings, duplicate_findings
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.pixels import pixel_findings
from cairn.stages.scrub.several import several_findings
from cairn.stages.scrub.support import support_findings

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Another number for each change in the code that finds other things in the same images.
SCRUB_WAY = 4
# Descriptors of a thousand numbers say little more than these, and a million of them fit in memory.
N_DIRECTIONS = 512


@dataclass(frozen=True)
class ScrubGiven:
    """What scrub looks at: the images in use of `catalog`, a row of `checks` and of `descriptors` for each, in its order.

    split: None where nothing was dealt yet. names: of landmarks.
    """

    catalog: Catalog
    checks: ImageChecks
    descriptors: Descriptors
    split: Split | None
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        ids = self.catalog.images["image_id"].to_list()
        others = (self.checks.table["image_id"].to_list(), list(self.descriptors.image_ids))
        if any(other != ids for other in others):
            raise InputError(
                f"scrub was given {len(ids):,} images with checks of {len(others[0]):,} and descriptors of "
                f"{len(others[1]):,}; one each in the same order was expected; make them from one catalog"
            )


def scrub(
    given: ScrubGiven,
    *,
    pixels_of: Callable[[int], Decoded],
    embedder: Embedder | None,
    settings: ScrubSettings,
    engine: Engine,
    watch: Watch,
) -> Findings:
    """What is doubtful about the images, every kind of it; docs/scrub.md tells how each is found.

    pixels_of: the image of a row; an InputError of it means that it cannot be looked at. embedder: that which made
    the descriptors; without it no parts of images are described, so that several landmarks are not found.
    """
    images, checks = given.catalog.images, given.checks.table
    if images.is_empty():
        return Findings.of([])
    whitening = fit_whitening(given.descriptors.vectors, n_dims=N_DIRECTIONS)
    vectors = whitening.apply(given.descriptors.vectors)
    index = open_index(vectors, settings.n_neighbors, seed=settings.seed)
    neighbors = _neighbors(vectors, index, settings, watch)
    looks = Looks(pixels_of, embedder, to_vectors=whitening.apply)
    pairs = find_copies(
        _copy_images(images, checks, neighbors), pixels_of=looks.pixels, engine=engine, watch=watch
    )
    told = _told(given)
    bad = pixel_findings(checks, settings=settings)
    # A black photo is like every other one, and says nothing of what it is said to show.
    empty = {row["image_id"] for row in bad if row["kind"] in (DARK, BLANK) and row["is_sure"]}
    n_candidates = settings.n_candidates(len(images))
    known = KnownImages(
        image_ids=tuple(told.image_ids),
        truths=tuple(
            None if image_id in empty else truth
            for image_id, truth in zip(told.image_ids, told.truths, strict=True)
        ),
        vectors=vectors,
        neighbors=neighbors,
        copies=_sure(pairs),
        names=given.names,
    )
    rows = duplicate_findings(given.catalog.table, told) + copy_findings(pairs, told)
    rows += bad
    rows += support_findings(
        known,
        looks=looks,
        engine=engine,
        max_candidates=n_candidates,
        seed=settings.seed,
        watch=watch,
    )
    if embedder is not None:
        rows += several_findings(
            known,
            looks=looks,
            search=lambda asked, n: index.search(asked, n_neighbors=n),
            seams_clear=checks["seam_clear"].to_numpy(),
            max_candidates=n_candidates,
            seed=settings.seed,
            engine=engine,
            watch=watch,
        )
    return Findings.of(rows)


def _neighbors(vectors: Floats, index: Index, settings: ScrubSettings, watch: Watch) -> Neighbors:
    with watch.phase("find neighbours", len(vectors)) as advance:
        found = neighbors_among(vectors, settings.n_neighbors, index=index, advance=advance)
    if len(vectors) > EXACT_UP_TO:
        recall = recall_among(found, vectors, seed=settings.seed)
        watch.note(
            f"neighbours of {counted(len(vectors), 'image')} by inverted lists: {recall:.1%} of the true ones found"
        )
    return found


def _copy_images(images: pl.DataFrame, checks: pl.DataFrame, neighbors: Neighbors) -> CopyImages:
    return CopyImages(
        sizes_px=_sizes(images),
        pixels_digests=checks["pixels_digest"].to_list(),
        codes=_codes(images["likeness"]),
        mirrored_codes=_codes(checks["mirrored_likeness"]),
        reliefs_grey=checks["relief_grey"].to_numpy(),
        neighbors=neighbors,
    )


def _sizes(images: pl.DataFrame) -> Ints:
    size = images["width_px"].cast(pl.Int64) * images["height_px"].cast(pl.Int64)
    return size.fill_null(0).to_numpy()


def _codes(likeness: pl.Series) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(likeness), dtype=np.uint8).reshape(len(likeness), -1)


def _told(given: ScrubGiven) -> CopyTold:
    images = given.catalog.images
    ids: list[str] = images["image_id"].to_list()
    truths = [None if shown is None else tuple(shown) for shown in images["landmark_ids"].to_list()]
    parts: list[str | None] = []
    if given.split is not None:
        # An image that is excluded now returns to the part it was in.
        part = pl.coalesce("part", "part_before")
        dealt = dict(given.split.table.select("image_id", part).iter_rows())
        parts = [dealt.get(image_id) for image_id in ids]
    return CopyTold(ids, truths, parts, given.names, _sizes(images).tolist())


def _sure(pairs: list[CopyPair]) -> Ints:
    sure = [(pair.stays, pair.goes) for pair in pairs if pair.found.is_sure]
    return np.array(sure, np.int64).reshape(-1, 2)
