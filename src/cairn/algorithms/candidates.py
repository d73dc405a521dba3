"""What speaks for and against each candidate landmark of a query: a row of features a pair."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cairn.algorithms.heads import Head
from cairn.algorithms.neighbors import ExactIndex, Neighbors
from cairn.algorithms.voting import centroid_vectors, mean_of_nearest

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_LANDMARK = -1
FEATURES = (
    "head",
    "head_over_none",
    "nearest",
    "centroid",
    "lead",
    "distractor_aware",
    "none_closeness",
)

_N_NEIGHBORS = 64
_PER_SOURCE = 6
# Tables of so many queries by all landmarks are held at once.
_QUERIES_AT_ONCE = 512
_MOST_LOG_ODDS = 12.0


@dataclass(frozen=True)
class Gallery:
    """`vectors` [N, d] of length one, their `landmarks` [N], and distractors `none_vectors` [Z, d]."""

    vectors: Floats
    landmarks: Ints
    none_vectors: Floats

    @cached_property
    def index(self) -> ExactIndex:
        """The gallery, ready to be searched."""
        return ExactIndex(self.vectors)

    @cached_property
    def none_index(self) -> ExactIndex:
        """The distractors, ready to be searched."""
        return ExactIndex(self.none_vectors)

    @cached_property
    def _known_closeness(self) -> Floats:
        return np.full(len(self.vectors), np.nan, np.float32)

    def closeness_of(self, rows: Ints) -> Floats:
        """The mean similarity of each of the gallery's `rows` to its 5 nearest distractors (B_j), shaped as they are.

        Each is looked up when it is first asked for, and kept.
        """
        known = self._known_closeness
        new = np.unique(rows[np.isnan(known[rows])])
        if len(new):
            known[new] = self.none_closeness(self.vectors[new], n_nearest=5)
        return known[rows]

    @cached_property
    def n_images(self) -> Ints:
        """[C]: how many images each landmark has; C is one more than the largest landmark."""
        return np.bincount(self.landmarks, minlength=1).astype(np.int64)

    @cached_property
    def centroids(self) -> Floats:
        """[C, d]: the mean of each landmark's images, of length one."""
        return centroid_vectors(self.vectors, self.landmarks, n_landmarks=len(self.n_images))

    @cached_property
    def _by_landmark(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.landmarks, kind="stable")
        return order, np.concatenate([[0], np.cumsum(self.n_images)])

    def rows_of(self, landmark: int) -> Ints:
        """The rows of a landmark's images, ascending."""
        order, starts = self._by_landmark
        return order[starts[landmark] : starts[landmark + 1]]

    def none_closeness(self, vectors: Floats, *, n_nearest: int) -> Floats:
        """[Q]: the mean similarity of each of `vectors` [Q, d] to its nearest distractors."""
        found = self.none_index.search(vectors, n_neighbors=n_nearest)
        return mean_of_nearest(found.similarities, n_nearest=n_nearest)


@dataclass(frozen=True)
class Candidates:
    """Candidate `landmarks` [Q, M] of each query, -1 where there are no more, with their `features` [Q, M, F]."""

    landmarks: Ints
    features: Floats


def find_candidates(queries: Floats, gallery: Gallery, head: Head) -> Candidates:
    """The landmarks that head or neighbours propose for each of `queries` [Q, d], with FEATURES.

    Only landmarks with gallery images are proposed. Rows depend on no other query.
    """
    chunks = [
        _find_chunk(queries[first : first + _QUERIES_AT_ONCE], gallery, head)
        for first in range(0, max(len(queries), 1), _QUERIES_AT_ONCE)
    ]
    return Candidates(
        np.concatenate([chunk.landmarks for chunk in chunks]),
        np.concatenate([chunk.features for chunk in chunks]),
    )


def _find_chunk(queries: Floats, gallery: Gallery, head: Head) -> Candidates:
    neighbors = gallery.index.search(queries, n_neighbors=_N_NEIGHBORS)
    of_neighbor = gallery.landmarks[neighbors.rows]
    log_odds, over_none = _head_says(queries, gallery, head)
    landmarks = _proposed(of_neighbor, log_odds, gallery.n_images)
    belongs = of_neighbor[:, None, :] == landmarks[:, :, None]
    counts = gallery.n_images[landmarks]
    closeness = gallery.closeness_of(neighbors.rows)
    nearest = _mean_of_best(neighbors.similarities, belongs, counts, n_best=1)
    none_closeness = np.broadcast_to(
        gallery.none_closeness(queries, n_nearest=10)[:, None], landmarks.shape
    )
    columns = {
        "head": np.take_along_axis(log_odds, np.maximum(landmarks, 0), axis=1),
        "head_over_none": np.take_along_axis(over_none, np.maximum(landmarks, 0), axis=1),
        "nearest": nearest,
        "centroid": np.einsum("qd,qmd->qm", queries, gallery.centroids[landmarks]),
        "lead": nearest - _best_other(neighbors, belongs),
        "distractor_aware": _mean_of_best(
            neighbors.similarities - closeness, belongs, counts, n_best=3
        ),
        "none_closeness": none_closeness,
    }
    features = np.stack([columns[name] for name in FEATURES], axis=2).astype(np.float32)
    return Candidates(landmarks, np.where(landmarks[:, :, None] < 0, 0, features))


def _head_says(queries: Floats, gallery: Gallery, head: Head) -> tuple[Floats, Floats]:
    """[Q, C] log-odds of each landmark, and how far its logit is above that of none.

    A landmark without a column has the lowest log-odds; a head that cannot compare says 0.
    """
    has_images = np.isin(head.landmarks, np.flatnonzero(gallery.n_images))
    is_used = has_images | (head.landmarks < 0)
    logits = head.logits(queries)[:, is_used].astype(np.float64)
    landmarks = head.landmarks[is_used]
    shape = (len(queries), len(gallery.n_images))
    if len(landmarks) < 2:
        # One column alone is always sure of itself, which says nothing.
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    limit = _MOST_LOG_ODDS
    log_odds, over_none = np.full(shape, -limit, np.float32), np.zeros(shape, np.float32)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    others = shares.sum(axis=1, keepdims=True) - shares
    odds = np.log(np.maximum(shares, 1e-30)) - np.log(np.maximum(others, 1e-30))
    at = landmarks[landmarks >= 0]
    log_odds[:, at] = np.clip(odds, -limit, limit)[:, landmarks >= 0]
    if (landmarks < 0).any():
        above = logits[:, landmarks >= 0] - logits[:, landmarks < 0]
        over_none[:, at] = np.clip(above, -limit, 2 * limit)
    return log_odds, over_none


def _proposed(of_neighbor: Ints, log_odds: Floats, n_images: Ints) -> Ints:
    """[Q, M]: the first landmarks among the neighbours and by the head, each once, -1 at the end."""
    n_head = min(_PER_SOURCE, log_odds.shape[1])
    by_head = np.argpartition(-log_odds, n_head - 1, axis=1)[:, :n_head]
    sources = np.hstack([by_head, of_neighbor[:, :_PER_SOURCE]]).astype(np.int64)
    sources.sort(axis=1)
    repeats = np.zeros(sources.shape, np.bool_)
    repeats[:, 1:] = sources[:, 1:] == sources[:, :-1]
    sources[repeats | (n_images[sources] == 0)] = NO_LANDMARK
    return -np.sort(-sources, axis=1)


def _mean_of_best(values: Floats, belongs: Bools, counts: Ints, *, n_best: int) -> Floats:
    """[Q, M]: the mean of each candidate's `n_best` largest values, or of as many images as it has.

    An image that is not among the neighbours counts as the least of them.
    """
    floor = values.min(axis=1)[:, None, None] if values.shape[1] else np.float32(0)
    mine = np.where(belongs, values[:, None, :], floor)
    best = -np.sort(-mine, axis=2)[:, :, :n_best]
    places = np.arange(best.shape[2])
    used = np.clip(counts, 1, best.shape[2])[:, :, None]
    mean: Floats = (np.where(places < used, best, 0).sum(axis=2) / used[:, :, 0]).astype(np.float32)
    return mean


def _best_other(neighbors: Neighbors, belongs: Bools) -> Floats:
    """[Q, M]: the largest similarity of an image of another landmark; the least of all where none is near."""
    similarities = neighbors.similarities
    floor = similarities.min(axis=1)[:, None]
    others = np.where(belongs, floor[:, None], similarities[:, None, :])
    best: Floats = others.max(axis=2)
    return best
