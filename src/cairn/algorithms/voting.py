"""Named ways to turn neighbours into votes for landmarks.

Every strategy takes a `Ballot` and gives `Votes`: each query's landmarks, best first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NO_LANDMARK = -1


@dataclass(frozen=True)
class Ballot:
    """What the voters know of Q queries and C landmarks.

    similarities, landmarks: [Q, K] of the nearest gallery images, nearest first.
    n_images: [C] gallery images of each landmark.
    row_closeness: [Q, K] mean similarity of each of those images to distractors (B_j).
    none_closeness: [Q] mean similarity of each query to distractors (C).
    head_cosines, centroid_cosines: [Q, C] of each query with the head's columns and the centroids.
    What a strategy does not use may be left out.
    """

    similarities: Floats
    landmarks: Ints
    n_images: Ints
    row_closeness: Floats | None = None
    none_closeness: Floats | None = None
    head_cosines: Floats | None = None
    centroid_cosines: Floats | None = None


@dataclass(frozen=True)
class Votes:
    """`landmarks` [Q, M] best first, -1 where there are no more, and their `scores` [Q, M], -inf there."""

    landmarks: Ints
    scores: Floats


Vote = Callable[[Ballot], Votes]


def nearest(ballot: Ballot) -> Votes:
    """Each landmark's score is its best similarity."""
    return _best_first(_grouped(ballot.landmarks, ballot.similarities, n_best=1))


def few_photos(ballot: Ballot) -> Votes:
    """Similarities of the 5 nearest, added up and divided by min(5, the landmark's images).

    Source: the 4th place of 2018.
    """
    votes = _grouped(ballot.landmarks[:, :5], ballot.similarities[:, :5])
    divisor = np.minimum(5, np.maximum(1, _of_landmark(ballot.n_images, votes.landmarks)))
    return _best_first(Votes(votes.landmarks, (votes.scores / divisor).astype(np.float32)))


def cos8(ballot: Ballot) -> Votes:
    """The eighth powers of the similarities of the 5 nearest, added up.

    Source: the 3rd place of 2020.
    """
    powers = np.maximum(ballot.similarities[:, :5], 0) ** 8
    return _best_first(_grouped(ballot.landmarks[:, :5], powers))


def cos8_times_head(ballot: Ballot) -> Votes:
    """`cos8` times the twelfth power of the head's cosine.

    Raises InputError where the ballot has no `head_cosines`. Source: the 3rd place of 2020.
    """
    cosines = _needed(ballot.head_cosines, "head_cosines", "cos8_times_head")
    votes = cos8(ballot)
    factors = np.maximum(_of_query_and_landmark(cosines, votes.landmarks), 0) ** 12
    is_voted = votes.landmarks >= 0
    scores = np.where(is_voted, votes.scores, 0) * factors
    return _best_first(Votes(votes.landmarks, np.where(is_voted, scores, -np.inf)))


def distractor_aware(ballot: Ballot) -> Votes:
    """The 3 largest of similarity − B_j of each landmark, added up, less C of the query.

    Raises InputError where the ballot lacks one of them. Source: the 1st places of 2020 and 2021.
    """
    row_closeness = _needed(ballot.row_closeness, "row_closeness", "distractor_aware")
    none_closeness = _needed(ballot.none_closeness, "none_closeness", "distractor_aware")
    votes = _grouped(ballot.landmarks, ballot.similarities - row_closeness, n_best=3)
    return _best_first(Votes(votes.landmarks, votes.scores - none_closeness[:, None]))


def centroids(ballot: Ballot) -> Votes:
    """Each landmark's score is the query's cosine with its centroid.

    Raises InputError where the ballot has no `centroid_cosines`.
    """
    cosines = _needed(ballot.centroid_cosines, "centroid_cosines", "centroids")
    everyone = np.broadcast_to(np.arange(cosines.shape[1], dtype=np.int64), cosines.shape)
    has_images = ballot.n_images[None, :] > 0
    return _best_first(
        Votes(np.where(has_images, everyone, NO_LANDMARK), np.where(has_images, cosines, -np.inf))
    )


VOTES: dict[str, Vote] = {
    "nearest": nearest,
    "few_photos": few_photos,
    "cos8": cos8,
    "cos8_times_head": cos8_times_head,
    "distractor_aware": distractor_aware,
    "centroids": centroids,
}


def mean_of_nearest(similarities: Floats, *, n_nearest: int) -> Floats:
    """[Q]: the mean of the first `n_nearest` of `similarities` [Q, K]; 0 where K is 0.

    B_j is this over the distractors nearest to a gallery image (5), C over those nearest to a query (10).
    """
    if not similarities.shape[1]:
        return np.zeros(len(similarities), np.float32)
    return np.asarray(similarities[:, :n_nearest].mean(axis=1, dtype=np.float64), np.float32)


def centroid_vectors(vectors: Floats, landmarks: Ints, *, n_landmarks: int) -> Floats:
    """[C, D]: the mean of each landmark's `vectors` [N, D], of length one; zeros where it has none."""
    shown = landmarks >= 0
    sums = np.zeros((n_landmarks, vectors.shape[1]), np.float64)
    np.add.at(sums, landmarks[shown], vectors[shown])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), np.float32)


def _grouped(landmarks: Ints, scores: Floats, *, n_best: int | None = None) -> Votes:
    """The scores of each query's landmarks added up: the `n_best` largest of each, or all."""
    order = np.lexsort((-scores, landmarks), axis=1)
    landmarks = np.take_along_axis(landmarks, order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    sums = np.full(scores.shape, -np.inf, np.float32)
    winners = np.full(landmarks.shape, NO_LANDMARK, np.int64)
    place = np.zeros(len(scores), np.int64)
    rank = np.zeros(len(scores), np.int64)
    queries = np.arange(len(scores))
    for column in range(scores.shape[1]):
        is_new = landmarks[:, column] != (landmarks[:, column - 1] if column else -2)
        place, rank = place + (is_new & (column > 0)), np.where(is_new, 0, rank + 1)
        counts = (landmarks[:, column] >= 0) & ((rank < n_best) if n_best else True)
        at = (queries[counts], place[counts])
        sums[at] = np.where(np.isneginf(sums[at]), 0, sums[at]) + scores[counts, column]
        winners[at] = landmarks[counts, column]
    return Votes(winners, sums)


def _best_first(votes: Votes) -> Votes:
    """The same votes by score, then landmark; what is no landmark comes last."""
    by_landmark = np.argsort(votes.landmarks, axis=1, kind="stable")
    scores = np.take_along_axis(votes.scores, by_landmark, axis=1)
    order = np.take_along_axis(by_landmark, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    return Votes(
        np.take_along_axis(votes.landmarks, order, axis=1),
        np.take_along_axis(votes.scores, order, axis=1).astype(np.float32),
    )


def _of_landmark(values: Ints, landmarks: Ints) -> Ints:
    """`values` [C] of each of `landmarks` [Q, M]; those of the last where there is no landmark."""
    return values[landmarks] if len(values) else np.zeros_like(landmarks)


def _of_query_and_landmark(values: Floats, landmarks: Ints) -> Floats:
    return np.take_along_axis(values, np.maximum(landmarks, 0), axis=1)


def _needed(values: Floats | None, name: str, strategy: str) -> Floats:
    if values is None:
        raise InputError(
            f"the ballot has no {name}; the vote '{strategy}' was expected to get them; "
            f"give {name}, or choose another of: {', '.join(VOTES)}"
        )
    return values
