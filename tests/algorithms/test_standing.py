import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import (
    NO_LANDMARK,
    Shown,
    evenly_spaced,
    mean_similarity,
    nearest_distractors,
    other_landmarks,
    own_similarity,
    similarity_to,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def world(seed: int, n: int = 24, n_landmarks: int = 4) -> tuple[Floats, Ints, Shown]:
    """Vectors, main landmarks (some none), and who shows what; two rows are copies."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    main = rng.integers(-1, n_landmarks, n)
    groups = np.arange(n)
    groups[5] = 2
    rows = np.flatnonzero(main >= 0)
    return vectors, main, Shown(rows, main[rows], n_landmarks, groups)


def everyone(vectors: Floats, k: int) -> Neighbors:
    products = (vectors @ vectors.T).astype(np.float32)
    np.fill_diagonal(products, -9)
    rows = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return Neighbors(rows.astype(np.int64), np.take_along_axis(products, rows, axis=1))


def slow_mean(row: int, among: list[int], vectors: Floats, shown: Shown) -> float:
    groups = shown.copy_groups
    values = sorted(
        (float(vectors[row] @ vectors[j]) for j in among if groups[j] != groups[row]), reverse=True
    )
    return float(np.mean(values[:3])) if values else float("nan")


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_the_own_similarity_is_that_of_the_slow_way(seed: int) -> None:
    vectors, main, shown = world(seed)
    slow = [
        slow_mean(row, np.flatnonzero(main == main[row]).tolist(), vectors, shown)
        if main[row] >= 0
        else float("nan")
        for row in range(len(main))
    ]
    assert np.allclose(own_similarity(vectors, shown), slow, atol=1e-5, equal_nan=True)


def test_an_image_of_two_landmarks_stands_with_the_one_that_supports_it_best() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    shown = Shown(np.array([0, 0, 1, 3]), np.array([0, 1, 0, 1]), 2, np.arange(4))
    assert own_similarity(vectors, shown).tolist()[0] == 1


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_with_all_as_neighbours_the_other_landmarks_are_those_of_the_slow_way(seed: int) -> None:
    vectors, main, shown = world(seed)
    found = other_landmarks(
        everyone(vectors, len(main) - 1), shown.copy_groups, main[:, None], main, shown, n_best=4
    )
    for row in range(len(main)):
        slow = {
            code: slow_mean(row, np.flatnonzero(main == code).tolist(), vectors, shown)
            for code in set(main.tolist()) - {NO_LANDMARK, int(main[row])}
        }
        given = dict(
            zip(found.landmarks[row].tolist(), found.similarities[row].tolist(), strict=True)
        )
        for code, value in slow.items():
            # A copy takes one of few voters away, and then the last neighbour stands for it.
            if not np.isnan(value) and not (shown.copy_groups == shown.copy_groups[row]).sum() > 1:
                assert abs(given[code] - value) < 1e-5
        listed = [one for one in found.landmarks[row].tolist() if one >= 0]
        assert int(main[row]) not in listed
        values = found.similarities[row][: len(listed)]
        assert (np.diff(values) <= 0).all()


def test_images_that_are_no_neighbours_count_as_far_as_the_last_one() -> None:
    main = np.array([0, 1, 1, 1, 2])
    shown = Shown(np.arange(5), main, 3, np.arange(5))
    found = Neighbors(np.array([[1, 4, -1]]), np.array([[0.9, 0.3, 0.0]], np.float32))
    votes = other_landmarks(found, np.array([0]), np.array([[0]]), main, shown)
    assert votes.landmarks.tolist() == [[1, 2, NO_LANDMARK]]
    assert np.allclose(votes.similarities, [[(0.9 + 0.3 + 0.3) / 3, 0.3, 0.3]])


def test_without_neighbours_there_is_no_other_landmark() -> None:
    shown = Shown(np.array([0]), np.array([0]), 1, np.arange(1))
    found = Neighbors(np.full((1, 2), -1), np.zeros((1, 2), np.float32))
    votes = other_landmarks(found, np.array([0]), np.array([[0]]), np.array([0]), shown)
    assert votes.landmarks.tolist() == [[NO_LANDMARK] * 3]
    empty = Neighbors(np.empty((0, 2), np.int64), np.empty((0, 2), np.float32))
    none = other_landmarks(
        empty, np.empty(0, np.int64), np.empty((0, 1), np.int64), np.array([0]), shown
    )
    assert none.landmarks.shape == (0, 3)


def test_copies_and_the_image_itself_never_speak_for_it() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    shown = Shown(np.arange(3), np.zeros(3, np.int64), 1, np.array([0, 0, 2]))
    assert own_similarity(vectors, shown).tolist() == [0, 0, 0]
    alone = similarity_to(vectors[:1], np.array([0]), vectors, shown, np.array([0, 1]))
    assert np.isnan(alone).all()


def test_the_nearest_distractors_leave_the_image_and_its_copies_out() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    shown = Shown(np.empty(0, np.int64), np.empty(0, np.int64), 0, np.array([0, 0, 2, 3]))
    found = nearest_distractors(vectors[:1], np.array([0]), vectors, np.array([0, 1, 2, 3]), shown)
    assert found.rows.tolist() == [[2, 3, -1, -1, -1]]
    assert mean_similarity(found).tolist() == [np.float32(0.4)]
    none = nearest_distractors(vectors, np.arange(4), vectors, np.empty(0, np.int64), shown)
    assert (none.rows == -1).all()
    assert mean_similarity(none).tolist() == [0, 0, 0, 0]


def test_evenly_spaced_rows_keep_both_ends() -> None:
    assert evenly_spaced(np.arange(100), 3).tolist() == [0, 49, 99]
    assert evenly_spaced(np.arange(2), 3).tolist() == [0, 1]
