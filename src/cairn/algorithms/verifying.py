"""Verification: whether a query and gallery images of its best candidates show the same points in one geometry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.geometry import Model, matches, verified

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# The budget: so many of the best candidates, each with so many of its nearest images.
N_LANDMARKS, N_PHOTOS = 5, 4
# Log odds from which the best candidate is taken as it is.
_SURE = 8.0
_MODELS: tuple[Model, ...] = ("homography", "similarity")


@dataclass(frozen=True)
class Points:
    """Points of one image: `places` [N, 2] in pixels and `features` [N, F], rows of length one."""

    places: Floats
    features: Floats


@dataclass(frozen=True)
class PointMatch:
    """What two images have in common: surprise as in `geometry.Verified`, 0 where nothing was found.

    query_places, gallery_places: [K, 2] the points that agree, in pixels of either image.
    """

    surprise: float
    query_places: Floats
    gallery_places: Floats


NO_MATCH = PointMatch(0.0, np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))
# Matches of pairs [P, 2]: rows of queries and of gallery images.
Matcher = Callable[[Ints], Sequence[PointMatch]]


@dataclass(frozen=True)
class Verified:
    """What verification found: `proof` [Q, K] of each candidate, the logarithm of 1 + the best surprise.

    is_tried: [Q] whether the query was verified at all. matches: by query and gallery row.
    """

    proof: Doubles
    is_tried: Bools
    matches: dict[tuple[int, int], PointMatch]


def match_points(query: Points, other: Points) -> PointMatch:
    """The points that both images show in one geometry: the more surprising of a homography and a similarity.

    The same points give the same answer every time.
    """
    rows = matches(query.features, other.features)
    best = NO_MATCH
    for model in _MODELS:
        found = verified(query.places, other.places, rows, model=model)
        if found is not None and found.surprise > best.surprise:
            agreed = rows[found.inliers]
            best = PointMatch(
                found.surprise, query.places[agreed[:, 0]], other.places[agreed[:, 1]]
            )
    return best


def is_unsure(scores: Doubles) -> Bools:
    """[Q]: whether a query is worth verifying, by its candidates' log odds `scores` [Q, M], -inf where there is none."""
    if not scores.shape[1]:
        return np.zeros(len(scores), np.bool_)
    best = scores.max(axis=1)
    return np.asarray(np.isfinite(best) & (best < _SURE))


def verify(evidence: Ints, is_asked: Bools, match: Matcher) -> Verified:
    """What matching the `evidence` [Q, K, E] gallery rows of K candidates proves, -1 where there are no more.

    is_asked: [Q] the queries that are matched; the others have no proof. All pairs are given to `match` at once.
    """
    asked = np.argwhere((evidence >= 0) & is_asked[:, None, None])
    pairs = np.stack([asked[:, 0], evidence[tuple(asked.T)]], axis=1).astype(np.int64)
    found = match(pairs) if len(pairs) else []
    proof = np.zeros(evidence.shape[:2])
    for (query, candidate, _), one in zip(asked.tolist(), found, strict=True):
        proof[query, candidate] = max(proof[query, candidate], np.log1p(one.surprise))
    by_pair = {(q, g): one for (q, g), one in zip(pairs.tolist(), found, strict=True)}
    return Verified(proof, is_asked, by_pair)


def with_proof(features: Floats, proof: Doubles) -> Floats:
    """`features` [Q, M, F] with one more, the proof [Q, K] of the first K candidates; the others have none."""
    column = np.zeros((*features.shape[:2], 1), np.float32)
    column[:, : proof.shape[1], 0] = proof
    return np.concatenate([features, column], axis=2)
