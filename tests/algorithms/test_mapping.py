"""The map keeps neighbours together, is the same again, and its quick repulsion is that of the slow sum."""

import numpy as np
import numpy.typing as npt
import pytest

from cairn.algorithms.mapping import N_STEPS, Layout, layout, nearest_rows, pushes

Singles = npt.NDArray[np.float32]


def clusters(n_clusters: int, n_each: int, *, width: int = 32, seed: int = 0) -> Singles:
    """[n_clusters * n_each, width] of length one, cluster after cluster."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(n_clusters, width)), n_each, axis=0)
    vectors = centres + 0.4 * rng.normal(size=centres.shape)
    shortened: Singles = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return shortened


def mapped(vectors: Singles, seed: int = 0) -> Layout:
    return layout(vectors, rng=np.random.default_rng(seed))


def slow_pushes(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found, total = np.zeros_like(points), 0.0
    for i, point in enumerate(points):
        for j, other in enumerate(points):
            if i != j:
                closeness = 1 / (1 + ((point - other) ** 2).sum())
                total += closeness
                found[i] += closeness**2 * (point - other)
    return found / total


@pytest.mark.parametrize(
    ("spread", "within"), [(1e-4, 0.05), (1.0, 0.02), (20.0, 0.02), (60.0, 0.2)]
)
def test_the_push_read_off_a_grid_is_the_sum_over_all_points(spread: float, within: float) -> None:
    points = np.random.default_rng(1).normal(0, spread, (80, 2))
    expected = slow_pushes(points)
    assert np.abs(pushes(points) - expected).max() < within * np.abs(expected).max()


def test_points_far_beyond_any_map_are_pushed_in_bounds() -> None:
    points = np.random.default_rng(1).normal(0, 3000, (80, 2))
    assert np.abs(pushes(points)).max() < 20


def test_neighbours_on_the_map_are_of_one_cluster() -> None:
    vectors, n_each = clusters(8, 40), 40
    found = mapped(vectors).positions
    apart = ((found[:, None] - found[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    assert (nearest // n_each == np.arange(len(vectors)) // n_each).mean() > 0.97


def test_the_map_fills_its_frame_and_is_wider_than_high() -> None:
    found = mapped(clusters(5, 30)).positions
    assert found.dtype == np.float32
    assert np.abs(found).max() == pytest.approx(1)
    low, high = found.min(axis=0), found.max(axis=0)
    assert low + high == pytest.approx(0, abs=1e-5)


def test_the_same_seed_makes_the_same_map() -> None:
    vectors = clusters(4, 30)
    assert np.array_equal(mapped(vectors).positions, mapped(vectors).positions)


def test_every_step_is_told() -> None:
    steps: list[int] = []
    layout(clusters(2, 10), rng=np.random.default_rng(0), advance=steps.append)
    assert sum(steps) == N_STEPS


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 17])
def test_few_rows_have_a_map_too(n: int) -> None:
    vectors = clusters(1, n) if n else np.empty((0, 32), np.float32)
    found = mapped(vectors)
    assert found.positions.shape == (n, 2)
    assert np.isfinite(found.positions).all()
    assert found.nearest.shape == (n,)


def test_equal_rows_have_a_map_too() -> None:
    vectors = np.repeat(clusters(1, 1), 60, axis=0)
    found = mapped(vectors)
    assert np.isfinite(found.positions).all()
    assert (found.nearest != np.arange(60)).all()


def test_one_number_a_row_is_enough() -> None:
    found = mapped(np.ones((30, 1), np.float32))
    assert np.isfinite(found.positions).all()


def test_the_nearest_rows_are_those_of_the_slow_search() -> None:
    vectors = clusters(3, 20)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    expected = np.argsort(-likeness, axis=1, kind="stable")[:, :5]
    assert np.array_equal(nearest_rows(vectors, 5), expected)
