"""What was fitted, as the files of `training/<name>/`: written whole, and read back with the descriptors."""

from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save

from cairn.algorithms.answering import FittedRecognizer
from cairn.algorithms.candidates import Gallery
from cairn.base.errors import InputError
from cairn.base.files import Card, FileRecord, write_bytes
from cairn.base.settings import DescribeSettings, TrainSettings
from cairn.pipeline.whole_folders import whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.descriptors import Descriptors
from cairn.records.tables import read_table, write_table
from cairn.stages.train import Fitted

ARRAYS, OUT_OF_FOLD, CARD = "fitted.safetensors", "out_of_fold.parquet", "card.json"


def write_fitted(fitted: Fitted, folder: Path, made: Card) -> None:
    """`folder` holds what was fitted, without the gallery, and its card: `made`, completed by the files."""
    arrays = fitted.recognizer.arrays()
    with whole_folder(folder) as fresh:
        write_bytes(
            fresh / ARRAYS,
            save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
        )
        write_table(fitted.out_of_fold, fresh / OUT_OF_FOLD)
        outputs = {file: FileRecord.of(fresh / file) for file in (ARRAYS, OUT_OF_FOLD)}
        made.model_copy(update={"outputs": outputs}).write(fresh / CARD)


def read_fitted(folder: Path, descriptors: Descriptors, truth: pl.DataFrame) -> Fitted:
    """What was fitted and lies in `folder`, with the gallery made again from the descriptors."""
    arrays = load_file(folder / ARRAYS)
    landmark_ids = tuple(sorted(truth["landmark_ids"].explode().drop_nulls().unique()))
    bare = FittedRecognizer.from_arrays(arrays, _no_gallery())
    position = {landmark_id: i for i, landmark_id in enumerate(landmark_ids)}
    mains = np.array([position[shown[0]] if len(shown) else -1 for shown in truth["landmark_ids"]])
    white = bare.whitening.apply(descriptors.take(truth["image_id"].to_list()).vectors)
    gallery = Gallery(white[mains >= 0], mains[mains >= 0].astype(np.int64), white[mains < 0])
    out_of_fold = read_table(
        folder / OUT_OF_FOLD, what="out-of-fold answers", made_by="cairn train WORK"
    )
    return Fitted(FittedRecognizer.from_arrays(arrays, gallery), landmark_ids, out_of_fold)


def training_settings(work: WorkFolder, name: str) -> tuple[DescribeSettings, TrainSettings]:
    """The settings that `cairn train` was last run with.

    Raises InputError where it never ran to its end under this name.
    """
    card = Card.read(work.training(name) / CARD)
    if card is None:
        raise InputError(
            f"nothing was trained under the name {name} in {work.root}; what cairn train leaves was "
            f"expected; run: cairn train {work.root} --name {name}"
        )
    return (
        DescribeSettings.model_validate(card.settings["describe"]),
        TrainSettings.model_validate(card.settings["train"]),
    )


def _no_gallery() -> Gallery:
    nothing = np.zeros((0, 1), dtype=np.float32)
    return Gallery(nothing, np.zeros(0, dtype=np.int64), nothing)
