"""Add and remove over a bundle: it is changed as a whole, while others go on reading the old one."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import disk_errors
from cairn.base.settings import ImportSettings
from cairn.base.watching import Silent, Watch
from cairn.bundles import (
    DISTRACTOR_IMAGES,
    NETWORK,
    OUT_OF_FOLD,
    BundleCard,
    GalleryChange,
    open_bundle,
)
from cairn.engines.local import LocalEngine
from cairn.images.store import FolderStore, thumbnail
from cairn.pipeline.importing import Lists
from cairn.pipeline.new_photos import NewPhotos, read_new_photos
from cairn.pipeline.pointing import points_of_image
from cairn.pipeline.whole_folders import held_bundle, put_back, whole_folder
from cairn.recognizer import Recognizer
from cairn.records.gallery_images import nameless, read_gallery_images
from cairn.records.points import ImagePoints, ListedPoints
from cairn.records.tables import read_table
from cairn.stages.change_gallery import Chosen, Known, chosen, with_images, without
from cairn.stages.describe import KeptImage, describe
from cairn.stages.evaluate import OUT_OF_FOLD_SCHEMA
from cairn.stages.index import BundleParts, write_bundle
from cairn.stages.listing import read_landmarks
from cairn.version import __version__


@dataclass(frozen=True)
class Changed:
    """A bundle that was changed, and the numbers of images, landmarks and distractors that it has now.

    change: what was done; None where nothing was left to do, and nothing was written.
    """

    bundle: Path
    change: GalleryChange | None
    n_images: int
    n_landmarks: int
    n_distractors: int


@dataclass(frozen=True)
class Added(Changed):
    """What add left, and what became of each file of the folder."""

    photos: NewPhotos


@dataclass(frozen=True)
class Removed(Changed):
    """What remove left; `chosen` is what the ids were taken for."""

    chosen: Chosen


def add(
    bundle: str | Path,
    folder: str | Path,
    *,
    landmarks: str | Path | None = None,
    notes: str | Path | None = None,
    settings: ImportSettings | None = None,
    watch: Watch | None = None,
) -> Added:
    """The bundle with the photos of `folder`, which holds a folder for each landmark; see docs/add.md.

    settings: how photos are read; `max_side_px` is the bundle's own, whatever they say.
    Raises InputError where the folder is not laid out by landmarks or no photo of it can be kept, BundleError where the
    bundle is not whole, DiskError where the disk is full; the bundle is then as before.
    """
    place, shown = Path(bundle), watch or Silent()
    lists = Lists(Path(folder), *(Path(csv) if csv else None for csv in (landmarks, notes)))
    _require_apart(place, lists.folder)
    given = read_landmarks(lists.landmarks) if lists.landmarks else None
    with _opened(place) as (recognizer, known), _photos(place) as store:
        way = (settings or ImportSettings()).model_copy(
            update={"max_side_px": recognizer.bundle.card.max_side_px}
        )
        read = read_new_photos(lists, known, settings=way, store=store, watch=shown)
        vectors = _described(read.images, recognizer, store, shown)
        points = [] if known.points is None else _points(read.images, store, shown)
        now = with_images(known, read.images, vectors, given=given, points=points)
        if not len(read.images) and now.landmarks.table.equals(known.landmarks.table):
            return Added(place, None, *_numbers(now), read)
        change = _change("add", known, now)
        made = ((image_id, thumbnail(store, path)) for image_id, path in _of_gallery(read.images))
        _write(
            place, recognizer.bundle.card, now, change, _out_of_fold(place, known, now), made, shown
        )
    return Added(place, change, *_numbers(now), read)


def remove(bundle: str | Path, ids: Sequence[str], *, watch: Watch | None = None) -> Removed:
    """The bundle without the landmarks or images that `ids` name; see docs/add.md.

    Raises InputError where an id is unknown or names both, or no image would be left, BundleError where the bundle is not
    whole, DiskError where the disk is full; the bundle is then as before.
    """
    place = Path(bundle)
    with _opened(place) as (recognizer, known):
        what = chosen(known, ids)
        if not ids:
            return Removed(place, None, *_numbers(known), what)
        now = without(known, what)
        change = _change("remove", known, now)
        left = _out_of_fold(place, known, now)
        _write(place, recognizer.bundle.card, now, change, left, iter(()), watch or Silent())
    return Removed(place, change, *_numbers(now), what)


def _require_apart(bundle: Path, folder: Path) -> None:
    inner, outer = bundle.resolve(), folder.resolve()
    if inner == outer or outer in inner.parents:
        raise InputError(
            f"the bundle {bundle} lies in the folder of photos {folder}; Cairn would take its files for photos; name a "
            "folder that holds the new photos alone"
        )


@contextmanager
def _opened(place: Path) -> Iterator[tuple[Recognizer, Known]]:
    """The bundle and what it knows, held so that no other Cairn changes it meanwhile."""
    if not place.is_dir() and not place.with_name(f".{place.name}.old").is_dir():
        open_bundle(place)
    with held_bundle(place):
        put_back(place)
        # What a killed add left.
        shutil.rmtree(_photos_folder(place), ignore_errors=True)
        recognizer = Recognizer.load(place)
        n_none = len(recognizer.fitted.gallery.none_vectors)
        path = place / DISTRACTOR_IMAGES
        distractors = read_gallery_images(path) if path.is_file() else nameless(n_none)
        # A table that an older Cairn left behind says nothing of these distractors.
        if len(distractors) != n_none:
            distractors = nameless(n_none)
        yield (
            recognizer,
            Known(
                recognizer.fitted,
                recognizer.gallery,
                distractors,
                recognizer.landmarks,
                _points_kept(recognizer),
            ),
        )


def _photos_folder(place: Path) -> Path:
    return place.with_name(f".{place.name}.photos")


@contextmanager
def _photos(place: Path) -> Iterator[FolderStore]:
    """Where photos lie while they are described: beside the bundle, gone afterwards."""
    folder = _photos_folder(place)
    try:
        with disk_errors(folder):
            folder.mkdir()
        yield FolderStore(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _described(
    images: pl.DataFrame, recognizer: Recognizer, store: FolderStore, watch: Watch
) -> npt.NDArray[np.float32]:
    kept = [KeptImage(*row) for row in images.select("image_id", "path", "kept_digest").iter_rows()]
    with watch.phase("describe", len(kept)) as advance:
        return describe(
            kept, store=store, embedder=recognizer.embedder, engine=LocalEngine(), advance=advance
        )


def _points(images: pl.DataFrame, store: FolderStore, watch: Watch) -> list[ImagePoints]:
    kept = [KeptImage(*row) for row in images.select("image_id", "path", "kept_digest").iter_rows()]
    with watch.phase("find points", len(kept)) as advance:
        found = []
        for one in LocalEngine().map(lambda image: points_of_image(image, store), kept):
            found.append(one)
            advance(1)
    return found


def _points_kept(recognizer: Recognizer) -> tuple[ImagePoints, ...] | None:
    table = recognizer.points
    return None if table is None else tuple(table.of(row) for row in range(len(table)))


def _of_gallery(images: pl.DataFrame) -> Iterator[tuple[str, str]]:
    shown = images.filter(pl.col("landmark_ids").list.len() > 0)
    return shown.select("image_id", "path").iter_rows()


def _numbers(known: Known) -> tuple[int, int, int]:
    """The numbers of images, landmarks and distractors."""
    return len(known.gallery), len(known.main_landmarks), len(known.distractors)


def _change(did: Literal["add", "remove"], before: Known, now: Known) -> GalleryChange:
    return GalleryChange(
        did=did, at=datetime.now(UTC).isoformat(timespec="seconds"), cairn=__version__,
        n_images=abs(len(now.gallery) - len(before.gallery)),
        n_distractors=abs(len(now.distractors) - len(before.distractors)),
        landmarks=tuple(sorted(now.main_landmarks ^ before.main_landmarks)),
    )  # fmt: skip


def _write(
    place: Path, card: BundleCard, now: Known, change: GalleryChange, out_of_fold: pl.DataFrame,
    made: Iterator[tuple[str, bytes]], watch: Watch,
) -> None:  # fmt: skip
    """The bundle at `place` knows what `now` knows, or is as before."""
    n_images, n_landmarks, n_distractors = _numbers(now)
    changed = card.model_copy(
        update={
            "n_images": n_images, "n_landmarks": n_landmarks, "n_distractors": n_distractors,
            # They are of the bundle as it was.
            "scores": {}, "changes": (*card.changes, change),
        }
    )  # fmt: skip
    with watch.phase("write", 1) as advance, whole_folder(place) as fresh:
        parts = BundleParts(
            recognizer=now.fitted, gallery=now.gallery, distractors=now.distractors,
            landmarks=now.landmarks, out_of_fold=out_of_fold, network=place / NETWORK,
            thumbnails=made, changed_from=place,
            points=None if now.points is None else ListedPoints(now.points),
        )  # fmt: skip
        write_bundle(fresh, parts, card=changed)
        advance(1)


def _out_of_fold(place: Path, before: Known, now: Known) -> pl.DataFrame:
    """The answers out of fold of the images that stay."""
    path = place / OUT_OF_FOLD
    if not path.is_file():
        return pl.DataFrame(schema=OUT_OF_FOLD_SCHEMA)
    answers = read_table(path, what="out-of-fold answers", made_by="cairn index WORK")
    gone = before.images.join(now.images, on="image_id", how="anti")["image_id"].drop_nulls()
    return answers.filter(~pl.col("image_id").is_in(gone.implode()))
