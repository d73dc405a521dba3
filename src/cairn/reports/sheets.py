"""Sheets of photos for a report: which images to show, shrunk and inlined, with what stands under them."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl
from PIL import Image

from cairn.records.recognitions import Candidate, Recognition
from cairn.reports.contents import ReportContents

TILE_PX, PAIR_PX = 150, 230
N_SHEET_LANDMARKS, N_PER_LANDMARK, N_DISTRACTORS, N_MISTAKES, N_SUREST = 6, 8, 16, 12, 8


@dataclass(frozen=True)
class Photo:
    """One image as shown: `source` is a data address, or None where there is no thumbnail."""

    image_id: str
    source: str | None
    alt: str
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """Several photos under one heading."""

    title: str
    note: str
    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class Mistake:
    """A wrong best candidate: the query, the gallery photo it was mistaken for, the right landmark.

    `right` is None where no photo can be shown, and `right_because` says why.
    """

    query: Photo
    mistaken: Photo | None
    right: Photo | None
    right_because: str
    name: str
    right_name: str
    probability: float
    is_answered: bool


def credits_of(photos: Iterable[Photo], contents: ReportContents) -> list[tuple[str, str]]:
    """The image_id, and author and licence, of each photo shown that has them, in the catalog's order."""
    shown = sorted({photo.image_id for photo in photos})
    credited = contents.images.filter(pl.col("image_id").is_in(shown), pl.col("credit") != "")
    return credited.select("image_id", "credit").rows()


def _photo(
    contents: ReportContents, image_id: str, *, side_px: int, alt: str, caption: str = "", note: str = ""
) -> Photo:  # fmt: skip
    jpeg = contents.thumbnail(image_id)
    return Photo(
        image_id, data_address(jpeg, side_px=side_px) if jpeg else None, alt, caption, note
    )


def data_address(jpeg: bytes, *, side_px: int) -> str | None:
    """A `data:` address of the image at most `side_px` on its longest side, or None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            image.draft("RGB", (side_px, side_px))
            small = image.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return None
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=72, optimize=True, progressive=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def landmark_sheets(contents: ReportContents) -> list[Sheet]:
    """Some landmarks from the largest to the smallest, each with some of its images."""
    images = contents.images.drop_nulls(["landmark", "part"])
    by_size = images.group_by("landmark").len().sort("len", "landmark", descending=[True, False])
    rows = spread(len(by_size), N_SHEET_LANDMARKS)
    return [
        _sheet(
            contents,
            contents.name(landmark),
            images.filter(pl.col("landmark") == landmark),
            N_PER_LANDMARK,
        )
        for landmark in by_size["landmark"].gather(rows)
    ]


def distractor_sheets(contents: ReportContents) -> list[Sheet]:
    """One sheet of some of the images that show no landmark; none where there are no such images."""
    images = contents.images.drop_nulls("part").filter(pl.col("landmark_ids").list.len() == 0)
    return [_sheet(contents, "No landmark", images, N_DISTRACTORS)] if len(images) else []


def _sheet(contents: ReportContents, title: str, images: pl.DataFrame, n: int) -> Sheet:
    chosen = images[spread(len(images), n)]
    photos = [
        _photo(contents, image_id, side_px=TILE_PX, alt=f"{title} ({part})", note=part)
        for image_id, part in chosen.select("image_id", "part").iter_rows()
    ]
    counts = images.group_by("part").len().sort("part")
    in_parts = dict(counts.iter_rows())
    note = ", ".join(
        f"{in_parts[part]} {part}" for part in ("train", "val", "test") if part in in_parts
    )
    return Sheet(title, note, tuple(photos))


def spread(n: int, wanted: int) -> list[int]:
    """At most `wanted` of the rows 0 to n - 1, evenly, the first and the last among them."""
    if n <= wanted:
        return list(range(n))
    return [round(i * (n - 1) / (wanted - 1)) for i in range(wanted)]


def mistakes(contents: ReportContents) -> list[Mistake]:
    """The wrong best candidates of the highest probability, answered or not."""
    wrong = contents.best(right=False)[:N_MISTAKES]
    return [_mistake(contents, recognition, best) for recognition, best in wrong]


def _mistake(contents: ReportContents, recognition: Recognition, best: Candidate) -> Mistake:
    shown = contents.shown[recognition.image]
    right_name = " and ".join(contents.name(landmark) for landmark in shown)
    name = contents.name(best.landmark_id)
    found = Mistake(
        query=_photo(
            contents, recognition.image, side_px=PAIR_PX, alt=f"test image of {right_name or 'no landmark'}"
        ),
        mistaken=_gallery_photo(contents, best, alt=f"gallery image of {name}"),
        right=None, right_because="shows no landmark", name=name, right_name=right_name,
        probability=best.probability, is_answered=recognition.answer is not None,
    )  # fmt: skip
    held = [landmark for landmark in shown if landmark in contents.first_of_gallery]
    if not held:
        return (
            replace(found, right_because="unseen: the gallery holds no image of it")
            if shown
            else found
        )
    candidates = (candidate for candidate in recognition.landmarks if candidate.landmark_id in held)
    right = next(candidates, None) or Candidate(held[0], contents.name(held[0]), 0.0, 0.0)
    alt = f"gallery image of {contents.name(right.landmark_id)}"
    return replace(found, right=_gallery_photo(contents, right, alt=alt))


def _gallery_photo(contents: ReportContents, candidate: Candidate, *, alt: str) -> Photo | None:
    """The first evidence of a candidate, else the first gallery image of its landmark."""
    first = contents.first_of_gallery.get(candidate.landmark_id)
    image_id = candidate.evidence[0].image_id if candidate.evidence else first
    return _photo(contents, image_id, side_px=PAIR_PX, alt=alt) if image_id else None


def surest_right(contents: ReportContents) -> list[Photo]:
    """The right answers of the highest probability, one a landmark."""
    of_landmark: dict[str, tuple[Recognition, Candidate]] = {}
    for recognition, best in contents.best(right=True):
        if recognition.answer is not None:
            of_landmark.setdefault(best.landmark_id, (recognition, best))
    return _answers(contents, list(of_landmark.values())[:N_SUREST], lead="")


def refused_distractors(contents: ReportContents) -> list[Photo]:
    """The distractors that were rightly refused, the closest calls first."""
    refused = [
        (recognition, best)
        for recognition, best in contents.best(right=False)
        if recognition.answer is None and not contents.shown[recognition.image]
    ]
    return _answers(contents, refused[:N_SUREST], lead="not ")


def _answers(
    contents: ReportContents, answers: Sequence[tuple[Recognition, Candidate]], *, lead: str
) -> list[Photo]:
    return [
        _photo(
            contents, recognition.image, side_px=TILE_PX, alt=f"test image: {lead}{contents.name(best.landmark_id)}",
            caption=f"{lead}{contents.name(best.landmark_id)}", note=f"{best.probability:.3f}",
        )
        for recognition, best in answers
    ]  # fmt: skip
