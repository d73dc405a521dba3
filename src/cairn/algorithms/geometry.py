"""Matching of local features and its proof by geometry: which matches agree on one view of one thing."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import numpy.typing as npt

from cairn.algorithms.opencv import opencv
from cairn.algorithms.surprise import surprise_of
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Model = Literal["homography", "similarity", "fundamental"]

RATIO = 0.85
# Thresholds in px count in images whose points span this much, so that an image's size does not matter.
SPAN_PX = 512.0
_THRESHOLD_PX = {"homography": 6.0, "similarity": 8.0, "fundamental": 2.0}
_LEAST_MATCHES = {"homography": 5, "similarity": 4, "fundamental": 9}
_TRIES = 2_000
_CONFIDENCE = 0.999
# A view that makes things this much larger in area, or smaller, is none that photographers have.
_MOST_STRETCH = 60.0


@dataclass(frozen=True)
class Verified:
    """Matches that agree on one geometry.

    inliers: [K] rows of the matches that agree, ascending; matches between the same two places count once.
    n_matches: how many matches there were to choose from, counted in the same way. matrix: [3, 3] from a
    to b: a point's place, or for `fundamental` its line. surprise: how unlikely so many inliers are among
    so many matches of photos of different landmarks: 3 is once in 1,000 such pairs, see `surprise.py`.
    """

    inliers: Ints
    n_matches: int
    matrix: Doubles
    surprise: float


def matches(a_features: Floats, b_features: Floats, *, ratio: float = RATIO) -> Ints:
    """[M, 2] rows of a and b that are each other's nearest, and much nearer than the second; by row of a.

    a_features: [Na, F], b_features: [Nb, F], rows of length one. ratio: the nearest is at most this many
    times as far as the second nearest, on both sides; where there is no second, it counts as far.
    Where two are equally near, neither is.
    Raises InputError where `ratio` is not above 0 and at most 1.
    """
    if not 0 < ratio <= 1:
        raise InputError(
            f"points were to be matched with the ratio {ratio}; above 0 and at most 1 was expected; leave it at {RATIO}"
        )
    if not len(a_features) or not len(b_features):
        return np.empty((0, 2), np.int64)
    products = _products(a_features, b_features)
    to_b = products.argmax(axis=1)
    near = products[np.arange(len(a_features)), to_b]
    # Where several rows are equally near to one of b, the one that is kept sees the others as its second, so that
    # the ratio leaves it out too: which of them came first need not be known.
    rows = np.flatnonzero(near == products.max(axis=0)[to_b])
    rows = np.sort(rows[np.unique(to_b[rows], return_index=True)[1]])
    partners = to_b[rows]
    # Without its nearest, the nearest that is left is the second; -1 is as far as can be. Each row and each column
    # loses one number at most, so the matrix itself can be used up.
    products[rows, partners] = -1
    second = np.maximum(products.max(axis=1)[rows], products.max(axis=0)[partners])
    is_clear = _squared(second) > _squared(near[rows]) / np.float32(ratio**2)
    return np.stack([rows[is_clear], partners[is_clear]], axis=1).astype(np.int64)


def verified(
    a: Floats, b: Floats, matches: Ints, *, model: Model, seed: int = 0
) -> Verified | None:
    """The geometry that most matches agree on; None where there are too few, or none that a camera could see.

    a: [Na, 2], b: [Nb, 2] all points of the two images; how far they reach says what a pixel means.
    matches: [M, 2] rows of a and b. seed: the same input and seed give the same inliers.
    `homography` sees one flat face, `similarity` a flat face from about the same side, `fundamental` any
    still thing, at the price of a weaker proof.
    Raises InputError where a match names a row that is not there.
    Source: Barath et al., MAGSAC++, CVPR 2020.
    """
    _require_rows(matches, len(a), len(b))
    rows = _distinct(a, b, matches)
    if len(rows) < _LEAST_MATCHES[model]:
        return None
    (from_points, to_unit), (to_points, from_unit) = _in_units(a), _in_units(b)
    from_points, to_points = from_points[matches[rows, 0]], to_points[matches[rows, 1]]
    # The solver takes the points in their order, so a shuffle is what makes its chance ours.
    order = np.random.default_rng(seed).permutation(len(rows))
    found = _solved(model, from_points[order], to_points[order], seed)
    if found is None:
        return None
    matrix, is_inlier = found
    inliers = np.sort(rows[order[is_inlier]])
    if len(inliers) < _LEAST_MATCHES[model]:
        return None
    if model != "fundamental" and not _is_seeable(matrix, from_points[order[is_inlier]]):
        return None
    whole = _whole(matrix, to_unit, from_unit, model=model)
    return Verified(inliers, len(rows), whole, surprise_of(len(inliers), len(rows), model=model))


def _require_rows(matches: Ints, n_a: int, n_b: int) -> None:
    limits = (n_a, n_b)
    if (
        matches.ndim != 2
        or matches.shape[1] != 2
        or (matches < 0).any()
        or (matches >= limits).any()
    ):
        raise InputError(
            f"matches of the shape {matches.shape} go with {n_a} and {n_b} points; [M, 2] rows of both, from "
            "0 on, were expected; give the points that the matches were made of"
        )


def _products(a: Floats, b: Floats) -> Floats:
    """[Na, Nb]: the inner products of all rows of a and b."""
    cv2 = opencv()
    # NumPy would use threads of its own here, which wait for each other in the way of Cairn's.
    found: Floats = cv2.gemm(
        np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32), 1, None, 0, flags=cv2.GEMM_2_T
    )  # fmt: skip
    return found


def _squared(products: Floats) -> Floats:
    """Squared distances of rows of length one, from their products."""
    return np.maximum(2 - 2 * products, 0)


def _distinct(a: Floats, b: Floats, matches: Ints) -> Ints:
    """The rows of matches of which no earlier one starts or ends at the same place.

    SIFT puts several points at one place where an image has several directions there.
    """
    rows = np.arange(len(matches))
    for points, side in ((a, 0), (b, 1)):
        places = points[matches[rows, side]]
        first = np.unique(places, axis=0, return_index=True)[1] if len(rows) else rows
        rows = rows[np.sort(first)]
    return rows.astype(np.int64)


def _in_units(points: Floats) -> tuple[Doubles, Doubles]:
    """`points` moved and scaled so that they span SPAN_PX, and the matrix [3, 3] that does it."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = SPAN_PX / max(float((high - low).max()), 1e-6)
    matrix = np.array(
        [[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale], [0, 0, 1]], np.float64
    )
    return (points.astype(np.float64) - low) * scale, matrix


def _whole(matrix: Doubles, to_unit: Doubles, from_unit: Doubles, *, model: Model) -> Doubles:
    """`matrix` for points as they were given."""
    if model == "fundamental":
        whole = from_unit.T @ matrix @ to_unit
        return np.asarray(whole / np.linalg.norm(whole), np.float64)
    whole = np.linalg.inv(from_unit) @ matrix @ to_unit
    return np.asarray(whole / whole[2, 2], np.float64)


def _is_seeable(matrix: Doubles, points: Doubles) -> bool:
    """Whether the box of `points` stays a box with four corners, not mirrored, of a likely size."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    corners = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]])
    seen = corners @ matrix.T
    if seen[:, 2].min() * seen[:, 2].max() <= 0:
        return False
    seen = seen[:, :2] / seen[:, 2:]
    sides = np.roll(seen, -1, axis=0) - seen
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    area_before, area_after = (right - left) * (bottom - top), turns.sum() / 4
    if turns.min() <= 0 or area_before <= 0:
        return False
    return bool(1 / _MOST_STRETCH < area_after / area_before < _MOST_STRETCH)


def _params(cv2: ModuleType, model: Model, seed: int) -> object:
    """How USAC looks for a model."""
    params = cv2.UsacParams()
    params.confidence = _CONFIDENCE
    params.isParallel = False
    params.maxIterations = _TRIES
    params.randomGeneratorState = seed
    params.threshold = _THRESHOLD_PX[model]
    params.score = cv2.SCORE_METHOD_MAGSAC
    params.sampler = cv2.SAMPLING_UNIFORM
    params.loMethod = cv2.LOCAL_OPTIM_SIGMA
    params.loIterations = 10
    params.final_polisher = cv2.MAGSAC
    params.final_polisher_iterations = 5
    return params


def _homography(cv2: ModuleType, a: Doubles, b: Doubles, seed: int) -> tuple[Doubles, Bools] | None:
    return _checked(*cv2.findHomography(a, b, _params(cv2, "homography", seed)))


def _fundamental(
    cv2: ModuleType, a: Doubles, b: Doubles, seed: int
) -> tuple[Doubles, Bools] | None:
    return _checked(*cv2.findFundamentalMat(a, b, _params(cv2, "fundamental", seed)))


def _similarity(
    cv2: ModuleType,
    a: Doubles,
    b: Doubles,
    seed: int,  # noqa: ARG001  # its solver has its own
) -> tuple[Doubles, Bools] | None:
    # USAC has no turn-and-scale model; this solver starts its chance anew at each call.
    matrix, mask = cv2.estimateAffinePartial2D(
        a, b, method=cv2.RANSAC, ransacReprojThreshold=_THRESHOLD_PX["similarity"],
        maxIters=_TRIES, confidence=_CONFIDENCE,
    )  # fmt: skip
    return _checked(None if matrix is None else np.vstack([matrix, [0, 0, 1]]), mask)


def _solved(model: Model, a: Doubles, b: Doubles, seed: int) -> tuple[Doubles, Bools] | None:
    """What OpenCV makes of the points; None where it gives up, as where many lie on each other."""
    cv2 = opencv()
    try:
        return _SOLVERS[model](cv2, a, b, seed)
    except cv2.error:
        return None


def _checked(matrix: Doubles | None, mask: object) -> tuple[Doubles, Bools] | None:
    """A solver's answer, or None where it gave none that can be used."""
    if (
        matrix is None
        or mask is None
        or np.shape(matrix) != (3, 3)
        or not np.isfinite(matrix).all()
    ):
        return None
    if abs(float(np.linalg.norm(matrix))) < 1e-12:
        return None
    return np.asarray(matrix, np.float64), np.asarray(mask).ravel().astype(bool)


_SOLVERS: dict[
    Model, Callable[[ModuleType, Doubles, Doubles, int], tuple[Doubles, Bools] | None]
] = {
    "homography": _homography,
    "similarity": _similarity,
    "fundamental": _fundamental,
}
