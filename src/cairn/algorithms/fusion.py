"""Fitting a recogniser: fusion, calibration and threshold out of fold, then the rest on all images."""

from dataclasses import dataclass, replace

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
from cairn.algorithms.candidates import Candidates
from cairn.algorithms.folds import deal_folds
from cairn.algorithms.questions import Asked, ask_all, fit_base
from cairn.algorithms.verifying import N_LANDMARKS, N_PHOTOS, Matcher, is_unsure, verify, with_proof
from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_N_FOLDS = 5
# So many questions at most, and of those that are verified too: what is fitted on the answers has few numbers.
_MOST_ASKED, _MOST_VERIFIED = 20_000, 6_000
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


def fit_recognizer(
    vectors: Floats,
    truth: Ints,
    groups: Ints,
    *,
    may_ask: Bools | None = None,
    match: Matcher | None = None,
    seed: int,
    precision: float = 0.95,
    whitening_power: float = 0.5,
) -> tuple[FittedRecognizer, OutOfFold]:
    """A recogniser fitted on all of train and val, and the out-of-fold answers behind its threshold.

    vectors: [N, D] descriptors; truth: [N, T] landmarks shown, main one first, padded with -1, all -1
    for a distractor; groups: [N], the same number for copies of one image.
    may_ask: [N] the images whose answers fusion, calibration and threshold may be fitted on, which what describes
        them must not have learnt from; all, if not given.
    match: tells what pairs [P, 2] of the N images have in common point by point; without it the recogniser verifies
        nothing.
    precision: share of right answers that the threshold is chosen for, among known, none and unseen;
        the threshold is never under a probability of one half.
    whitening_power: as `fit_whitening` takes it.
    Raises InputError where there is nothing to tell apart.
    """
    _require_enough(vectors, truth, groups)
    rng = np.random.default_rng(seed)
    n_groups = len(np.unique(groups if may_ask is None else groups[may_ask]))
    n_folds = min(_N_FOLDS, n_groups)
    folds = deal_folds(
        truth, groups, n_folds=n_folds, rng=rng, may_ask=may_ask,
        most=_MOST_VERIFIED if match else _MOST_ASKED,
    )  # fmt: skip
    if not folds:
        raise InputError(
            f"{len(vectors)} images in {n_groups} groups of copies leave nothing to fit on "
            "when some are held back; two groups that show a landmark at least were expected; add photos"
        )
    asked = ask_all(
        vectors, truth, folds, rng,
        whitening_power=whitening_power, n_evidence=N_PHOTOS if match else 0,
    )  # fmt: skip
    everything = np.ones(len(asked.images), np.bool_)
    fusion = _fit_fusion(asked, everything)
    scores, verification = _cross_scored(asked), None
    if match is not None:
        proven, is_tried = _verified(asked, scores, match)
        # Those that are taken as they are teach nothing about the others.
        verification = _fit_fusion(proven, is_tried) if is_tried.any() else None
        scores = np.where(is_tried[:, None], _cross_scored(proven, is_tried), scores)
    probabilities = _cross_calibrated(asked, scores)
    calibration = _fit_calibration(asked, scores, everything)
    out_of_fold, threshold = _answered(asked, scores, probabilities, precision=precision)
    everyone = np.arange(len(vectors))
    whitening, head, gallery = fit_base(
        vectors, truth[:, 0], everyone, rng, whitening_power=whitening_power
    )
    fitted = FittedRecognizer(
        whitening, head, gallery, fusion, calibration, threshold, verification
    )
    return fitted, out_of_fold


def _cross_scored(asked: Asked, chosen: Bools | None = None) -> Doubles:
    """Scores [R, M] by the fusion of the other folds, fitted on their `chosen` [R] questions, or on all."""
    scores = np.empty(asked.is_right.shape)
    for fold in np.unique(asked.folds):
        mine = asked.folds == fold
        others = ~mine if chosen is None else ~mine & chosen
        scores[mine] = _fit_fusion(asked, others).scores(asked.candidates.features[mine])
    return scores


def _cross_calibrated(asked: Asked, scores: Doubles) -> Doubles:
    """Probabilities [R, M] of `scores` by the calibration of the other folds."""
    probabilities = np.empty(scores.shape)
    for fold in np.unique(asked.folds):
        mine = asked.folds == fold
        calibration = _fit_calibration(asked, scores, ~mine)
        probabilities[mine] = calibration.probabilities(scores[mine])
    return probabilities


def _verified(asked: Asked, scores: Doubles, match: Matcher) -> tuple[Asked, Bools]:
    """The questions with what matching their best candidates proves, and [R] which of them were matched."""
    landmarks = asked.candidates.landmarks
    known = np.where(landmarks < 0, -np.inf, scores)
    best = best_first(landmarks, scores)[:, :N_LANDMARKS]
    evidence = np.take_along_axis(asked.evidence, best[:, :, None], axis=1)
    found = verify(evidence, is_unsure(known), lambda pairs: match(_of_images(asked, pairs)))
    proof = np.zeros(landmarks.shape)
    np.put_along_axis(proof, best, found.proof, axis=1)
    features = with_proof(asked.candidates.features, proof)
    return replace(asked, candidates=Candidates(landmarks, features)), found.is_tried


def _of_images(asked: Asked, pairs: Ints) -> Ints:
    """`pairs` [P, 2] of question and image as pairs of images."""
    return np.stack([asked.images[pairs[:, 0]], pairs[:, 1]], axis=1)


def _fit_fusion(asked: Asked, chosen: Bools) -> Logistic:
    """The fusion of every query–candidate pair of the `chosen` [R] questions."""
    for rows in (chosen, np.ones_like(chosen)):
        is_pair = (asked.candidates.landmarks >= 0) & rows[:, None]
        is_right = asked.is_right[is_pair]
        # Few images may leave only right or only wrong answers in the chosen folds.
        if is_right.any() and not is_right.all():
            break
    weights = np.broadcast_to(asked.weights[:, None], is_pair.shape)[is_pair]
    return fit_logistic(asked.candidates.features[is_pair], is_right, weights)


def _fit_calibration(asked: Asked, scores: Doubles, chosen: Bools) -> Calibration:
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
    asked: Asked, scores: Doubles, probabilities: Doubles, *, precision: float
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
