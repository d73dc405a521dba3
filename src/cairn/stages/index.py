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
from cairn.base.files import disk_errors, safe_name, write_bytes, write_json
from cairn.bundles import (
    CALIBRATION,
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

    gallery: image_id, landmark_ids, licence, author; row i is row i of the recogniser's gallery.
    landmarks: in the order of the recogniser's positions.
    thumbnails: (image_id, JPEG) of gallery images.
    """

    recognizer: FittedRecognizer
    gallery: pl.DataFrame
    landmarks: Landmarks
    out_of_fold: pl.DataFrame
    network: Path
    thumbnails: Iterable[tuple[str, bytes]]


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
    write_table(parts.out_of_fold, folder / OUT_OF_FOLD)
    parts.landmarks.write(folder / LANDMARKS)
    with disk_errors(folder / NETWORK):
        shutil.copyfile(parts.network, folder / NETWORK)
    for image_id, jpeg in parts.thumbnails:
        write_bytes(folder / THUMBNAILS / f"{safe_name(image_id)}.jpg", jpeg)
    card.model_copy(update={"files": record_files(folder)}).write(folder)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
