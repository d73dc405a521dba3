import numpy as np
import pytest

from cairn.algorithms.surprise import NULLS, Null, fit_null, surprise_of
from cairn.base.errors import InputError

MADE = Null(4.0, 0.04, 0.6, 0.008, 1.0)


def drawn(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Matches and inliers of pairs that follow MADE."""
    rng = np.random.default_rng(seed)
    matches = rng.integers(20, 120, n)
    grown = matches**MADE.power
    place = MADE.place_0 + MADE.place_1 * grown
    return matches, np.round(rng.gumbel(place, MADE.width_0 + MADE.width_1 * grown)).astype(
        np.int64
    )


@pytest.mark.parametrize("model", list(NULLS))
def test_more_inliers_surprise_more_and_more_matches_less(model: str) -> None:
    by_inliers = [surprise_of(k, 100, model=model) for k in range(0, 100, 5)]
    by_matches = [surprise_of(30, n, model=model) for n in range(40, 900, 50)]
    assert by_inliers == sorted(by_inliers)
    assert by_matches == sorted(by_matches, reverse=True)
    assert by_inliers[0] == pytest.approx(0, abs=0.01)
    assert np.isfinite(surprise_of(100_000, 100_000, model=model))


def test_the_surprise_goes_on_smoothly_where_the_formula_changes() -> None:
    values = [MADE.surprise(k, 100) for k in range(8, 400)]
    steps = np.diff(values)
    assert (steps > 0).all()
    assert steps[60:].max() < 1.5 * steps[60:].min() + 1e-9


def test_a_fitted_null_keeps_what_it_promises_on_other_pairs() -> None:
    null = fit_null(*drawn(4000))
    matches, inliers = drawn(20_000, seed=1)
    surprises = np.array(
        [null.surprise(int(k), int(n)) for k, n in zip(inliers, matches, strict=True)]
    )
    # Inliers are whole, so that a level is mostly passed by less than it promises.
    assert 0.04 < (surprises >= 1).mean() < 0.12
    assert 0.003 < (surprises >= 2).mean() < 0.015
    assert (surprises >= 3).mean() < 0.003


def test_too_few_pairs_are_told() -> None:
    with pytest.raises(InputError, match="at least 200"):
        fit_null(*drawn(50))
