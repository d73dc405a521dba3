"""Regions: where points agree, and when a photo shows a second landmark."""

import numpy as np

from cairn.algorithms.regions import region_of, seen_apart
from cairn.algorithms.verifying import NO_MATCH, PointMatch


def match(places: list[list[float]], surprise: float) -> PointMatch:
    at = np.array(places, np.float32)
    return PointMatch(surprise, at, at)


def test_a_region_holds_the_points_of_all_sure_matches_and_of_no_others() -> None:
    sure = match([[10.4, 20], [50, 60.5]], 3.0)
    also = match([[30, 5], [45, 70]], 8.0)
    unsure = match([[0, 0], [500, 500]], 2.9)
    assert region_of([sure]) == (10, 20, 51, 62)
    assert region_of([sure, None, unsure, also, NO_MATCH]) == (10, 5, 51, 71)
    assert region_of([unsure, None]) is None
    assert region_of([]) is None


def test_the_best_counts_in_any_case() -> None:
    assert seen_apart([]) == []
    assert seen_apart([None]) == [0]
    assert seen_apart([None, (0, 0, 10, 10)]) == [0]


def test_a_second_landmark_needs_points_of_its_own_away_from_the_first() -> None:
    left, right, over = (0, 0, 100, 100), (90, 0, 200, 100), (50, 50, 100, 120)
    assert seen_apart([left, right]) == [0, 1]
    assert seen_apart([left, None, right]) == [0, 2]
    assert seen_apart([left, over]) == [0]
    assert seen_apart([left, right, over, (300, 0, 310, 5)]) == [0, 1, 3]
