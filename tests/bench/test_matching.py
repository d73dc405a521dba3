import numpy as np
import pytest

from cairn.base.errors import InputError
from cairn.base.watching import Silent
from cairn.bench.matching import bench_matching, different_pairs, same_pairs
from cairn.models.keypoints import Keypoints, SiftDetector
from tests.stages.scrub.drawn import photo

LANDMARKS = [f"landmark {number // 8}" for number in range(40)]


def unlike(one: str, other: str) -> bool:
    return one != other


def keypoints_of(row: int) -> Keypoints:
    return SiftDetector(max_points=200).detect(photo(row // 8, row % 8))


def test_pairs_are_of_different_landmarks_and_each_comes_once() -> None:
    rng = np.random.default_rng(0)
    pairs = different_pairs(range(40), LANDMARKS, unlike, 300, rng)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs) == 300
    assert all(LANDMARKS[a] != LANDMARKS[b] for a, b in pairs.tolist())


def test_pairs_of_one_landmark_are_of_one() -> None:
    pairs = same_pairs(range(40), LANDMARKS, 1000, np.random.default_rng(0))
    assert len(pairs) == 5 * 28
    assert all(LANDMARKS[a] == LANDMARKS[b] for a, b in pairs.tolist())


def test_without_images_there_are_no_pairs() -> None:
    rng = np.random.default_rng(0)
    assert different_pairs([], [], unlike, 5, rng).shape == (0, 2)
    assert same_pairs([], [], 5, rng).shape == (0, 2)


@pytest.mark.slow
def test_photos_of_one_landmark_match_more_often_than_the_null_says() -> None:
    landmarks = [f"landmark {number // 15}" for number in range(75)]
    points = [SiftDetector(max_points=200).detect(photo(row // 15, row % 15)) for row in range(75)]
    found = bench_matching(
        landmarks, points.__getitem__, are_far=unlike, n_pairs=250, watch=Silent()
    )
    assert [one.model for one in found] == ["homography", "similarity", "fundamental"]
    assert all(one.different[2] <= 0.02 for one in found)
    assert found[0].same[1] > 3 * found[0].different[1]
    assert all(list(one.same) == sorted(one.same, reverse=True) for one in found)


def test_too_few_photos_are_told() -> None:
    with pytest.raises(InputError, match="at least 200"):
        bench_matching(LANDMARKS[:16], keypoints_of, are_far=unlike, n_pairs=5, watch=Silent())
