"""Groups of images that look alike, when nobody has said what they show."""

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError

MOST_ROWS = 10_000
N_CUTS = 40
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def alike_groups(vectors: FloatArray) -> IntArray:
    """The group of each row, numbered from 0 by size, the largest first; a row may be alone.

    vectors: [N, D] of length one. Groups are joined by average distance, and the tree is cut where the
    mean silhouette of 40 heights is best, so no likeness has to be named.
    Raises InputError above 10,000 rows, where the table of distances would not fit.
    """
    if len(vectors) > MOST_ROWS:
        raise InputError(
            f"{len(vectors):,} images are too many to be grouped at once; at most {MOST_ROWS:,} were "
            "expected; group a part of them at a time"
        )
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    distances = np.clip(1 - vectors @ vectors.T, 0, 2).astype(np.float32)
    merges = _average_linkage(distances)
    heights = np.quantile(merges[:, 2], np.linspace(0.1, 0.98, N_CUTS))
    cuts = [_cut(merges, len(vectors), height) for height in heights]
    best = max(cuts, key=lambda labels: silhouette(distances, labels))
    return _by_size(best)


def silhouette(distances: FloatArray, labels: IntArray) -> float:
    """How much nearer rows are to their own group than to the next, -1 to 1; a row alone counts 0.

    distances: [N, N]. labels: [N] from 0.
    Source: Rousseeuw, J. Comput. Appl. Math. 20 (1987).
    """
    n_groups = int(labels.max()) + 1
    if n_groups < 2:
        return -1.0
    member = np.zeros((len(labels), n_groups), dtype=np.float32)
    member[np.arange(len(labels)), labels] = 1
    sizes = member.sum(axis=0)
    sums = distances @ member
    own_size = sizes[labels]
    own = sums[np.arange(len(labels)), labels] / np.maximum(own_size - 1, 1)
    means = sums / sizes
    means[np.arange(len(labels)), labels] = np.inf
    other = means.min(axis=1)
    score = (other - own) / np.maximum(np.maximum(own, other), 1e-12)
    return float(np.where(own_size > 1, score, 0).mean())


def _average_linkage(distances: FloatArray) -> npt.NDArray[np.float64]:
    """[N-1, 3] merges as (row, row, height), unordered: the nearest-neighbour chain.

    Source: Murtagh, Comput. J. 26 (1983).
    """
    table = distances.copy()
    np.fill_diagonal(table, np.inf)
    sizes = np.ones(len(table))
    alive = np.ones(len(table), dtype=bool)
    merges: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(merges) < len(table) - 1:
        if not chain:
            chain = [int(alive.argmax())]
        top = chain[-1]
        nearest = int(table[top].argmin())
        if len(chain) > 1 and table[top, chain[-2]] <= table[top, nearest]:
            other = chain[-2]
            chain = chain[:-2]
            merges.append((top, other, float(table[top, other])))
            _merge(table, sizes, alive, keep=other, drop=top)
        else:
            chain.append(nearest)
    return np.array(merges).reshape(-1, 3)


def _merge(
    table: FloatArray,
    sizes: npt.NDArray[np.float64],
    alive: npt.NDArray[np.bool_],
    *,
    keep: int,
    drop: int,
) -> None:
    total = sizes[keep] + sizes[drop]
    joined = (sizes[keep] * table[keep] + sizes[drop] * table[drop]) / total
    joined[[keep, drop]] = np.inf
    table[keep] = table[:, keep] = joined
    table[drop] = table[:, drop] = np.inf
    sizes[keep] = total
    alive[drop] = False


def _cut(merges: npt.NDArray[np.float64], n: int, height: float) -> IntArray:
    """The group of each row where all merges up to `height` are done, numbered from 0."""
    from cairn.algorithms.duplicates import groups_of

    pairs = merges[merges[:, 2] <= height, :2].astype(np.int64)
    return np.unique(groups_of(n, pairs), return_inverse=True)[1].astype(np.int64)


def _by_size(labels: IntArray) -> IntArray:
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[labels].astype(np.int64)
