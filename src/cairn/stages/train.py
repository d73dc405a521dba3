"""Train: descriptors of train and val become a fitted recogniser and its out-of-fold answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.answering import FittedRecognizer
from cairn.algorithms.folds import KNOWN, NONE, UNSEEN
from cairn.algorithms.fusion import OutOfFold, fit_recognizer
from cairn.algorithms.verifying import Matcher
from cairn.base.errors import InputError
from cairn.base.settings import TrainSettings
from cairn.records.descriptors import Descriptors

IntArray = npt.NDArray[np.int64]
KIND_NAMES = {KNOWN: "known", NONE: "none", UNSEEN: "unseen"}


@dataclass(frozen=True)
class Fitted:
    """What was fitted: `landmark_ids[i]` is the landmark that the recogniser calls `i`.

    out_of_fold: the answers to images that the asked recogniser was not fitted on, as
    `stages.evaluate` takes them.
    """

    recognizer: FittedRecognizer
    landmark_ids: tuple[str, ...]
    out_of_fold: pl.DataFrame


def train(
    descriptors: Descriptors,
    truth: pl.DataFrame,
    *,
    settings: TrainSettings,
    learnt: Collection[str] = frozenset(),
    match: Matcher | None = None,
) -> Fitted:
    """A recogniser fitted on all of `truth`, its fusion, calibration and threshold out of fold.

    truth: image_id, landmark_ids, group of the labelled images of train and val, in any order.
    learnt: images that the network behind the descriptors was trained on, which are in the gallery but are not asked
        about, since it knows them better than it will know any query.
    match: tells what pairs of images, by their rows in `truth`, have in common; None: nothing is verified.
    Raises InputError where there is nothing to tell apart.
    """
    landmark_ids = tuple(sorted(truth["landmark_ids"].explode().drop_nulls().unique()))
    _require_two_kinds(truth, landmark_ids)
    image_ids: list[str] = truth["image_id"].to_list()
    recognizer, out_of_fold = fit_recognizer(
        descriptors.take(image_ids).vectors,
        truth_positions(truth["landmark_ids"].to_list(), landmark_ids),
        np.unique(truth["group"].to_numpy(), return_inverse=True)[1].astype(np.int64),
        may_ask=~truth["image_id"].is_in(list(learnt)).to_numpy() if learnt else None,
        match=match,
        seed=settings.seed,
        precision=settings.precision,
        whitening_power=settings.whitening_power,
    )
    return Fitted(recognizer, landmark_ids, _table(out_of_fold, truth))


def truth_positions(truths: Sequence[Sequence[str]], landmark_ids: Sequence[str]) -> IntArray:
    """[N, T] positions in `landmark_ids` of the landmarks each image shows, padded with -1."""
    position = {landmark_id: i for i, landmark_id in enumerate(landmark_ids)}
    width = max((len(truth) for truth in truths), default=1)
    padded = np.full((len(truths), max(width, 1)), -1, dtype=np.int64)
    for row, truth in enumerate(truths):
        padded[row, : len(truth)] = [position[landmark_id] for landmark_id in truth]
    return padded


def _require_two_kinds(truth: pl.DataFrame, landmark_ids: Sequence[str]) -> None:
    n_distractors = int((truth["landmark_ids"].list.len() == 0).sum())
    if len(landmark_ids) + (n_distractors > 0) < 2:
        found = f"one landmark ({landmark_ids[0]})" if landmark_ids else "no landmark"
        raise InputError(
            f"train and val show {found} and {n_distractors} distractors; at least two landmarks, or one and "
            "photos that show none, were expected: there is nothing to tell apart; add folders of other "
            "landmarks, or photos without landmark in a folder _none, and import again"
        )


def _table(answers: OutOfFold, truth: pl.DataFrame) -> pl.DataFrame:
    asked = truth[answers.images]
    return pl.DataFrame(
        {
            "image_id": asked["image_id"],
            "group": asked["group"],
            "kind": [KIND_NAMES[kind] for kind in answers.kinds.tolist()],
            "score": answers.scores[:, 0],
            "probability": answers.probabilities[:, 0],
            "right": answers.is_right[:, 0],
            "answered": ~answers.is_refused,
        }
    )
