"""Index: what was fitted and the gallery become a bundle, the folder that recognises anywhere."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from safetensors.numpy import save

from cairn.algorithms.answering import FittedRecognizer
from cairn.algorithms.candidates import Gallery
from cairn.algorithms.typical import spread_over
from cairn.base.files import (
    disk_errors,
    link_or_copy,
    safe_name,
    write_bytes,
    write_json,
    write_npy,
)
from cairn.base.settings import TrainSettings
from cairn.bundles import (
    CALIBRATION,
    DISTRACTOR_IMAGES,
    DISTRACTORS,
    GALLERY,
    HEAD,
    INDEX,
    LANDMARKS,
    NETWORK,
    OUT_OF_FOLD,
    POINTS,
    THUMBNAILS,
    BundleCard,
    record_files,
)
from cairn.indexes import write_index
from cairn.records.landmarks import Landmarks
from cairn.records.points import ImagePoints, write_points
from cairn.records.tables import write_table

# Small enough to be read by people: these go into CALIBRATION, everything else into HEAD.
READABLE = ("fusion.", "calibration.", "answer.", "verification.")


class PointsByRow(Protocol):
    """The points of images, asked for one by one."""

    def __len__(self) -> int: ...

    def of(self, row: int) -> ImagePoints:
        """The points of one image."""
        ...


@dataclass(frozen=True)
class BundleParts:
    """What goes into a bundle.

    gallery, distractors: GALLERY_SCHEMA; row i is row i of the recogniser's gallery, or of its distractors.
    landmarks: in the order of the recogniser's positions.
    thumbnails: (image_id, JPEG) of gallery images.
    points: of the gallery's images by their row; None where candidates are not verified.
    changed_from: the bundle that this one is a change of: the same network and old thumbnails are linked.
    """

    recognizer: FittedRecognizer
    gallery: pl.DataFrame
    distractors: pl.DataFrame
    landmarks: Landmarks
    out_of_fold: pl.DataFrame
    network: Path
    thumbnails: Iterable[tuple[str, bytes]]
    changed_from: Path | None = None
    points: PointsByRow | None = None


def write_bundle(folder: Path, parts: BundleParts, *, card: BundleCard) -> None:
    """`folder`, which exists and is empty, holds the bundle; `card` is completed by the files' digests."""
    arrays = parts.recognizer.arrays()
    readable = {name: array.tolist() for name, array in arrays.items() if name.startswith(READABLE)}
    heavy = {
        name: np.ascontiguousarray(array) for name, array in arrays.items() if name not in readable
    }
    write_bytes(folder / HEAD, save(heavy))
    write_json(folder / CALIBRATION, json.loads(json.dumps(readable)))
    write_index(parts.recognizer.gallery.vectors, folder / INDEX)
    write_npy(folder / DISTRACTORS, parts.recognizer.gallery.none_vectors)
    write_table(parts.gallery, folder / GALLERY)
    write_table(parts.distractors, folder / DISTRACTOR_IMAGES)
    write_table(parts.out_of_fold, folder / OUT_OF_FOLD)
    parts.landmarks.write(folder / LANDMARKS)
    if parts.points is not None:
        _write_points(folder / POINTS, parts.points, parts.recognizer.gallery, card.train)
    if parts.changed_from is not None:
        link_or_copy(parts.network, folder / NETWORK)
        _link_thumbnails(parts.changed_from, folder, parts.gallery["image_id"])
    else:
        # A copy: a file that others may still write to must not be the bundle's too.
        with disk_errors(folder / NETWORK):
            shutil.copyfile(parts.network, folder / NETWORK)
    for image_id, jpeg in parts.thumbnails:
        write_bytes(folder / THUMBNAILS / f"{safe_name(image_id)}.jpg", jpeg)
    card.model_copy(update={"files": record_files(folder)}).write(folder)


def _write_points(
    folder: Path, points: PointsByRow, gallery: Gallery, settings: TrainSettings
) -> None:
    is_kept = spread_over(gallery.vectors, gallery.landmarks, most=settings.points_a_landmark)
    rows = range(len(points))
    none = ImagePoints.none()

    def images() -> Iterator[ImagePoints]:
        return (points.of(row) if is_kept[row] else none for row in rows)

    counts = np.fromiter((len(image.places) for image in images()), np.int64, len(rows))
    write_points(folder, counts, images())


def _link_thumbnails(old: Path, folder: Path, image_ids: Iterable[str]) -> None:
    for image_id in image_ids:
        name = f"{THUMBNAILS}/{safe_name(image_id)}.jpg"
        if (old / name).is_file():
            link_or_copy(old / name, folder / name)
