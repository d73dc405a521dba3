"""The bench of neighbours: a row for each size, recall of the exact way 1, growth as a power."""

import numpy as np
import pytest

from cairn.base.settings import NeighborsBenchSettings
from cairn.base.watching import Silent
from cairn.bench.neighbors import NeighborsRow, bench_neighbors, growth, made_up


def test_each_size_is_measured_and_the_exact_way_misses_nothing() -> None:
    settings = NeighborsBenchSettings(sizes=(300, 100), width=16, n_neighbors=5)
    rows = bench_neighbors(settings, watch=Silent())
    assert [row.n_vectors for row in rows] == [100, 300]
    assert all(row.is_exact and row.recall == 1 and row.seconds > 0 for row in rows)


def test_growth_is_the_power_of_the_number() -> None:
    rows = [NeighborsRow(n, True, s, 1.0, 0) for n, s in ((10, 1.0), (100, 10.0), (200, 40.0))]
    assert growth(rows) == [None, pytest.approx(1), pytest.approx(2)]


def test_made_up_descriptors_have_length_one_and_photos_of_one_landmark_are_near() -> None:
    vectors = made_up(2_000, 64, seed=1)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    products = vectors @ vectors.T
    np.fill_diagonal(products, -1)
    assert np.median(products.max(axis=1)) > 0.6
    assert np.median(products) < 0.3
    np.testing.assert_array_equal(vectors, made_up(2_000, 64, seed=1))
