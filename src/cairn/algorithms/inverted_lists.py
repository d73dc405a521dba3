"""The nearest neighbours of every vector among all others: exact up to a size, by inverted lists above it.

Exactly, the work grows with the square of the number of vectors. Above 100,000 the vectors are therefore
dealt to lists by their nearest of some thousand centres, and only the lists nearest to a vector are
looked through: so many that a sample of vectors finds nearly all of its true neighbours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cairn.algorithms.neighbors import ExactIndex, Neighbors
from cairn.base.checks import require_vectors
from cairn.base.watching import Advance

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EXACT_UP_TO = 100_000
WANTED_RECALL = 0.97
N_SAMPLE = 500
# So many vectors teach where a centre lies.
_ROWS_A_CENTRE = 40
_ROUNDS = 8
_ROWS_AT_ONCE = 8_192
# Two ways of adding up the same product differ by less than this.
_SAME = 1e-5


class Index(Protocol):
    """Vectors that can be asked for the nearest to others."""

    def search(self, queries: Floats, *, n_neighbors: int) -> Neighbors:
        """The `n_neighbors` nearest to each of `queries` [Q, D], nearest first, ties by row."""
        ...


def open_index(
    vectors: Floats, n_neighbors: int, *, exact_up_to: int = EXACT_UP_TO, seed: int = 0
) -> Index:
    """An index of `vectors` [N, D]: exact up to so many, above by lists that find nearly all of so many neighbours.

    The seed chooses the vectors by which the lists are made.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if len(vectors) <= exact_up_to:
        return ExactIndex(vectors)
    require_vectors(vectors, what="descriptors")
    return _Lists.of(vectors, n_neighbors, seed=seed)


def neighbors_among(
    vectors: Floats,
    n_neighbors: int,
    *,
    index: Index | None = None,
    exact_up_to: int = EXACT_UP_TO,
    seed: int = 0,
    advance: Advance = lambda steps: None,
) -> Neighbors:
    """The `n_neighbors` nearest of the others for each of `vectors` [N, D], itself left out; all others where there are fewer.

    By inner product, nearest first, ties by row. Up to `exact_up_to` vectors none is missed; above, `recall_among`
    says how many are. index: of these vectors, where there is one already; else `open_index` makes one.
    advance: told the number of vectors that were just looked up.
    """
    require_vectors(vectors, what="descriptors")
    vectors = np.ascontiguousarray(vectors, np.float32)
    n_found = max(0, min(n_neighbors, len(vectors) - 1))
    rows = np.empty((len(vectors), n_found), np.int64)
    similarities = np.empty((len(vectors), n_found), np.float32)
    if not n_found:
        return Neighbors(rows, similarities)
    if index is None:
        index = open_index(vectors, n_found, exact_up_to=exact_up_to, seed=seed)
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        block = slice(first, min(first + _ROWS_AT_ONCE, len(vectors)))
        found = index.search(vectors[block], n_neighbors=n_found + 1)
        rows[block], similarities[block] = _without_self(found, first)
        advance(block.stop - block.start)
    return Neighbors(rows, similarities)


def recall_among(
    found: Neighbors, vectors: Floats, *, n_sample: int = N_SAMPLE, seed: int = 0
) -> float:
    """The share of the true neighbours that `found` has, measured exactly on a sample of `vectors` [N, D]; 1 for none.

    A neighbour that is as near as the true one in its place counts, whichever of equal vectors it is.
    """
    n_found = found.rows.shape[1]
    if not n_found:
        return 1.0
    sample = _sample(len(vectors), n_sample, seed + 1)
    exact = _exactly(vectors[sample], vectors, n_found + 1)
    _, true = _without_self(exact, sample)
    ours = found.similarities[sample]
    return float((ours >= true[:, -1:] - _SAME).mean())


@dataclass(frozen=True)
class _Lists:
    """Vectors in lists by their nearest centre, and how many lists are looked through."""

    vectors: Floats
    index: Any  # FAISS ships no types

    @staticmethod
    def of(vectors: Floats, n_found: int, *, seed: int) -> "_Lists":
        import faiss  # late, because `cairn --help` needs none of it

        width = vectors.shape[1]
        n_lists = max(1, min(round(4 * len(vectors) ** 0.5), len(vectors) // _ROWS_A_CENTRE))
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(width), width, n_lists, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.seed, index.cp.spherical = _ROUNDS, seed + 1, True
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = _ROWS_A_CENTRE
        index.train(vectors[_sample(len(vectors), n_lists * _ROWS_A_CENTRE, seed)])
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            index.add(vectors[first : first + _ROWS_AT_ONCE])
        return _Lists(vectors, index)._looking_far_enough(n_found, seed)

    def _looking_far_enough(self, n_found: int, seed: int) -> "_Lists":
        """So many lists are looked through that a sample finds the wanted share of its neighbours."""
        sample = _sample(len(self.vectors), N_SAMPLE, seed + 2)
        true = _exactly(self.vectors[sample], self.vectors, n_found + 1).similarities[:, -1:]
        self.index.nprobe = 1
        while self.index.nprobe < self.index.nlist:
            ours, _ = self.index.search(self.vectors[sample], n_found + 1)
            if float((ours >= true - _SAME).mean()) >= WANTED_RECALL:
                break
            self.index.nprobe = min(self.index.nlist, 2 * self.index.nprobe)
        return self

    def search(self, queries: Floats, *, n_neighbors: int) -> Neighbors:
        similarities, rows = self.index.search(queries, n_neighbors)
        has_too_few = np.flatnonzero((rows < 0).any(axis=1))
        if has_too_few.size:
            exact = _exactly(queries[has_too_few], self.vectors, n_neighbors)
            rows[has_too_few], similarities[has_too_few] = exact.rows, exact.similarities
        order = np.lexsort((rows, -similarities), axis=1)
        return Neighbors(
            np.take_along_axis(rows, order, axis=1).astype(np.int64),
            np.take_along_axis(similarities, order, axis=1),
        )


def _exactly(queries: Floats, vectors: Floats, n_neighbors: int) -> Neighbors:
    import faiss

    search: Callable[..., tuple[Floats, Ints]] = faiss.knn
    similarities, rows = search(
        np.ascontiguousarray(queries),
        np.ascontiguousarray(vectors),
        n_neighbors,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return Neighbors(rows.astype(np.int64), similarities)


def _sample(n: int, n_wanted: int, seed: int) -> Ints:
    """At most `n_wanted` of the rows 0 to n - 1, ascending."""
    if n <= n_wanted:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n, n_wanted, replace=False)).astype(np.int64)


def _without_self(found: Neighbors, own: int | Ints) -> tuple[Ints, Floats]:
    """Rows and similarities [Q, K - 1] without each query's own row, or without the last where that was not found.

    own: the row of each query, or of the first where they follow one another.
    """
    n_queries, n_found = found.rows.shape
    own_rows = own + np.arange(n_queries) if isinstance(own, int) else own
    is_own = found.rows == own_rows[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    shape = (n_queries, n_found - 1)
    return found.rows[~is_own].reshape(shape), found.similarities[~is_own].reshape(shape)
