"""How an image stands among others: how near its own landmark's images are, other landmarks', and distractors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.neighbors import ExactIndex, Neighbors

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NO_LANDMARK = -1
# One alike image may be chance, or wrong itself; more than three would ask too much of small landmarks.
N_VOTERS = 3
N_OTHERS = 3
N_DISTRACTORS = 5
# Of a landmark with more images, and of more distractors, so many are asked, evenly spaced.
MOST_VOTERS = 2_000
MOST_DISTRACTORS = 4_096
_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Shown:
    """Which images show which landmarks: pairs of `rows` and `codes` [P]; `n_landmarks` codes from 0 on.

    copy_groups: [N] images with the same number are copies of each other, and never speak for each other.
    """

    rows: Ints
    codes: Ints
    n_landmarks: int
    copy_groups: Ints

    def counts(self) -> Ints:
        """[C]: the images of each landmark."""
        return np.bincount(self.codes, minlength=self.n_landmarks).astype(np.int64)

    def images_of(self) -> list[Ints]:
        """The rows of each landmark's images, at most MOST_VOTERS, ascending."""
        order = np.lexsort((self.rows, self.codes))
        parts = np.split(self.rows[order], np.cumsum(self.counts())[:-1])
        return [evenly_spaced(part, MOST_VOTERS) for part in parts] if self.n_landmarks else []


@dataclass(frozen=True)
class Votes:
    """`landmarks` [Q, M] best first, NO_LANDMARK where there are no more; `similarities` [Q, M].

    Where there are no more, the similarity is that of the last neighbour, than which any other is further.
    """

    landmarks: Ints
    similarities: Floats


def evenly_spaced(rows: Ints, most: int) -> Ints:
    """`rows`, or `most` of them at even distances."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def own_similarity(vectors: Floats, shown: Shown) -> Floats:
    """[N]: the mean similarity of the 3 nearest images of the own landmark; NaN where it has no other image.

    Of an image that shows several, the landmark that supports it best. Itself and its copies do not count.
    """
    if not shown.n_landmarks:
        return np.full(len(vectors), np.nan, np.float32)
    best = np.full(len(vectors), -np.inf, np.float32)
    order = np.lexsort((shown.rows, shown.codes))
    parts = np.split(shown.rows[order], np.cumsum(shown.counts())[:-1])
    for rows, voters in zip(parts, shown.images_of(), strict=True):
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            asked = rows[start : start + _ROWS_AT_ONCE]
            means = similarity_to(vectors[asked], shown.copy_groups[asked], vectors, shown, voters)
            best[asked] = np.fmax(best[asked], np.where(np.isnan(means), -np.inf, means))
    return np.where(np.isneginf(best), np.nan, best).astype(np.float32)


def similarity_to(
    queries: Floats, query_groups: Ints, vectors: Floats, shown: Shown, voters: Ints
) -> Floats:
    """[Q]: the mean similarity of each query to the 3 nearest of `voters`, copies left out; NaN where none is left.

    query_groups: [Q] the queries' groups of copies, -1 for none.
    """
    if not len(voters):
        return np.full(len(queries), np.nan, np.float32)
    products = (queries @ vectors[voters].T).astype(np.float32)
    products[query_groups[:, None] == shown.copy_groups[voters][None, :]] = -np.inf
    best = -np.sort(-products, axis=1)[:, :N_VOTERS]
    counted = np.isfinite(best)
    sums, n_counted = np.where(counted, best, 0).sum(axis=1), counted.sum(axis=1)
    means = sums / np.maximum(n_counted, 1)
    return np.where(n_counted > 0, means, np.nan).astype(np.float32)


def other_landmarks(
    found: Neighbors, query_groups: Ints, own: Ints, main: Ints, shown: Shown,
    *, n_best: int = N_OTHERS,
) -> Votes:  # fmt: skip
    """The landmarks other than `own` that the nearest neighbours speak for, best first.

    found: [Q, K] neighbours, row -1 where there are no more. query_groups: [Q] groups of copies, which do not
    count. own: [Q, A] the landmarks of each query that are left out, NO_LANDMARK where there are fewer.
    main: [N] each image's main landmark.
    A landmark's similarity is the mean of its 3 nearest images (of all, where it has fewer); where fewer
    of them are among the neighbours, the last neighbour stands for those that are missing.
    """
    blocks = [
        _others(
            Neighbors(found.rows[i : i + _ROWS_AT_ONCE], found.similarities[i : i + _ROWS_AT_ONCE]),
            query_groups[i : i + _ROWS_AT_ONCE], own[i : i + _ROWS_AT_ONCE], main, shown, n_best,
        )
        for i in range(0, len(found.rows), _ROWS_AT_ONCE)
    ]  # fmt: skip
    if not blocks:
        return Votes(np.empty((0, n_best), np.int64), np.empty((0, n_best), np.float32))
    return Votes(
        np.concatenate([block.landmarks for block in blocks]),
        np.concatenate([block.similarities for block in blocks]),
    )


def _others(
    found: Neighbors, query_groups: Ints, own: Ints, main: Ints, shown: Shown, n_best: int
) -> Votes:  # fmt: skip
    landmarks = np.where(found.rows >= 0, main[found.rows], NO_LANDMARK)
    is_copy = shown.copy_groups[found.rows] == query_groups[:, None]
    counts = (landmarks >= 0) & ~((found.rows >= 0) & is_copy)
    counts &= (landmarks[:, :, None] != own[:, None, :]).all(axis=2)
    floor = np.where(found.rows >= 0, found.similarities, np.inf).min(axis=1, initial=np.inf)
    floor = np.where(np.isfinite(floor), floor, 0).astype(np.float32)
    queries, columns = np.nonzero(counts)
    codes, above = (
        landmarks[queries, columns],
        (found.similarities - floor[:, None])[queries, columns],
    )
    order = np.lexsort((-above, codes, queries))
    queries, codes, above = queries[order], codes[order], above[order]
    is_first = np.r_[True, (queries[1:] != queries[:-1]) | (codes[1:] != codes[:-1])][
        : len(queries)
    ]
    starts = np.flatnonzero(is_first)
    rank = np.arange(len(queries)) - np.repeat(starts, np.diff(np.r_[starts, len(queries)]))
    sums = np.add.reduceat(np.where(rank < N_VOTERS, above, 0), starts) if len(starts) else above
    of_query, of_code = queries[starts], codes[starts]
    voters = np.minimum(N_VOTERS, np.maximum(shown.counts()[of_code], 1)) if len(starts) else 1
    means = (sums / voters + floor[of_query]).astype(np.float32)
    return _best_first(of_query, of_code, means, floor, n_best=n_best)


def _best_first(queries: Ints, codes: Ints, means: Floats, floor: Floats, *, n_best: int) -> Votes:
    order = np.lexsort((codes, -means, queries))
    queries, codes, means = queries[order], codes[order], means[order]
    starts = np.searchsorted(queries, np.arange(len(floor)))
    rank = np.arange(len(queries)) - starts[queries] if len(queries) else queries
    kept = rank < n_best
    landmarks = np.full((len(floor), n_best), NO_LANDMARK, np.int64)
    similarities = np.repeat(floor[:, None], n_best, axis=1)
    landmarks[queries[kept], rank[kept]] = codes[kept]
    similarities[queries[kept], rank[kept]] = means[kept]
    return Votes(landmarks, similarities)


def nearest_distractors(
    queries: Floats, query_groups: Ints, vectors: Floats, distractors: Ints, shown: Shown
) -> Neighbors:
    """The 5 distractors nearest to each query [Q, 5], row -1 and similarity 0 where there are fewer.

    distractors: [Z] rows of `vectors`; of more than MOST_DISTRACTORS evenly spaced ones are asked.
    A query's copies, and itself, do not count.
    """
    asked = evenly_spaced(distractors, MOST_DISTRACTORS)
    rows = np.full((len(queries), N_DISTRACTORS), -1, np.int64)
    similarities = np.zeros((len(queries), N_DISTRACTORS), np.float32)
    if not len(asked):
        return Neighbors(rows, similarities)
    found = ExactIndex(vectors[asked]).search(queries, n_neighbors=4 * N_DISTRACTORS)
    named = asked[found.rows]
    is_copy = shown.copy_groups[named] == query_groups[:, None]
    order = np.argsort(is_copy, axis=1, kind="stable")[:, :N_DISTRACTORS]
    counts = ~np.take_along_axis(is_copy, order, axis=1)
    width = order.shape[1]
    rows[:, :width] = np.where(counts, np.take_along_axis(named, order, axis=1), -1)
    taken = np.take_along_axis(found.similarities, order, axis=1)
    similarities[:, :width] = np.where(counts, taken, 0)
    return Neighbors(rows, similarities)


def mean_similarity(found: Neighbors) -> Floats:
    """[Q]: the mean similarity of the neighbours that are there, 0 where there is none."""
    is_there = found.rows >= 0
    sums = np.where(is_there, found.similarities, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(sums / np.maximum(is_there.sum(axis=1), 1), np.float32)
