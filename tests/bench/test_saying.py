import numpy as np
import pytest

from cairn.algorithms.saying import fit_says
from cairn.base.errors import InputError
from cairn.base.watching import Silent
from cairn.bench.saying import OTHERS, OWN, Best, SaysBench, bench_saying
from cairn.engines.local import LocalEngine

LANDMARKS = [f"landmark {number // 30}" for number in range(240)]


def unlike(one: str, other: str) -> bool:
    return one != other


def best_under(row: int, landmark: str) -> Best | None:
    """Under its own landmark an image matches that, else another one, mostly; every tenth has no points."""
    if row % 10 == 0:
        return None
    rng = np.random.default_rng([row, int(landmark.split()[1])])
    strong, weak = float(rng.exponential(6)), float(rng.exponential(0.5))
    return Best(strong, weak) if landmark == LANDMARKS[row] else Best(weak, strong)


def measured(*, n_images: int = 1000, n_threads: int = 1) -> list[SaysBench]:
    return bench_saying(
        LANDMARKS, best_under, are_far=unlike, n_images=n_images, seed=0, engine=LocalEngine(n_threads),
        watch=Silent(),
    )  # fmt: skip


def test_each_half_is_asked_whole_and_images_without_points_are_left_out() -> None:
    found = measured()
    assert [one.of for one in found] == [OWN, OTHERS]
    assert {(one.n_fitted_on, one.n_checked_on) for one in found} == {(108, 108)}


def test_what_is_fitted_holds_on_the_other_half_better_than_nothing() -> None:
    for one in measured():
        assert one.fitted_holds.log_loss < 0.4 < np.log(2)
        assert one.fitted.log_odds[0] < 0 < one.fitted.log_odds[-1]


def test_it_is_fitted_on_images_under_right_and_under_wrong_landmarks() -> None:
    asked: list[tuple[int, str]] = []

    def listening(row: int, landmark: str) -> Best | None:
        asked.append((row, landmark))
        return best_under(row, landmark)

    found = bench_saying(
        LANDMARKS, listening, are_far=unlike, n_images=1000, seed=0, engine=LocalEngine(1), watch=Silent()
    )  # fmt: skip
    fit, right = asked[:240], [pair for pair in asked[:240] if pair[1] == LANDMARKS[pair[0]]]
    assert len(right) == 120
    assert {landmark for _, landmark in fit} == {LANDMARKS[row] for row, _ in fit}
    wrong = [pair for pair in fit if pair not in right]
    told = [[best_under(*pair) for pair in pairs] for pairs in (right, wrong)]
    own = [np.array([one.own for one in bests if one is not None]) for bests in told]
    assert found[0].fitted == fit_says(own[0], own[1])


def test_the_numbers_do_not_depend_on_threads() -> None:
    assert measured(n_threads=4) == measured()


def test_only_so_many_images_are_asked() -> None:
    assert all(one.n_fitted_on <= 50 for one in measured(n_images=50))
    with pytest.raises(InputError, match="at least 20"):
        measured(n_images=15)
