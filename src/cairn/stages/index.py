"""Index: what was fitted and the gallery become a bundle, the folder that recognises anywhere."""

import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save

from cairn.algorithms.answering import FittedRecognizer
from cairn.base.files import disk_errors, link_or_copy, safe_name, write_bytes, write_json
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
    THUMBNAILS,
    BundleCard,
    record_files,
)
from cairn.indexes import write_index
from cairn.records.landmarks import Landmarks
from cairn.records.tables import write_table

# Small enough to be read by people: these go into CALIBRATION, everything else into HEAD.
READABLE = ("fusion.", "calibration.", "answer.")


@dataclass(frozen=True)
class BundleParts:
    """What goes into a bundle.

    gallery, distractors: GALLERY_SCHEMA; row i is row i of the recogniser's gallery, or of its distractors.
    landmarks: in the order of the recogniser's positions.
    thumbnails: (image_id, JPEG) of gallery images.
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
    write_bytes(folder / DISTRACTORS, _npy(parts.recognizer.gallery.none_vectors))
    write_table(parts.gallery, folder / GALLERY)
    write_table(parts.distractors, folder / DISTRACTOR_IMAGES)
    write_table(parts.out_of_fold, folder / OUT_OF_FOLD)
    parts.landmarks.write(folder / LANDMARKS)
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


def _link_thumbnails(old: Path, folder: Path, image_ids: Iterable[str]) -> None:
    for image_id in image_ids:
        name = f"{THUMBNAILS}/{safe_name(image_id)}.jpg"
        if (old / name).is_file():
            link_or_copy(old / name, folder / name)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
