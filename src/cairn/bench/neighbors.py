"""What finding the neighbours of all among all costs, from a thousand descriptors to a million."""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.inverted_lists import EXACT_UP_TO, neighbors_among, recall_among
from cairn.base.settings import NeighborsBenchSettings
from cairn.base.watching import Watch

Floats = npt.NDArray[np.float32]

# As descriptors of landmarks lie: some photos of each landmark, some landmarks of each sort of building.
_PHOTOS_A_LANDMARK, _LANDMARKS_A_SORT = 20, 30
_SPREAD_OF_LANDMARKS, _SPREAD_OF_PHOTOS = 1.0, 0.9
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class NeighborsRow:
    """One number of descriptors: what finding all neighbours took, and the share of the true ones among them.

    peak_bytes: the most memory that the process ever took, up to here.
    """

    n_vectors: int
    is_exact: bool
    seconds: float
    recall: float
    peak_bytes: int


def bench_neighbors(settings: NeighborsBenchSettings, *, watch: Watch) -> list[NeighborsRow]:
    """A row for each number of descriptors, ascending."""
    return [_measured(n, settings, watch) for n in sorted(settings.sizes)]


def growth(rows: Sequence[NeighborsRow]) -> list[float | None]:
    """How time grew from the row before each, as a power of the number of descriptors: 1 is linear, 2 the square."""
    found: list[float | None] = [None] * len(rows)
    for i in range(1, len(rows)):
        times = rows[i].n_vectors / rows[i - 1].n_vectors
        if times > 1:
            found[i] = float(np.log(rows[i].seconds / rows[i - 1].seconds) / np.log(times))
    return found


def made_up(n: int, width: int, *, seed: int) -> Floats:
    """`n` descriptors [n, width] of length one, in clusters of clusters, in mixed order."""
    rng = np.random.default_rng(seed)
    n_landmarks = max(1, n // _PHOTOS_A_LANDMARK)
    sorts = rng.standard_normal((max(1, n_landmarks // _LANDMARKS_A_SORT), width), np.float32)
    landmarks = sorts[rng.integers(0, len(sorts), n_landmarks)]
    landmarks += _SPREAD_OF_LANDMARKS * rng.standard_normal(landmarks.shape, np.float32)
    vectors = np.empty((n, width), np.float32)
    for first in range(0, n, _ROWS_AT_ONCE):
        block = vectors[first : first + _ROWS_AT_ONCE]
        block[:] = landmarks[rng.integers(0, n_landmarks, len(block))]
        block += _SPREAD_OF_PHOTOS * rng.standard_normal(block.shape, np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def _measured(n: int, settings: NeighborsBenchSettings, watch: Watch) -> NeighborsRow:
    vectors = made_up(n, settings.width, seed=settings.seed)
    with watch.phase(f"neighbours of {n:,}", n) as advance:
        started = time.perf_counter()
        found = neighbors_among(vectors, settings.n_neighbors, seed=settings.seed, advance=advance)
        seconds = time.perf_counter() - started
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    recall = recall_among(found, vectors, seed=settings.seed)
    return NeighborsRow(n, n <= EXACT_UP_TO, seconds, recall, peak_bytes)
