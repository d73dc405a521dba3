"""A map of descriptors: points in a plane, near where the descriptors are near; the same for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cairn.algorithms.neighbors import ExactIndex

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Field = npt.NDArray[np.complexfloating]

N_NEIGHBORS = 15
FEWEST_ROWS = 5
EXAGGERATION, N_EARLY, N_LATE = 12.0, 250, 500
N_STEPS = N_EARLY + N_LATE
LEAST_RATE, MOST_STEP = 50.0, 5.0
START_SPREAD = 1e-4
# Of all points, for each: what the sum of closenesses is never below, however coarse the grid is.
LEAST_CLOSENESS = 1e-3
# The kernel falls off over a distance of 1; cubic interpolation follows it closely over a quarter of that.
SPACING, COARSER, MARGIN = 0.25, 1.1, 4
GRID_SIDES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class Layout:
    """`positions` [N, 2] float32, the longer axis from -1 to 1, and the `nearest` other row of each, [N]."""

    positions: Singles
    nearest: Ints


def layout(
    vectors: Singles, *, rng: np.random.Generator, advance: Callable[[int], None] = lambda _: None
) -> Layout:
    """A t-SNE of `vectors` [N, D] of length one, by inner product; `advance` is told of each of N_STEPS steps.

    Attraction: each row to its 15 nearest, all alike. Repulsion: of all pairs, by Fourier transforms on a grid, so
    that a step costs about the same per row whatever N is. Rows that are equal lie side by side.
    One row has itself for its nearest.
    Source: Linderman et al., Nature Methods 16 (2019), arXiv:1712.09005; attraction as in Böhm, Berens, Kobak,
    arXiv:2007.08902; start and rates: Kobak, Berens, Nature Communications 10 (2019).
    """
    if len(vectors) < 2:
        return Layout(np.zeros((len(vectors), 2), np.float32), np.arange(len(vectors)))
    rows = nearest_rows(vectors, min(N_NEIGHBORS, len(vectors) - 1))
    start = _principal(vectors, rng)
    if len(vectors) < FEWEST_ROWS:
        return Layout(_framed(start), rows[:, 0])
    pulls = _Pulls.of(rows)
    points = start / max(float(start[:, 0].std()), 1e-12) * START_SPREAD
    points += rng.normal(0, START_SPREAD / 100, points.shape)
    return Layout(_framed(_descended(points, pulls, advance)), rows[:, 0])


def nearest_rows(vectors: Singles, n_neighbors: int) -> Ints:
    """[N, n_neighbors] the rows nearest to each, itself left out, nearest first."""
    found = ExactIndex(vectors).search(vectors, n_neighbors=n_neighbors + 1).rows
    is_own = found == np.arange(len(found))[:, None]
    # Equal rows may push a row out of its own neighbours; then the last of them is one too many.
    is_own[~is_own.any(axis=1), -1] = True
    return np.asarray(found[~is_own].reshape(len(found), n_neighbors))


@dataclass(frozen=True)
class _Pulls:
    """Pairs that attract each other, both ways round: row, other row, and the share of all attraction."""

    rows: Ints
    others: Ints
    shares: Floats
    n: int

    @staticmethod
    def of(neighbors: Ints) -> "_Pulls":
        n, k = neighbors.shape
        rows, others = np.repeat(np.arange(n), k), neighbors.ravel()
        both = np.concatenate([rows * n + others, others * n + rows])
        keys, counts = np.unique(both, return_counts=True)
        return _Pulls(keys // n, keys % n, counts / (2 * n * k), n)

    def forces(self, points: Floats) -> Floats:
        """[N, 2] where each row is pulled from, to be taken off."""
        apart = points[self.rows] - points[self.others]
        strength = self.shares / (1 + (apart**2).sum(axis=1))
        return np.stack(
            [np.bincount(self.rows, strength * apart[:, axis], self.n) for axis in (0, 1)], axis=1
        )


def _descended(points: Floats, pulls: _Pulls, advance: Callable[[int], None]) -> Floats:
    """The points after all steps: momentum, and a gain for each number that grows while its sign stays."""
    rate = max(len(points) / EXAGGERATION, LEAST_RATE)
    step, gains = np.zeros_like(points), np.ones_like(points)
    for number in range(N_STEPS):
        is_early = number < N_EARLY
        pull = pulls.forces(points) * (EXAGGERATION if is_early else 1.0)
        gradient = pull - pushes(points)
        is_turning = (gradient > 0) == (step > 0)
        gains = np.maximum(np.where(is_turning, gains * 0.8, gains + 0.2), 0.01)
        step = (0.5 if is_early else 0.8) * step - rate * gains * gradient
        length = np.sqrt((step**2).sum(axis=1, keepdims=True))
        step *= np.minimum(1, MOST_STEP / np.maximum(length, 1e-12))
        points = points + step
        points -= points.mean(axis=0)
        advance(1)
    return points


def pushes(points: Floats) -> Floats:
    """[N, 2] how far each of `points` is pushed away by all others, divided by the sum of all closenesses.

    The closeness of two points is 1 / (1 + distance²); each pushes by its square times the way between them.
    Read off a grid, where the sums over all points are products of Fourier transforms.
    """
    low = points.min(axis=0)
    extent = float((points - low).max())
    most = GRID_SIDES[-1] - MARGIN
    spacing = SPACING
    while extent / spacing > most:
        spacing *= COARSER
    side = next(side for side in GRID_SIDES if side >= extent / spacing + MARGIN)
    first, along = _nodes((points - low) / spacing + 1)
    around = np.arange(-1, 3)
    places = (first[:, 0] * side + first[:, 1])[:, None] + (around[:, None] * side + around).ravel()
    weights = (along[:, 0, :, None] * along[:, 1, None, :]).reshape(len(points), -1)
    density = np.bincount(places.ravel(), weights.ravel(), side * side).reshape(side, side)
    grid = np.fft.rfft2(density.astype(np.float32), s=(2 * side, 2 * side))
    closeness, *ways = (
        _read(np.fft.irfft2(grid * kernel, s=(2 * side, 2 * side)), side, places, weights)
        for kernel in _kernels(side, spacing)
    )
    total = float((closeness - _to_itself(along, spacing)).sum())
    return np.stack(ways, axis=1) / max(total, LEAST_CLOSENESS * len(points))


def _read(field: npt.NDArray[np.floating], side: int, places: Ints, weights: Floats) -> Floats:
    """[N] the value of a field on the grid at each point."""
    values: Floats = (field[:side, :side].ravel()[places] * weights).sum(axis=1, dtype=np.float64)
    return values


def _to_itself(along: Floats, spacing: float) -> Floats:
    """[N] the closeness of each point to itself as the grid has it: nearly 1, less where the grid is coarse."""
    shifted = [
        (along[..., : 4 - shift] * along[..., shift:]).sum(axis=-1) * (2 if shift else 1)
        for shift in range(4)
    ]
    overlap = np.stack(shifted, axis=-1)
    steps = (np.arange(4) * spacing) ** 2
    closeness = 1 / (1 + steps[:, None] + steps[None, :])
    own: Floats = ((overlap[:, 0] @ closeness) * overlap[:, 1]).sum(axis=1)
    return own


def _nodes(points: Floats) -> tuple[Ints, Floats]:
    """[N, 2] the node before each point, in units of the grid, and [N, 2, 4] the weights of the four around it."""
    first = np.floor(points).astype(np.int64)
    return first, _cubic(points - first)


def _cubic(t: Floats) -> Floats:
    """[..., 4] weights of the nodes at -1, 0, 1 and 2 for a place `t` between 0 and 1."""
    a, b, c = t + 1, t - 1, t - 2
    return np.stack([-t * b * c / 6, a * b * c / 2, -a * t * c / 2, a * t * b / 6], axis=-1)


@lru_cache(maxsize=2)
def _kernels(side: int, spacing: float) -> tuple[Field, Field, Field]:
    """The transforms of closeness, and of its square times the way between in x and in y, on the doubled grid."""
    steps = np.fft.fftfreq(2 * side, 1 / (2 * side)) * spacing
    x, y = steps[:, None], steps[None, :]
    closeness = 1 / (1 + x**2 + y**2)
    fields = (closeness, closeness**2 * x, closeness**2 * y)
    first, second, third = (np.fft.rfft2(field.astype(np.float32)) for field in fields)
    return first, second, third


def _principal(vectors: Singles, rng: np.random.Generator) -> Floats:
    """[N, 2] `vectors` along the two directions in which they differ most."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float32)
    basis = rng.standard_normal((vectors.shape[1], min(8, vectors.shape[1]))).astype(np.float32)
    for _ in range(8):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    seen = (centred @ basis).astype(np.float64)
    turns = np.linalg.eigh(seen.T @ seen)[1][:, ::-1][:, :2]
    return _both(seen @ turns)


def _both(flat: Floats) -> Floats:
    """Two columns, each turned so that its farthest value is positive; the second is zero where there is none."""
    padded = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    farthest = padded[np.abs(padded).argmax(axis=0), np.arange(2)]
    return np.where(farthest < 0, -padded, padded)


def _framed(points: Floats) -> Singles:
    """The points turned so that they are widest along x, centred, the longer axis from -1 to 1."""
    centred = points - points.mean(axis=0)
    turns = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    turned = _both(centred @ turns)
    turned -= (turned.min(axis=0) + turned.max(axis=0)) / 2
    return (turned / max(float(np.abs(turned).max()), 1e-12)).astype(np.float32)
