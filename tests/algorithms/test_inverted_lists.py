"""Neighbours among all against a full sort, by both ways; and what is measured of what lists miss."""

import faiss
import numpy as np
import pytest

from cairn.algorithms.inverted_lists import neighbors_among, open_index, recall_among
from cairn.algorithms.neighbors import Neighbors
from cairn.base.errors import InputError
from cairn.bench.neighbors import made_up

VECTORS = np.random.default_rng(0).normal(size=(300, 24)).astype(np.float32)


def slowly(vectors: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and similarities of a full sort of every other vector."""
    products = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(products, -np.inf)
    rows = np.argsort(-products, axis=1, kind="stable")[:, :n_neighbors]
    return rows, np.take_along_axis(products, rows, axis=1)


def test_the_neighbours_are_those_of_a_full_sort_and_never_the_vector_itself() -> None:
    found, (rows, similarities) = neighbors_among(VECTORS, 7), slowly(VECTORS, 7)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.similarities, similarities, rtol=1e-4, atol=1e-5)


def test_lists_find_nearly_all_of_them_and_say_how_many() -> None:
    vectors = made_up(5_000, 32, seed=3)
    found, (rows, _) = neighbors_among(vectors, 10, exact_up_to=1_000), slowly(vectors, 10)
    hits = np.mean(
        [len(set(a) & set(b)) for a, b in zip(found.rows.tolist(), rows.tolist(), strict=True)]
    )
    assert hits / 10 > 0.95
    assert recall_among(found, vectors) == pytest.approx(hits / 10, abs=0.02)
    assert not (found.rows == np.arange(5_000)[:, None]).any()


def test_lists_give_the_nearest_first_and_enough_of_them() -> None:
    vectors = made_up(3_000, 16, seed=4)
    found = neighbors_among(vectors, 200, exact_up_to=100)
    assert found.rows.shape == (3_000, 200)
    assert (found.rows >= 0).all()
    assert (np.diff(found.similarities, axis=1) <= 1e-6).all()


def test_the_same_seed_gives_the_same_neighbours_on_one_thread() -> None:
    vectors, n_threads = made_up(2_000, 16, seed=5), faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    first, second = (neighbors_among(vectors, 5, exact_up_to=100, seed=9) for _ in range(2))
    faiss.omp_set_num_threads(n_threads)
    np.testing.assert_array_equal(first.rows, second.rows)


def test_of_equal_vectors_each_finds_the_others() -> None:
    vectors = np.repeat(VECTORS[:2], 5, axis=0)
    found = neighbors_among(vectors, 4)
    assert [set(row) for row in found.rows.tolist()] == [
        set(range(5 * (i // 5), 5 * (i // 5) + 5)) - {i} for i in range(10)
    ]


def test_more_equal_vectors_than_are_asked_for_leave_no_vector_with_itself() -> None:
    found = neighbors_among(np.repeat(VECTORS[:1], 50, axis=0), 3)
    assert found.rows.shape == (50, 3)
    assert not (found.rows == np.arange(50)[:, None]).any()


@pytest.mark.parametrize(("n_vectors", "n_found"), [(0, 0), (1, 0), (2, 1), (4, 3)])
def test_a_few_vectors_give_all_the_others(n_vectors: int, n_found: int) -> None:
    found = neighbors_among(VECTORS[:n_vectors], 5)
    assert found.rows.shape == found.similarities.shape == (n_vectors, n_found)
    assert recall_among(found, VECTORS[:n_vectors]) == 1


def test_an_index_that_is_there_is_used_again() -> None:
    index = open_index(VECTORS, 5)
    np.testing.assert_array_equal(
        neighbors_among(VECTORS, 5, index=index).rows, neighbors_among(VECTORS, 5).rows
    )


def test_every_vector_is_told_as_done() -> None:
    told: list[int] = []
    neighbors_among(VECTORS, 5, advance=told.append)
    assert sum(told) == len(VECTORS)


def test_recall_of_nonsense_is_low() -> None:
    rows = np.tile(np.arange(10), (300, 1))
    similarities = np.full((300, 10), -9, np.float32)
    assert recall_among(Neighbors(rows, similarities), VECTORS) == 0


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="not finite in 300 of 300 rows"):
        neighbors_among(VECTORS * np.float32(np.nan), 5)
