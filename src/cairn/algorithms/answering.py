"""A fitted recogniser as arrays: asked with descriptors, changed without training."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import Calibration, Logistic
from cairn.algorithms.candidates import Candidates, Gallery, find_candidates
from cairn.algorithms.heads import Head, imprint
from cairn.algorithms.verifying import (
    N_LANDMARKS,
    N_PHOTOS,
    Matcher,
    PointMatch,
    Verified,
    is_unsure,
    verify,
    with_proof,
)
from cairn.algorithms.whitening import Whitening
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[np.generic]]

NO_LANDMARK = -1


@dataclass(frozen=True)
class FittedRecognizer:
    """All that answers need: whitening, head, gallery, fusion, calibration and `threshold`.

    verification: the fusion of a verified query, which also weighs what matched; None where no points are at hand.
    """

    whitening: Whitening
    head: Head
    gallery: Gallery
    fusion: Logistic
    calibration: Calibration
    threshold: float
    verification: Logistic | None = None

    def arrays(self) -> Arrays:
        """Everything fitted by `part.name`, without the gallery, which is kept beside it."""
        parts = {
            "whitening": self.whitening.arrays(),
            "head": self.head.arrays(),
            "fusion": self.fusion.arrays(),
            "calibration": self.calibration.arrays(),
            "answer": {"threshold": np.asarray([self.threshold])},
        }
        if self.verification is not None:
            parts["verification"] = self.verification.arrays()
        return {
            f"{part}.{name}": value for part, held in parts.items() for name, value in held.items()
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, gallery: Gallery) -> "FittedRecognizer":
        """The recogniser that `arrays()` took apart, with its gallery."""

        def part(prefix: str) -> Arrays:
            start = f"{prefix}."
            return {n.removeprefix(start): v for n, v in arrays.items() if n.startswith(start)}

        return cls(
            Whitening.from_arrays(part("whitening")),
            Head.from_arrays(part("head")),
            gallery,
            Logistic.from_arrays(part("fusion")),
            Calibration.from_arrays(part("calibration")),
            float(np.asarray(arrays["answer.threshold"], np.float64)[0]),
            Logistic.from_arrays(told) if (told := part("verification")) else None,
        )


@dataclass(frozen=True)
class Answers:
    """Candidate `landmarks` [Q, K] best first, -1 where there are no more, with scores and evidence.

    scores, probabilities: [Q, K], the second strictly increasing with the first; -inf and 0 where
    there is no landmark.
    evidence: [Q, K, E] rows of the gallery, -1 where there are no more: those that match best point by point, then the
    nearest; and their evidence_similarities [Q, K, E], 0 there.
    is_verified: [Q] whether matched points had a say in the query's scores; matches: by query and gallery row.
    """

    landmarks: Ints
    scores: Doubles
    probabilities: Doubles
    evidence: Ints
    evidence_similarities: Floats
    is_verified: Bools
    matches: dict[tuple[int, int], PointMatch] = field(default_factory=dict)


def answer(
    recognizer: FittedRecognizer,
    vectors: Floats,
    *,
    n_candidates: int = 5,
    n_evidence: int = 3,
    match: Matcher | None = None,
    has_points: Bools | None = None,
    match_all: bool = False,
) -> Answers:
    """The answers to `vectors` [Q, D], each query for itself.

    match: tells what queries and gallery images have in common; without it nothing is verified.
    has_points: [N] the gallery images that can be matched; all, if not given.
    match_all: sure queries are matched too, to show what speaks for them; no score depends on it.
    """
    queries = recognizer.whitening.apply(vectors)
    found = find_candidates(queries, recognizer.gallery, recognizer.head)
    ranked = _ranked(found, recognizer.fusion.scores(found.features))
    verified = _verified(recognizer, queries, ranked, match, has_points, match_all=match_all)
    if verified.is_tried.any() and recognizer.verification is not None:
        again = recognizer.verification.scores(
            with_proof(ranked.candidates.features, verified.proof)
        )
        scores = np.where(verified.is_tried[:, None], again, ranked.scores)
        ranked = _ranked(ranked.candidates, scores)
    landmarks = ranked.candidates.landmarks[:, :n_candidates]
    scores = np.where(landmarks < 0, -np.inf, ranked.scores[:, :n_candidates])
    evidence, similarities = _evidence(
        queries, recognizer.gallery, landmarks, verified.matches, has_points, n_evidence
    )
    probabilities = recognizer.calibration.probabilities(scores)
    return Answers(
        landmarks, scores, probabilities, evidence, similarities, verified.is_tried, verified.matches
    )  # fmt: skip


@dataclass(frozen=True)
class _Ranked:
    """Candidates best first, with their `scores` [Q, M], -inf where there is no landmark."""

    candidates: Candidates
    scores: Doubles


def _ranked(candidates: Candidates, scores: Doubles) -> _Ranked:
    order = best_first(candidates.landmarks, scores)
    landmarks = np.take_along_axis(candidates.landmarks, order, axis=1)
    features = np.take_along_axis(candidates.features, order[:, :, None], axis=1)
    scores = np.where(landmarks < 0, -np.inf, np.take_along_axis(scores, order, axis=1))
    return _Ranked(Candidates(landmarks, features), scores)


def _verified(
    recognizer: FittedRecognizer, queries: Floats, ranked: _Ranked, match: Matcher | None,
    has_points: Bools | None, *, match_all: bool,
) -> Verified:  # fmt: skip
    """What matching the best candidates of unsure queries gives; nothing where points are not at hand."""
    if match is None or recognizer.verification is None:
        nobody = np.zeros(len(queries), np.bool_)
        return Verified(np.zeros((len(queries), 0)), nobody, {})
    is_tried = is_unsure(ranked.scores)
    is_asked = np.ones_like(is_tried) if match_all else is_tried
    tried = np.where(is_asked[:, None], ranked.candidates.landmarks[:, :N_LANDMARKS], NO_LANDMARK)
    rows, _ = gallery_evidence(
        queries, recognizer.gallery, tried, n_evidence=N_PHOTOS, usable=has_points
    )
    return replace(verify(rows, is_asked, match), is_tried=is_tried)


def _evidence(
    queries: Floats, gallery: Gallery, landmarks: Ints, found: dict[tuple[int, int], PointMatch],
    has_points: Bools | None, n: int,
) -> tuple[Ints, Floats]:  # fmt: skip
    """The first `n` images of each candidate: the best matches, then the nearest, also those that have no points."""
    nearest, similarities = gallery_evidence(queries, gallery, landmarks, n_evidence=n)
    if not found:
        return nearest, similarities
    tried, of_tried = gallery_evidence(
        queries, gallery, landmarks, n_evidence=N_PHOTOS, usable=has_points
    )
    is_twice = (nearest[..., :, None] == tried[..., None, :]).any(axis=-1)
    rows = np.concatenate([tried, np.where(is_twice, -1, nearest)], axis=2)
    similarities = np.concatenate([of_tried, similarities], axis=2)
    surprises = np.zeros(rows.shape)
    for query, candidate, place in np.argwhere(rows >= 0):
        one = found.get((int(query), int(rows[query, candidate, place])))
        surprises[query, candidate, place] = one.surprise if one else 0.0
    order = np.lexsort((-similarities, -surprises, rows < 0), axis=2)[:, :, :n]
    rows = np.take_along_axis(rows, order, axis=2)
    return rows, np.where(rows < 0, 0, np.take_along_axis(similarities, order, axis=2))


def gallery_evidence(
    queries: Floats,
    gallery: Gallery,
    landmarks: Ints,
    *,
    n_evidence: int,
    usable: Bools | None = None,
) -> tuple[Ints, Floats]:
    """The `n_evidence` gallery images of each of `landmarks` [Q, K] that are nearest to its query.

    queries: [Q, d] whitened. usable: [N] the images that may be named; all, if not given. Returns rows [Q, K, E], nearest first and -1 where there are no more,
    and similarities [Q, K, E], 0 there.
    """
    rows = np.full((*landmarks.shape, n_evidence), -1, np.int64)
    similarities = np.zeros(rows.shape, np.float32)
    for query, candidate in np.argwhere(landmarks >= 0):
        mine = gallery.rows_of(int(landmarks[query, candidate]))
        if usable is not None:
            mine = mine[usable[mine]]
        nearness = gallery.vectors[mine] @ queries[query]
        best = np.argsort(-nearness, kind="stable")[:n_evidence]
        rows[query, candidate, : len(best)] = mine[best]
        similarities[query, candidate, : len(best)] = nearness[best]
    return rows, similarities


def add_images(recognizer: FittedRecognizer, vectors: Floats, landmarks: Ints) -> FittedRecognizer:
    """The recogniser with more gallery images: `vectors` [N, D] of `landmarks` [N], or -1 for distractors.

    New landmarks get an imprinted column of the head; nothing else is fitted again.
    """
    added, old = recognizer.whitening.apply(vectors), recognizer.gallery
    is_none = landmarks < 0
    gallery = Gallery(
        np.vstack([old.vectors, added[~is_none]]),
        np.concatenate([old.landmarks, landmarks[~is_none]]),
        np.vstack([old.none_vectors, added[is_none]]),
    )
    head = imprint(recognizer.head, gallery.vectors, gallery.landmarks)
    return replace(recognizer, gallery=gallery, head=head)


def remove_images(recognizer: FittedRecognizer, is_removed: Bools) -> FittedRecognizer:
    """The recogniser without the gallery images where `is_removed` [N]; positions stay as they are.

    A landmark without images is no longer proposed.
    Raises InputError where no image would be left.
    """
    if is_removed.all():
        raise InputError(
            f"all {len(is_removed)} gallery images would be removed; at least one was expected to stay; "
            "add images of another landmark first"
        )
    old = recognizer.gallery
    kept = Gallery(old.vectors[~is_removed], old.landmarks[~is_removed], old.none_vectors)
    return replace(recognizer, gallery=kept)


def best_first(landmarks: Ints, scores: Doubles) -> Ints:
    """[Q, M]: the order of each query's candidates by score, then landmark, no landmark last."""
    scores = np.where(landmarks < 0, -np.inf, scores)
    by_landmark = np.argsort(landmarks, axis=1, kind="stable")
    by_score = np.argsort(-np.take_along_axis(scores, by_landmark, axis=1), axis=1, kind="stable")
    return np.take_along_axis(by_landmark, by_score, axis=1)
