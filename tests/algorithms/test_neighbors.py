"""Exact neighbours against a full sort: ties by row, whatever the batch and the threads."""

import faiss
import numpy as np
import pytest

from cairn.algorithms.neighbors import ExactIndex
from cairn.base.errors import InputError

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(300, 24)).astype(np.float32)
QUERIES = RNG.normal(size=(40, 24)).astype(np.float32)


def test_the_neighbours_are_those_of_a_full_sort() -> None:
    found = ExactIndex(VECTORS).search(QUERIES, n_neighbors=10)
    products = QUERIES.astype(np.float64) @ VECTORS.T.astype(np.float64)
    rows = np.argsort(-products, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(
        found.similarities, np.take_along_axis(products, rows, 1), rtol=1e-4, atol=1e-5
    )


def test_equal_images_come_in_the_order_of_their_rows() -> None:
    copies = np.repeat(VECTORS[:3], 30, axis=0)
    found = ExactIndex(copies).search(VECTORS[1:2], n_neighbors=5)
    assert found.rows.tolist() == [[30, 31, 32, 33, 34]]


def test_batches_and_threads_change_no_bit() -> None:
    index, n_threads = ExactIndex(VECTORS), faiss.omp_get_max_threads()
    whole = index.search(QUERIES, n_neighbors=7)
    faiss.omp_set_num_threads(1)
    single = [index.search(query[None], n_neighbors=7) for query in QUERIES]
    faiss.omp_set_num_threads(n_threads)
    np.testing.assert_array_equal(whole.rows, np.vstack([each.rows for each in single]))
    similarities = np.vstack([each.similarities for each in single])
    np.testing.assert_array_equal(whole.similarities, similarities)


@pytest.mark.parametrize(("n_vectors", "n_found"), [(0, 0), (1, 1), (3, 3)])
def test_a_small_gallery_gives_all_it_has(n_vectors: int, n_found: int) -> None:
    found = ExactIndex(VECTORS[:n_vectors]).search(QUERIES, n_neighbors=5)
    assert found.rows.shape == found.similarities.shape == (40, n_found)


def test_no_query_gives_no_row() -> None:
    assert ExactIndex(VECTORS).search(QUERIES[:0], n_neighbors=5).rows.shape == (0, 5)


def test_queries_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="have 3 numbers per image, the index holds 24"):
        ExactIndex(VECTORS).search(QUERIES[:, :3], n_neighbors=1)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="not finite in 40 of 40 rows"):
        ExactIndex(VECTORS).search(QUERIES * np.float32(np.nan), n_neighbors=1)
