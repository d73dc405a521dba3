import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.geometry import Model, matches, verified
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

TILTED = np.array([[0.9, 0.2, 30.0], [-0.15, 1.1, 12.0], [2e-4, -1e-4, 1.0]])
TURNED = np.array([[0.8, -0.3, 100.0], [0.3, 0.8, 5.0], [0.0, 0.0, 1.0]])
MIRRORED = np.array([[-1.0, 0.0, 500.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def unit_rows(rng: np.random.Generator, n: int, width: int = 8) -> Floats:
    rows = np.abs(rng.normal(size=(n, width))).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def slow_matches(a: Floats, b: Floats, ratio: float) -> list[tuple[int, int]]:
    found = []
    for i in range(len(a)):
        there = [float(np.linalg.norm(a[i] - b[j])) for j in range(len(b))]
        j = int(np.argmin(there))
        back = [float(np.linalg.norm(a[k] - b[j])) for k in range(len(a))]
        second = min([d for k, d in enumerate(there) if k != j], default=2.0)
        second_back = min([d for k, d in enumerate(back) if k != i], default=2.0)
        if int(np.argmin(back)) == i and there[j] <= ratio * min(second, second_back):
            found.append((i, j))
    return found


def mapped(points: Floats, matrix: npt.NDArray[np.float64]) -> Floats:
    rows = np.c_[points, np.ones(len(points))] @ matrix.T
    return np.asarray(rows[:, :2] / rows[:, 2:], np.float32)


def pair(
    matrix: npt.NDArray[np.float64], *, n_true: int = 40, n_false: int = 60, seed: int = 0
) -> tuple[Floats, Floats, Ints]:
    """Points of two images; the first `n_true` matches follow `matrix`, the rest lie anywhere."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, 500, (n_true + n_false, 2)).astype(np.float32)
    b = mapped(a, matrix)
    b[n_true:] = rng.uniform(0, 500, (n_false, 2))
    rows = np.arange(len(a), dtype=np.int64)
    return a, b, np.stack([rows, rows], axis=1)


def plain_matches(a: Floats, b: Floats, ratio: float) -> list[list[int]]:
    """One pair after the other, the first row of equally near ones."""
    products, found = a @ b.T, []
    for i in range(len(a)):
        j = int(products[i].argmax())
        if int(products[:, j].argmax()) != i:
            continue
        rest = [*np.delete(products[i], j), *np.delete(products[:, j], i), np.float32(-1)]
        near, second = (np.maximum(2 - 2 * one, 0) for one in (products[i, j], max(rest)))
        if second > near / np.float32(ratio**2):
            found.append([i, j])
    return found


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_matches_are_those_of_the_plain_way_where_many_are_equally_near(
    n_a: int, n_b: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Four halves of eight: of length one, with products that are exact in whatever order they are added up.
    a, b = (
        np.stack([rng.permutation(np.repeat([0.5, 0], 4)) for _ in range(n)]).astype(np.float32)
        for n in (n_a, n_b)
    )
    ratio = float(rng.choice([0.6, 0.85, 1.0]))
    assert matches(a, b, ratio=ratio).tolist() == plain_matches(a, b, ratio)


def test_matches_of_many_points_are_those_of_the_plain_way() -> None:
    rng = np.random.default_rng(4)
    a = unit_rows(rng, 300, width=128)
    b = unit_rows(rng, 250, width=128)
    b[:200] = a[50:250] + 0.02 * b[:200]
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    found = matches(a, b)
    assert found.tolist() == plain_matches(a, b, 0.85)
    assert len(found) > 150


def test_points_are_matched_without_changing_them() -> None:
    rng = np.random.default_rng(2)
    a, b = unit_rows(rng, 30), unit_rows(rng, 20)
    before = a.copy(), b.copy()
    matches(a, b)
    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.01])
def test_a_ratio_that_is_none_is_told(ratio: float) -> None:
    with pytest.raises(InputError, match="above 0 and at most 1"):
        matches(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), ratio=ratio)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_matches_are_those_of_the_slow_way(n_a: int, n_b: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = unit_rows(rng, n_a), unit_rows(rng, n_b)
    found = matches(a, b, ratio=0.8)
    assert found.dtype == np.int64
    assert [tuple(pair) for pair in found.tolist()] == (slow_matches(a, b, 0.8) if n_b else [])


def test_a_point_with_two_partners_alike_has_none() -> None:
    a = np.eye(4, dtype=np.float32)[:1]
    b = np.repeat(a, 2, axis=0)
    assert not len(matches(a, b))
    assert matches(a, b[:1]).tolist() == [[0, 0]]


@pytest.mark.parametrize(("model", "matrix"), [("homography", TILTED), ("similarity", TURNED)])
def test_the_matches_that_agree_are_found_among_more_that_do_not(
    model: Model, matrix: npt.NDArray[np.float64]
) -> None:
    a, b, rows = pair(matrix)
    found = verified(a, b, rows, model=model)
    assert found is not None
    assert set(range(40)) <= set(found.inliers.tolist())
    assert len(found.inliers) < 44
    assert found.n_matches == 100
    assert found.surprise > 8
    assert np.abs(mapped(a[:40], found.matrix) - b[:40]).max() < 1


def test_still_things_that_are_not_flat_agree_on_a_fundamental_matrix() -> None:
    rng = np.random.default_rng(3)
    things = rng.uniform([-1, -1, 4], [1, 1, 6], (80, 3))
    a = (things[:, :2] / things[:, 2:] * 500 + 250).astype(np.float32)
    moved = things + np.array([0.6, 0.1, 0.2])
    b = (moved[:, :2] / moved[:, 2:] * 500 + 250).astype(np.float32)
    b[50:] = rng.uniform(0, 500, (30, 2))
    rows = np.stack([np.arange(80)] * 2, axis=1)
    found = verified(a, b, rows, model="fundamental")
    assert found is not None
    assert len(set(range(50)) - set(found.inliers.tolist())) < 5
    ends = np.c_[b[:50], np.ones(50)]
    lines = np.c_[a[:50], np.ones(50)] @ found.matrix.T
    off = np.abs((ends * lines).sum(axis=1)) / np.linalg.norm(lines[:, :2], axis=1)
    assert np.median(off) < 0.5


def test_the_same_input_gives_the_same_inliers_whatever_was_asked_before() -> None:
    a, b, rows = pair(TILTED, n_true=16, n_false=60)
    first = verified(a, b, rows, model="homography", seed=5)
    for seed in range(4):
        verified(*pair(TURNED, seed=seed), model="homography", seed=seed)
    again = verified(a, b, rows, model="homography", seed=5)
    assert first is not None
    assert again is not None
    assert first.inliers.tolist() == again.inliers.tolist()
    assert first.matrix.tolist() == again.matrix.tolist()


@pytest.mark.parametrize("model", ["homography", "similarity", "fundamental"])
def test_an_image_of_another_size_gives_the_same_inliers(model: Model) -> None:
    a, b, rows = pair(TURNED)
    small = verified(a, b, rows, model=model)
    large = verified(a * 8, b * 4, rows, model=model)
    assert small is not None
    assert large is not None
    assert small.inliers.tolist() == large.inliers.tolist()


def test_matches_between_the_same_places_count_once() -> None:
    a, b, rows = pair(TURNED, n_false=0)
    a, b = np.concatenate([a, a]), np.concatenate([b, b])
    found = verified(a, b, np.concatenate([rows, rows + 40]), model="homography")
    assert found is not None
    assert found.n_matches == 40
    assert found.inliers.tolist() == list(range(40))


def test_a_mirrored_view_is_none() -> None:
    a, b, rows = pair(MIRRORED)
    assert verified(a, b, rows, model="homography") is None


@pytest.mark.parametrize("model", ["homography", "similarity", "fundamental"])
def test_too_few_matches_prove_nothing(model: Model) -> None:
    a, b, rows = pair(TURNED)
    assert verified(a, b, rows[:3], model=model) is None
    assert verified(a[:0], b[:0], rows[:0], model=model) is None


@given(st.integers(0, 30), st.integers(0, 10_000), st.booleans())
@settings(max_examples=80, deadline=None)
def test_wild_points_never_break_it(n: int, seed: int, is_flat: bool) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.choice([0, 1, 5, 300, 1e6], (n + 1, 2)).astype(np.float32) for _ in range(2))
    if is_flat:
        a[:, 0] = 7
    rows = np.stack([rng.integers(0, n + 1, n)] * 2, axis=1).astype(np.int64)
    for model in ("homography", "similarity", "fundamental"):
        found = verified(a, b, rows, model=model)
        assert found is None or (
            set(found.inliers.tolist()) <= set(range(n)) and np.isfinite(found.matrix).all()
        )


def test_a_match_of_a_row_that_is_not_there_is_told() -> None:
    a, b, rows = pair(TURNED)
    with pytest.raises(InputError, match="rows of both"):
        verified(a[:50], b, rows, model="homography")
