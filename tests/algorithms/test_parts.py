import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.parts import PartPair, best_pair, fit_likeness, part_odds
from cairn.algorithms.standing import Votes


def votes(seed: int = 0, n: int = 200) -> tuple[Votes, np.ndarray]:
    """Parts whose own landmark is mostly first and likelier the nearer it is."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 5, n)
    similarities = -np.sort(-rng.uniform(0, 0.5, (n, 3)), axis=1)
    is_clear = rng.uniform(size=n) < 0.8
    similarities[is_clear, 0] += 0.4
    landmarks = np.stack([own, (own + 1) % 5, (own + 2) % 5], axis=1)
    landmarks[~is_clear] = landmarks[~is_clear][:, ::-1]
    return Votes(landmarks, similarities.astype(np.float32)), own


def test_a_nearer_landmark_with_a_longer_lead_is_likelier() -> None:
    given_votes, own = votes()
    likeness = fit_likeness(given_votes, own)
    assert likeness is not None
    asked = Votes(
        np.array([[0, 1, 2]] * 2), np.array([[0.9, 0.2, 0.1], [0.4, 0.38, 0.1]], np.float32)
    )
    odds = part_odds(asked, likeness)
    assert odds[0, 0] > 0 > odds[0, 1] > odds[0, 2]
    assert odds[0, 0] > odds[1, 0]


def test_a_landmark_that_is_not_there_has_no_chance() -> None:
    given_votes, own = votes()
    likeness = fit_likeness(given_votes, own)
    assert likeness is not None
    asked = Votes(np.array([[0, -1, -1]]), np.array([[0.9, 0.1, 0.1]], np.float32))
    assert np.isneginf(part_odds(asked, likeness)[0, 1:]).all()


def test_from_few_parts_nothing_is_learnt() -> None:
    given_votes, own = votes(n=10)
    assert fit_likeness(given_votes, own) is None


@given(st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_best_pair_is_that_of_the_slow_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks, odds = rng.integers(-1, 4, (5, 3)), rng.normal(size=(5, 3)).round(2)
    beside, own = rng.uniform(size=(5, 5)) < 0.4, np.array([2, -1])
    best: PartPair | None = None
    for a in range(5):
        for b in range(5):
            mine = [odds[a, m] for m in range(3) if landmarks[a, m] == 2]
            others = [
                (odds[b, m], landmarks[b, m]) for m in range(3) if landmarks[b, m] not in (2, -1)
            ]
            if not beside[a, b] or not mine or not others:
                continue
            pair = PartPair(a, b, int(max(others)[1]), float(max(mine)), float(max(others)[0]))
            best = pair if best is None or pair.odds > best.odds else best
    found = best_pair(landmarks, odds, own, beside)
    assert (found is None) == (best is None)
    if found is not None and best is not None:
        assert found.odds == pytest.approx(best.odds)
        assert beside[found.own, found.other]


def test_an_image_without_parts_has_no_pair() -> None:
    nothing = np.empty((0, 3), np.int64)
    assert best_pair(nothing, nothing.astype(float), np.array([1]), np.empty((0, 0), bool)) is None
