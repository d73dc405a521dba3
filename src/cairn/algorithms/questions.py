"""Questions out of fold: what a recogniser that was not fitted on an image has to say about it."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cairn.algorithms.answering import gallery_evidence
from cairn.algorithms.candidates import Candidates, Gallery, find_candidates
from cairn.algorithms.folds import KINDS, Fold
from cairn.algorithms.heads import Head, train_head
from cairn.algorithms.whitening import Whitening, fit_whitening

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Kind = TypeVar("Kind", bound=np.generic)

NO_LANDMARK = -1
# Nobody can know how many unseen landmarks a recogniser will meet: for each known query so many, and
# more where there are few distractors, so that something always teaches it to refuse.
_UNSEEN_SHARE, _REFUSED_SHARE = 0.05, 0.2


@dataclass(frozen=True)
class Asked:
    """The questions of all folds: one row a query, before fusion.

    evidence: [R, M, E] the images, as rows of what was given to fit, that each candidate is matched by; E may be 0.
    """

    images: Ints
    kinds: Ints
    folds: Ints
    weights: Doubles
    candidates: Candidates
    is_right: Bools
    evidence: Ints


def fit_base(
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
    n_evidence: int,
) -> tuple[Candidates, Ints]:
    """A fold's questions put to what its other images teach, which is forgotten then.

    Returns the candidates, and [B, M, n_evidence] their images that are nearest to each question.
    """
    whitening, head, gallery = fit_base(
        vectors, landmarks, fold.fitting, rng, whitening_power=whitening_power
    )
    queries = whitening.apply_to(vectors, fold.queries)
    found = find_candidates(queries, gallery, head)
    if not n_evidence:
        return found, np.empty((*found.landmarks.shape, 0), np.int64)
    rows, _ = gallery_evidence(queries, gallery, found.landmarks, n_evidence=n_evidence)
    of_gallery = fold.fitting[landmarks[fold.fitting] >= 0]
    return found, np.where(rows >= 0, of_gallery[rows], -1)


def ask_all(
    vectors: Floats,
    truth: Ints,
    folds: list[Fold],
    rng: np.random.Generator,
    *,
    whitening_power: float,
    n_evidence: int = 0,
) -> Asked:
    """The questions of all folds with their answers, and so many images that speak for each candidate."""
    asked = [
        _ask(
            vectors, truth[:, 0], fold, rng,
            whitening_power=whitening_power, n_evidence=n_evidence,
        )
        for fold in folds
    ]  # fmt: skip
    found = [candidates for candidates, _ in asked]
    images = np.concatenate([fold.queries for fold in folds])
    kinds = np.concatenate([fold.kinds for fold in folds])
    width = max(candidates.landmarks.shape[1] for candidates in found)
    landmarks = np.concatenate([_padded(each.landmarks, width, NO_LANDMARK) for each in found])
    features = np.concatenate([_padded(each.features, width, 0) for each in found])
    shown = truth[images]
    is_right = (landmarks[:, :, None] == shown[:, None, :]).any(axis=2) & (landmarks >= 0)
    return Asked(
        images=images,
        kinds=kinds,
        folds=np.concatenate([np.full(len(fold.queries), f) for f, fold in enumerate(folds)]),
        weights=_query_weights(
            kinds, n_known=int((truth[:, 0] >= 0).sum()), n_none=int((truth[:, 0] < 0).sum())
        ),
        candidates=Candidates(landmarks, features),
        is_right=is_right,
        evidence=np.concatenate([_padded(rows, width, -1) for _, rows in asked]),
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


def _padded(values: npt.NDArray[Kind], width: int, filler: int) -> npt.NDArray[Kind]:
    """`values` [R, M, ...] with its second axis filled up to `width`."""
    missing = [(0, 0)] * values.ndim
    missing[1] = (0, width - values.shape[1])
    return np.pad(values, missing, constant_values=filler)
