import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.saying import (
    OTHER_SAYS,
    OWN_SAYS,
    SURPRISES,
    Says,
    fit_says,
    reliability,
)
from cairn.base.errors import InputError

Doubles = npt.NDArray[np.float64]


def surprises(mean: float, n: int, *, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).exponential(mean, n)


def nearest_place(value: float) -> int:
    """The last of equally near ones."""
    return min(range(len(SURPRISES)), key=lambda i: (abs(SURPRISES[i] - value), -i))


@given(st.integers(20, 60), st.integers(20, 60), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_what_is_fitted_never_falls_and_is_the_plain_count_where_that_never_does(
    n_so: int, n_not: int, seed: int
) -> None:
    so, not_so = surprises(4, n_so, seed=seed), surprises(0.7, n_not, seed=seed + 1)
    fitted = fit_says(so, not_so).log_odds
    shares = []
    for given_ones in (so, not_so):
        counts = [0.5] * len(SURPRISES)
        for value in given_ones:
            counts[nearest_place(value)] += 1
        shares.append([count / sum(counts) for count in counts])
    plain = [np.log(a / b) for a, b in zip(*shares, strict=True)]
    assert list(fitted) == sorted(fitted)
    if plain == sorted(plain):
        assert np.allclose(fitted, plain)
    assert min(plain) - 1e-9 <= min(fitted) <= max(fitted) <= max(plain) + 1e-9


def test_neighbours_that_contradict_each_other_say_the_same() -> None:
    so = np.repeat(SURPRISES, [5, 20, 10, 30, 30, 30])
    not_so = np.repeat(SURPRISES, [60, 10, 20, 5, 1, 0])
    fitted = fit_says(so, not_so).log_odds
    assert fitted[0] < fitted[1] == fitted[2] < fitted[3] <= fitted[4] < fitted[5]
    assert fitted[1] == pytest.approx(np.log((31 / 128) / (31 / 99)))


def test_where_more_surprise_means_less_nothing_is_said() -> None:
    assert fit_says(surprises(1, 50), surprises(5, 50)).log_odds == pytest.approx([0] * 6)


def test_between_the_fitted_places_lines_are_straight_and_beyond_them_level() -> None:
    says = Says((-2.0, -1.0, 0.0, 1.0, 3.0, 4.0))
    assert says.of(np.array([0.0, 0.5, 4.0, 10.0, 300.0])).tolist() == [-2.0, -1.5, 2.0, 4.0, 4.0]


def test_a_fit_holds_on_other_images_and_beats_one_that_knows_nothing() -> None:
    fitted = fit_says(surprises(6, 4000), surprises(0.6, 4000, seed=1))
    holds = reliability(fitted, surprises(6, 4000, seed=2), surprises(0.6, 4000, seed=3))
    assert holds.log_loss < 0.35
    assert all(abs(said - so) < 0.1 for said, so, _ in holds.rows)
    assert sum(n for _, _, n in holds.rows) == 8000
    nothing = reliability(Says((0.0,) * 6), surprises(6, 40), surprises(0.6, 90))
    assert nothing.log_loss == pytest.approx(np.log(2))
    assert [*nothing.rows[0]] == pytest.approx([0.5, 0.5, 130])
    assert len(nothing.rows) == 1


def test_both_sorts_weigh_the_same_however_many_there_are() -> None:
    says = Says((-1.0, 0.0, 0.5, 1.0, 2.0, 3.0))
    so, not_so = surprises(3, 7), surprises(1, 5)
    plain = [np.log1p(np.exp(-x)) / 7 for x in says.of(so)]
    plain += [np.log1p(np.exp(x)) / 5 for x in says.of(not_so)]
    assert reliability(says, so, not_so).log_loss == pytest.approx(sum(plain) / 2)


def test_what_is_in_use_says_more_of_the_own_landmark_where_more_matches() -> None:
    for says in (OWN_SAYS, OTHER_SAYS):
        assert says.log_odds[0] < 0 < says.log_odds[-1]


def test_log_odds_that_fall_or_are_too_few_are_told() -> None:
    with pytest.raises(InputError, match="never fall"):
        Says((0.0, 1.0, 0.5, 1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="6 log odds"):
        Says((0.0, 1.0))


def test_too_few_images_are_told() -> None:
    with pytest.raises(InputError, match="at least 20 of each"):
        fit_says(surprises(3, 19), surprises(1, 500))


def test_nothing_to_hold_it_against_is_told() -> None:
    with pytest.raises(InputError, match="3 images with a right landmark and 0 with a wrong one"):
        reliability(OWN_SAYS, np.ones(3), np.empty(0))
