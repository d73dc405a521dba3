"""What a bundle knows, with more images or with fewer: changed without training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.answering import FittedRecognizer, add_images, remove_images
from cairn.base.checks import nearest_name
from cairn.base.errors import InputError
from cairn.records.gallery_images import GALLERY_SCHEMA
from cairn.records.landmarks import LANDMARK_SCHEMA, Landmarks
from cairn.records.points import ImagePoints

LANDMARK_PREFIX, IMAGE_PREFIX = "landmark:", "image:"
MOST_NAMED = 5


@dataclass(frozen=True)
class Known:
    """What a bundle knows: fitted arrays, and a row of what they are about for each of their rows.

    gallery, distractors: GALLERY_SCHEMA. points: of each row of the gallery, None where nothing is verified. landmarks: row i is the landmark that the arrays call i.
    """

    fitted: FittedRecognizer
    gallery: pl.DataFrame
    distractors: pl.DataFrame
    landmarks: Landmarks
    points: tuple[ImagePoints, ...] | None = None

    @property
    def images(self) -> pl.DataFrame:
        """The rows of gallery and distractors."""
        return pl.concat([self.gallery, self.distractors])

    @property
    def main_landmarks(self) -> set[str]:
        """The landmarks that may be answered."""
        return set(self.gallery["landmark_ids"].list.first())


@dataclass(frozen=True)
class Chosen:
    """What ids were taken for: `landmarks`, and images by id."""

    landmarks: tuple[str, ...]
    images: tuple[str, ...]


def with_images(
    known: Known,
    images: pl.DataFrame,
    vectors: npt.NDArray[np.float32],
    *,
    given: Landmarks | None,
    points: Sequence[ImagePoints] = (),
) -> Known:
    """`known` with more images, the distractors among them last among distractors.

    images: GALLERY_SCHEMA, landmark_ids empty for distractors; vectors: [N, D], their descriptors, not whitened.
    points: of each of `images`, where those of the gallery have points.
    given: names and places, which go before those that are known. New landmarks come after those that are known, so
    that every old one keeps its place.
    """
    landmarks = _with_landmarks(known.landmarks, images["landmark_ids"].explode(), given)
    place = {name: i for i, name in enumerate(landmarks.table["landmark_id"])}
    mains = [place[shown[0]] if len(shown) else -1 for shown in images["landmark_ids"]]
    is_none = images["landmark_ids"].list.len() == 0
    fitted = known.fitted
    if mains:
        fitted = add_images(fitted, vectors, np.array(mains, np.int64))
    rows = images.select(*GALLERY_SCHEMA)
    return Known(
        fitted,
        pl.concat([known.gallery, rows.filter(~is_none)]),
        pl.concat([known.distractors, rows.filter(is_none)]),
        landmarks,
        None if known.points is None else (*known.points, *_but(points, is_none)),
    )


def _but(points: Sequence[ImagePoints], is_left_out: pl.Series) -> list[ImagePoints]:
    return [one for one, left_out in zip(points, is_left_out, strict=True) if not left_out]


def _with_landmarks(
    before: Landmarks, shown: Iterable[str | None], given: Landmarks | None
) -> Landmarks:
    rows = {row["landmark_id"]: row for row in before.table.iter_rows(named=True)}
    new = sorted({name for name in shown if name is not None} - rows.keys())
    rows |= {name: {"landmark_id": name, "name": name.replace("_", " ")} for name in new}
    for row in given.table.iter_rows(named=True) if given else ():
        if row["landmark_id"] in rows:
            rows[row["landmark_id"]] = row
    return Landmarks(pl.DataFrame(list(rows.values()), schema=LANDMARK_SCHEMA))


def chosen(known: Known, ids: Sequence[str]) -> Chosen:
    """What `ids` name: a landmark, or an image; `landmark:ID` and `image:ID` where both are called so.

    Raises InputError that tells every id that names nothing, with the nearest that does, or that names both.
    """
    landmark_ids = set(known.gallery["landmark_ids"].explode().drop_nulls())
    image_ids = set(known.images["image_id"].drop_nulls())
    landmarks: list[str] = []
    images: list[str] = []
    wrong: list[str] = []
    for word in dict.fromkeys(ids):
        is_landmark, is_image = word in landmark_ids, word in image_ids
        if is_landmark and is_image:
            wrong.append(
                f"{word} is a landmark and an image: write {LANDMARK_PREFIX}{word} or {IMAGE_PREFIX}{word}"
            )
        elif is_landmark or word.removeprefix(LANDMARK_PREFIX) in landmark_ids:
            landmarks.append(word if is_landmark else word.removeprefix(LANDMARK_PREFIX))
        elif is_image or word.removeprefix(IMAGE_PREFIX) in image_ids:
            images.append(word if is_image else word.removeprefix(IMAGE_PREFIX))
        else:
            wrong.append(f"{word} is neither{nearest_name(word, landmark_ids | image_ids)}")
    if wrong:
        more = f"; and {len(wrong) - MOST_NAMED:,} more" if len(wrong) > MOST_NAMED else ""
        raise InputError(
            f"{'; '.join(wrong[:MOST_NAMED])}{more}; ids of landmarks or of images of the bundle were expected; nothing "
            "was changed: mend the ids (those of images stand in gallery.parquet and distractors.parquet)"
        )
    return Chosen(tuple(dict.fromkeys(landmarks)), tuple(dict.fromkeys(images)))


def without(known: Known, what: Chosen) -> Known:
    """`known` without what was chosen: the images, and of each landmark those whose main landmark it is.

    Images that show such a landmark beside another stay, and show it no longer. The landmark keeps its place among the
    landmarks, so that what was fitted of the others is untouched; without images it is never proposed.
    Raises InputError where no image would be left in the gallery.
    """
    main = known.gallery["landmark_ids"].list.first()
    is_named = known.gallery["image_id"].is_in(list(what.images))
    is_gone = is_named | main.is_in(list(what.landmarks))
    is_gone_none = known.distractors["image_id"].is_in(list(what.images)).fill_null(value=False)
    fitted = remove_images(known.fitted, is_gone.to_numpy())
    none_vectors = fitted.gallery.none_vectors[~is_gone_none.to_numpy()]
    still_shown = pl.element().filter(~pl.element().is_in(list(what.landmarks)))
    kept = known.gallery.filter(~is_gone).with_columns(
        pl.col("landmark_ids").list.eval(still_shown)
    )
    return replace(
        known,
        fitted=replace(fitted, gallery=replace(fitted.gallery, none_vectors=none_vectors)),
        gallery=kept,
        distractors=known.distractors.filter(~is_gone_none),
        points=None if known.points is None else tuple(_but(known.points, is_gone)),
    )
