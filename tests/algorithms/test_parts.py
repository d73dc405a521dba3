import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.parts import PartPair, best_pair, fit_likeness, own_odds, part_odds
from cairn.algorithms.standing import Votes

Floats = npt.NDArray[np.float32]


def votes(seed: int = 0, n: int = 200) -> tuple[Votes, npt.NDArray[np.int64], Floats]:
    """Parts whose own landmark is mostly first and likelier the nearer it is; its similarity to each."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 5, n)
    similarities = -np.sort(-rng.uniform(0, 0.5, (n, 3)), axis=1)
    is_clear = rng.uniform(size=n) < 0.8
    similarities[is_clear, 0] += 0.4
    landmarks = np.stack([own, (own + 1) % 5, (own + 2) % 5], axis=1)
    landmarks[~is_clear] = landmarks[~is_clear][:, ::-1]
    of_own = np.where(landmarks == own[:, None], similarities, 0).sum(axis=1).astype(np.float32)
    return Votes(landmarks, similarities.astype(np.float32)), own, of_own


def test_a_nearer_landmark_with_a_longer_lead_is_likelier() -> None:
    given_votes, own, of_own = votes()
    likeness = fit_likeness(given_votes, own, of_own)
    assert likeness is not None
    asked = Votes(
        np.array([[0, 1, 2]] * 2), np.array([[0.9, 0.2, 0.1], [0.4, 0.38, 0.1]], np.float32)
    )
    odds = part_odds(asked, likeness)
    assert odds[0, 0] > 0 > odds[0, 1] > odds[0, 2]
    assert odds[0, 0] > odds[1, 0]


def test_a_landmark_that_is_not_there_has_no_chance() -> None:
    given_votes, own, of_own = votes()
    likeness = fit_likeness(given_votes, own, of_own)
    assert likeness is not None
    asked = Votes(np.array([[0, -1, -1]]), np.array([[0.9, 0.1, 0.1]], np.float32))
    assert np.isneginf(part_odds(asked, likeness)[0, 1:]).all()


def test_a_parts_own_landmark_has_the_odds_of_any_other_that_is_as_near() -> None:
    given_votes, own, of_own = votes()
    likeness = fit_likeness(given_votes, own, of_own)
    assert likeness is not None
    asked = Votes(np.array([[0, 1, 2]]), np.array([[0.9, 0.2, 0.1]], np.float32))
    as_own = own_odds(asked, np.array([0]), np.array([0.9], np.float32), likeness)
    assert as_own[0] == pytest.approx(part_odds(asked, likeness)[0, 0])
    far = own_odds(asked, np.array([7]), np.array([0.05], np.float32), likeness)
    assert far[0] < 0
    unknown = own_odds(asked, np.array([7]), np.array([np.nan], np.float32), likeness)
    assert np.isneginf(unknown[0])


def test_from_few_parts_nothing_is_learnt() -> None:
    given_votes, own, of_own = votes(n=10)
    assert fit_likeness(given_votes, own, of_own) is None


@given(st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_best_pair_is_that_of_the_slow_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks, odds = rng.integers(-1, 4, (5, 3)), rng.normal(size=(5, 3)).round(2)
    of_own = np.where(rng.uniform(size=5) < 0.8, rng.normal(size=5).round(2), -np.inf)
    between = np.where(rng.uniform(size=(5, 5)) < 0.4, rng.normal(size=(5, 5)).round(2), -np.inf)
    best: tuple[float, PartPair] | None = None
    for a in range(5):
        for b in range(5):
            others = [
                (odds[b, m], landmarks[b, m]) for m in range(3) if landmarks[b, m] not in (2, -1)
            ]
            if np.isinf(between[a, b]) or np.isinf(of_own[a]) or not others:
                continue
            other_odds, landmark = max(others)
            both = min(of_own[a], other_odds) + 0.25 * max(of_own[a], other_odds) + between[a, b]
            pair = PartPair(a, b, int(landmark), float(of_own[a]), float(other_odds))
            best = (both, pair) if best is None or both > best[0] else best
    found = best_pair(landmarks, odds, of_own, np.array([2, -1]), between)
    assert (found is None) == (best is None)
    if found is not None and best is not None:
        at = between[found.own, found.other]
        low, high = sorted((found.own_odds, found.other_odds))
        assert low + 0.25 * high + at == pytest.approx(best[0])


def test_an_image_without_parts_has_no_pair() -> None:
    nothing = np.empty((0, 3), np.int64)
    assert (
        best_pair(nothing, nothing.astype(float), np.empty(0), np.array([1]), np.empty((0, 0)))
        is None
    )
