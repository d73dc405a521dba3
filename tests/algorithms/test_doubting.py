import numpy as np
import numpy.typing as npt
import pytest

from cairn.algorithms import doubting
from cairn.algorithms.doubting import Doubts, doubts, shares
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import Shown

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
N_EACH, N_LANDMARKS, N_NONE = 12, 10, 60


def world(seed: int = 0, *, n_none: int = N_NONE) -> tuple[Floats, Ints]:
    """Clusters of photos of landmarks, and distractors that are like each other a little."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(N_LANDMARKS + 1, 32))
    codes = np.r_[np.repeat(np.arange(N_LANDMARKS), N_EACH), np.full(n_none, -1)]
    vectors = centres[codes] * np.where(codes >= 0, 1, 0.5)[:, None]
    vectors = vectors + rng.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), codes.astype(np.int64)


def doubted(vectors: Floats, codes: Ints, *, seed: int = 0) -> Doubts:
    products = vectors @ vectors.T
    np.fill_diagonal(products, -9)
    rows = np.argsort(-products, axis=1, kind="stable")[:, :30]
    found = Neighbors(rows.astype(np.int64), np.take_along_axis(products, rows, axis=1))
    shown_rows = np.flatnonzero(codes >= 0)
    shown = Shown(shown_rows, codes[shown_rows], N_LANDMARKS, np.arange(len(codes)))
    rng = np.random.default_rng(seed)
    return doubts(vectors, found, codes[:, None], shown, np.flatnonzero(codes == -1), rng=rng)


def test_images_under_a_wrong_landmark_are_the_most_doubtful() -> None:
    vectors, codes = world()
    moved = np.arange(0, N_EACH * N_LANDMARKS, 15)
    codes[moved] = (codes[moved] + 3) % N_LANDMARKS
    found = doubted(vectors, codes)
    wrong, _ = shares(found.wrong, found.none)
    first = np.argsort(-np.nan_to_num(wrong, nan=-1), kind="stable")[: len(moved)]
    assert set(first.tolist()) == set(moved.tolist())
    assert (found.others.landmarks[moved, 0] == (codes[moved] - 3) % N_LANDMARKS).all()


def test_distractors_under_a_landmark_are_the_most_doubtful_of_their_kind() -> None:
    vectors, codes = world()
    moved = np.arange(N_EACH * N_LANDMARKS, N_EACH * N_LANDMARKS + 8)
    codes[moved] = np.arange(8)
    found = doubted(vectors, codes)
    _, none = shares(found.wrong, found.none)
    first = np.argsort(-np.nan_to_num(none, nan=-1), kind="stable")[:8]
    assert len(set(first.tolist()) & set(moved.tolist())) >= 7


def test_without_distractors_an_image_of_nothing_is_found_all_the_same() -> None:
    vectors, codes = world(n_none=4)
    codes[-4:] = [0, 1, 2, 3]
    found = doubted(vectors, codes)
    _, none = shares(found.wrong, found.none)
    assert set(np.argsort(-none, kind="stable")[:4].tolist()) == set(
        range(len(codes) - 4, len(codes))
    )


def test_an_image_without_a_landmark_is_not_doubted() -> None:
    vectors, codes = world()
    found = doubted(vectors, codes)
    assert np.isnan(found.wrong[codes == -1]).all()
    assert not np.isnan(found.wrong[codes >= 0]).any()


def test_an_only_photo_of_its_landmark_can_be_doubted() -> None:
    vectors, codes = world()
    codes[codes == 4] = 5
    codes[50] = 4
    found = doubted(vectors, codes)
    assert np.isnan(found.own[50])
    assert np.isfinite([found.wrong[50], found.none[50]]).all()


def test_the_same_seed_gives_the_same_doubts() -> None:
    vectors, codes = world()
    first, again = doubted(vectors, codes), doubted(vectors, codes)
    assert np.array_equal(first.wrong, again.wrong, equal_nan=True)
    assert np.array_equal(first.none, again.none, equal_nan=True)


def test_one_landmark_alone_doubts_nothing() -> None:
    vectors, codes = world(n_none=0)
    found = doubted(vectors, np.zeros_like(codes))
    assert np.isneginf(found.wrong).all()
    wrong, none = shares(found.wrong, found.none)
    assert not wrong.any()
    assert not none.any()
    assert (found.others.landmarks == -1).all()


def test_shares_add_up_with_what_is_right() -> None:
    wrong, none = shares(np.array([0.0, 9.0, -9.0]), np.array([0.0, -9.0, 9.0]))
    assert wrong[1] > 0.9
    assert none[2] > 0.9
    assert wrong[0] + none[0] < 0.1


def test_images_that_are_wrong_teach_less_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, codes = world()
    moved = np.arange(0, N_EACH * N_LANDMARKS, 8)
    codes[moved] = (codes[moved] + 3) % N_LANDMARKS
    said = []
    for n_rounds in (1, 2, 3):
        monkeypatch.setattr(doubting, "N_ROUNDS", n_rounds)
        found = doubted(vectors, codes)
        said.append(float(shares(found.wrong, found.none)[0][moved].mean()))
    assert said[0] < said[1] < said[2]
