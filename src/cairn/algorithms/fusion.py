"""Fitting a recogniser: fusion, calibration and threshold out of fold, then the rest on all images."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cairn.algorithms.answering import FittedRecognizer, best_first
from cairn.algorithms.calibration import (
    Calibration,
    Logistic,
    fit_calibration,
    fit_logistic,
    threshold_for_precision,
)
from cairn.algorithms.candidates import Candidates, Gallery, find_candidates
from cairn.algorithms.folds import KINDS, Fold, deal_folds
from cairn.algorithms.heads import Head, train_head
from cairn.algorithms.whitening import Whitening, fit_whitening
from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Kind = TypeVar("Kind", bound=np.generic)

NO_LANDMARK = -1
_N_FOLDS = 5
# Nobody can know how many unseen landmarks a recogniser will meet: for each known query so many, and
# more where there are few distractors, so that something always teaches it to refuse.
_UNSEEN_SHARE, _REFUSED_SHARE = 0.05, 0.2
# Where almost all answers are right, the precision would allow some that are likelier wrong.
_LEAST_THRESHOLD = 0.5


@dataclass(frozen=True)
class OutOfFold:
    """The answers to images that the asked recogniser was not fitted on.

    images: [R] rows of what was given to fit; kinds: [R] 0 known, 1 none, 2 unseen; folds: [R].
    weights: [R] how much each counts. landmarks [R, M] best first, scores, probabilities, is_right:
    [R, M], with fusion and calibration fitted on the other folds.
    is_refused: [R] whether the best probability is under the threshold of the whole.
    """

    images: Ints
    kinds: Ints
    folds: Ints
    weights: Doubles
    landmarks: Ints
    scores: Doubles
    probabilities: Doubles
    is_right: Bools
    is_refused: Bools


@dataclass(frozen=True)
class _Asked:
    """The questions of all folds: one row a query, before fusion."""

    images: Ints
    kinds: Ints
    folds: Ints
    weights: Doubles
    candidates: Candidates
    is_right: Bools


def fit_recognizer(
    vectors: Floats,
    truth: Ints,
    groups: Ints,
    *,
    may_ask: Bools | None = None,
    seed: int,
    precision: float = 0.95,
    whitening_power: float = 0.5,
) -> tuple[FittedRecognizer, OutOfFold]:
    """A recogniser fitted on all of train and val, and the out-of-fold answers behind its threshold.

    vectors: [N, D] descriptors; truth: [N, T] landmarks shown, main one first, padded with -1, all -1
    for a distractor; groups: [N], the same number for copies of one image.
    may_ask: [N] the images whose answers fusion, calibration and threshold may be fitted on, which what describes
        them must not have learnt from; all, if not given.
    precision: share of right answers that the threshold is chosen for, among known, none and unseen;
        the threshold is never under a probability of one half.
    whitening_power: as `fit_whitening` takes it.
    Raises InputError where there is nothing to tell apart.
    """
    _require_enough(vectors, truth, groups)
    rng = np.random.default_rng(seed)
    n_groups = len(np.unique(groups if may_ask is None else groups[may_ask]))
    n_folds = min(_N_FOLDS, n_groups)
    folds = deal_folds(truth, groups, n_folds=n_folds, rng=rng, may_ask=may_ask)
    if not folds:
        raise InputError(
            f"{len(vectors)} images in {n_groups} groups of copies leave nothing to fit on "
            "when some are held back; two groups that show a landmark at least were expected; add photos"
        )
    asked = _ask_all(vectors, truth, folds, rng, whitening_power=whitening_power)
    everything = np.ones(len(asked.images), np.bool_)
    scores, probabilities = _cross_fitted(asked)
    fusion = _fit_fusion(asked, everything)
    calibration = _fit_calibration(asked, scores, everything)
    out_of_fold, threshold = _answered(asked, scores, probabilities, precision=precision)
    everyone = np.arange(len(vectors))
    whitening, head, gallery = _fit_base(
        vectors, truth[:, 0], everyone, rng, whitening_power=whitening_power
    )
    fitted = FittedRecognizer(whitening, head, gallery, fusion, calibration, threshold)
    return fitted, out_of_fold


def _fit_base(
    vectors: Floats,
    landmarks: Ints,
    rows: Ints,
    rng: np.random.Generator,
    *,
    whitening_power: float,
) -> tuple[Whitening, Head, Gallery]:
    """What the images at `rows` teach; of their vectors only the whitened ones are held."""
    whitening = fit_whitening(vectors, rows=rows, power=whitening_power)
    white, landmarks = whitening.apply_to(vectors, rows), landmarks[rows]
    head = train_head(white, landmarks, rng=rng)
    is_none = landmarks < 0
    return whitening, head, Gallery(white[~is_none], landmarks[~is_none], white[is_none])


def _ask(
    vectors: Floats,
    landmarks: Ints,
    fold: Fold,
    rng: np.random.Generator,
    *,
    whitening_power: float,
) -> Candidates:
    """A fold's questions put to what its other images teach, which is forgotten then."""
    whitening, head, gallery = _fit_base(
        vectors, landmarks, fold.fitting, rng, whitening_power=whitening_power
    )
    return find_candidates(whitening.apply_to(vectors, fold.queries), gallery, head)


def _ask_all(
    vectors: Floats,
    truth: Ints,
    folds: list[Fold],
    rng: np.random.Generator,
    *,
    whitening_power: float,
) -> _Asked:
    """The questions of all folds with their answers."""
    found = [
        _ask(vectors, truth[:, 0], fold, rng, whitening_power=whitening_power) for fold in folds
    ]
    images = np.concatenate([fold.queries for fold in folds])
    kinds = np.concatenate([fold.kinds for fold in folds])
    width = max(candidates.landmarks.shape[1] for candidates in found)
    landmarks = np.concatenate([_padded(each.landmarks, width, NO_LANDMARK) for each in found])
    features = np.concatenate([_padded(each.features, width, 0) for each in found])
    shown = truth[images]
    is_right = (landmarks[:, :, None] == shown[:, None, :]).any(axis=2) & (landmarks >= 0)
    return _Asked(
        images=images,
        kinds=kinds,
        folds=np.concatenate([np.full(len(fold.queries), f) for f, fold in enumerate(folds)]),
        weights=_query_weights(
            kinds, n_known=int((truth[:, 0] >= 0).sum()), n_none=int((truth[:, 0] < 0).sum())
        ),
        candidates=Candidates(landmarks, features),
        is_right=is_right,
    )


def _query_weights(kinds: Ints, *, n_known: int, n_none: int) -> Doubles:
    """How much each question counts: the known as all `n_known` images, distractors as all `n_none`.

    The folds thin large kinds, so what was asked says nothing about how many there are.
    """
    n_asked = np.maximum(np.bincount(kinds, minlength=len(KINDS)), 1)
    n_unseen = n_known * max(_UNSEEN_SHARE, _REFUSED_SHARE - n_none / n_known)
    totals = np.asarray([n_known, n_none, n_unseen], np.float64)
    weights: Doubles = (totals / n_asked)[kinds]
    return weights


def _cross_fitted(asked: _Asked) -> tuple[Doubles, Doubles]:
    """Scores and probabilities [R, M] by the fusion and calibration of the other folds."""
    scores, probabilities = np.empty(asked.is_right.shape), np.empty(asked.is_right.shape)
    for fold in np.unique(asked.folds):
        mine = asked.folds == fold
        scores[mine] = _fit_fusion(asked, ~mine).scores(asked.candidates.features[mine])
    for fold in np.unique(asked.folds):
        mine = asked.folds == fold
        calibration = _fit_calibration(asked, scores, ~mine)
        probabilities[mine] = calibration.probabilities(scores[mine])
    return scores, probabilities


def _fit_fusion(asked: _Asked, chosen: Bools) -> Logistic:
    """The fusion of every query–candidate pair of the `chosen` [R] questions."""
    for rows in (chosen, np.ones_like(chosen)):
        is_pair = (asked.candidates.landmarks >= 0) & rows[:, None]
        is_right = asked.is_right[is_pair]
        # Few images may leave only right or only wrong answers in the chosen folds.
        if is_right.any() and not is_right.all():
            break
    weights = np.broadcast_to(asked.weights[:, None], is_pair.shape)[is_pair]
    return fit_logistic(asked.candidates.features[is_pair], is_right, weights)


def _fit_calibration(asked: _Asked, scores: Doubles, chosen: Bools) -> Calibration:
    """The calibration of the best candidate of each of the `chosen` [R] questions."""
    best = best_first(asked.candidates.landmarks, scores)[:, :1]
    best_scores = np.take_along_axis(scores, best, axis=1)[:, 0]
    is_right = np.take_along_axis(asked.is_right, best, axis=1)[:, 0]
    if is_right[chosen].all() or not is_right[chosen].any():
        chosen = np.ones_like(chosen)
    if is_right.all():
        # Nothing was ever answered wrong: the candidates behind the best are all there is to learn from.
        is_pair = asked.candidates.landmarks >= 0
        weights = np.broadcast_to(asked.weights[:, None], is_pair.shape)
        return fit_calibration(scores[is_pair], asked.is_right[is_pair], weights[is_pair])
    return fit_calibration(best_scores[chosen], is_right[chosen], asked.weights[chosen])


def _answered(
    asked: _Asked, scores: Doubles, probabilities: Doubles, *, precision: float
) -> tuple[OutOfFold, float]:
    """The table of out-of-fold answers, and the threshold they lead to."""
    order = best_first(asked.candidates.landmarks, scores)
    landmarks = np.take_along_axis(asked.candidates.landmarks, order, axis=1)
    scores = np.where(landmarks < 0, -np.inf, np.take_along_axis(scores, order, axis=1))
    probabilities = np.where(landmarks < 0, 0.0, np.take_along_axis(probabilities, order, axis=1))
    is_right = np.take_along_axis(asked.is_right, order, axis=1)
    lowest = threshold_for_precision(
        probabilities[:, 0], is_right[:, 0], asked.weights, precision=precision
    )
    threshold = max(lowest, _LEAST_THRESHOLD)
    table = OutOfFold(
        images=asked.images,
        kinds=asked.kinds,
        folds=asked.folds,
        weights=asked.weights,
        landmarks=landmarks,
        scores=scores,
        probabilities=probabilities,
        is_right=is_right,
        is_refused=probabilities[:, 0] < threshold,
    )
    return table, threshold


def _padded(values: npt.NDArray[Kind], width: int, filler: int) -> npt.NDArray[Kind]:
    """`values` [R, M, ...] with its second axis filled up to `width`."""
    missing = [(0, 0)] * values.ndim
    missing[1] = (0, width - values.shape[1])
    return np.pad(values, missing, constant_values=filler)


def _require_enough(vectors: Floats, truth: Ints, groups: Ints) -> None:
    require_vectors(vectors, what="descriptors")
    if truth.ndim != 2 or not len(vectors) == len(truth) == len(groups):
        raise InputError(
            f"{len(vectors)} descriptors came with truth of shape {truth.shape} and {len(groups)} "
            "groups; [N, T] and N were expected; give each image its landmarks and its group of copies"
        )
    shown = truth[:, 0] >= 0
    n_landmarks, n_distractors = len(np.unique(truth[shown, 0])), int((~shown).sum())
    pairs = np.unique(np.stack([truth[shown, 0], groups[shown]]), axis=1)
    n_groups = int(np.unique(pairs[0], return_counts=True)[1].max(initial=0))
    if n_landmarks + (n_distractors > 1) < 2 or n_groups < 2:
        raise InputError(
            f"the images show {n_landmarks} landmarks with at most {n_groups} photos "
            f"each (copies aside) and {n_distractors} show none; two landmarks (or one and two photos "
            "in _none) were expected, and one landmark with two photos at least; add photos"
        )
