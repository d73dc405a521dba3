"""Exact nearest neighbours by FAISS: the same answer whatever the threads, batches and order of ties."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_SPARE = 8
_QUERIES_AT_ONCE = 4096
_MOST_NUMBERS_ONE_BY_ONE = 2_000
_QUERIES_GATHERED = 64


@dataclass(frozen=True)
class Neighbors:
    """`rows` [Q, K] and `similarities` [Q, K] of the nearest vectors, nearest first, ties by row."""

    rows: Ints
    similarities: Floats


class ExactIndex:
    """Vectors [N, D] that can be asked for the nearest to others, by inner product."""

    def __init__(self, vectors: Floats) -> None:
        import faiss  # late, because `cairn --help` needs none of it

        # Queries of fewer numbers are compared one by one, which since FAISS 1.15 is so up to 128,000: ten times slower
        # than by BLAS with 256 queries of 128, and slower from some 4 queries on.
        bounds = faiss.cvar
        bounds.distance_compute_blas_threshold = min(
            bounds.distance_compute_blas_threshold, _MOST_NUMBERS_ONE_BY_ONE
        )
        require_vectors(vectors, what="gallery descriptors")
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self._flat = faiss.IndexFlatIP(vectors.shape[1])
        self._flat.add(self.vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: Floats, *, n_neighbors: int) -> Neighbors:
        """The `n_neighbors` nearest to each of `queries` [Q, D]; all there are, where there are fewer.

        Raises InputError where the queries have another width than the index.
        """
        require_vectors(queries, what="queries")
        if queries.shape[1] != self.vectors.shape[1]:
            raise InputError(
                f"queries have {queries.shape[1]} numbers per image, the index holds "
                f"{self.vectors.shape[1]}; describe the queries with the model that built the index"
            )
        n_neighbors = min(n_neighbors, len(self))
        rows = np.empty((len(queries), n_neighbors), np.int64)
        similarities = np.empty((len(queries), n_neighbors), np.float32)
        if n_neighbors:
            for first in range(0, len(queries), _QUERIES_AT_ONCE):
                chunk = slice(first, first + _QUERIES_AT_ONCE)
                found = self._search_chunk(
                    np.ascontiguousarray(queries[chunk], np.float32), n_neighbors
                )
                rows[chunk], similarities[chunk] = found
        return Neighbors(rows, similarities)

    def _search_chunk(self, queries: Floats, n_neighbors: int) -> tuple[Ints, Floats]:
        # FAISS adds up in an order that depends on batch and threads, so some spare neighbours are
        # taken, their products added up again in one fixed order, and ties at the edge looked through.
        n_asked = min(n_neighbors + _SPARE, len(self))
        while True:
            rough, rows = self._flat.search(queries, n_asked)
            edge = rough[:, n_neighbors - 1] - 1e-5
            if n_asked == len(self) or bool((rough[:, -1] < edge).all()):
                break
            n_asked = min(2 * n_asked, len(self))
        rows = np.sort(rows, axis=1).astype(np.int64)
        exact = self._products(queries, rows)
        order = np.argsort(-exact, axis=1, kind="stable")[:, :n_neighbors]
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(exact, order, axis=1)

    def _products(self, queries: Floats, rows: Ints) -> Floats:
        """[Q, K]: the inner product of each query with its rows, each added up by itself."""
        found = np.empty(rows.shape, np.float32)
        # The vectors of some queries at a time, which would not fit into memory all together.
        for first in range(0, len(queries), _QUERIES_GATHERED):
            few = slice(first, first + _QUERIES_GATHERED)
            products = self.vectors[rows[few]]
            products *= queries[few, None]
            found[few] = products.sum(axis=2, dtype=np.float64)
        return found
