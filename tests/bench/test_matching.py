from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import InputError
from cairn.base.watching import Silent
from cairn.bench.matching import MatchingBench, bench_matching, dealt, different_pairs, same_pairs
from cairn.cli.main import main
from cairn.engines.local import LocalEngine
from cairn.models.keypoints import Keypoints, SiftDetector
from tests.make import views
from tests.stages.scrub.drawn import photo

LANDMARKS = [f"landmark {number // 8}" for number in range(40)]


def unlike(one: str, other: str) -> bool:
    return one != other


def keypoints_of(row: int) -> Keypoints:
    return SiftDetector(max_points=200).detect(photo(row // 8, row % 8))


def measured(
    landmarks: Sequence[str],
    points_of: Callable[[int], Keypoints],
    *,
    n_pairs: int,
    n_threads: int = 1,
) -> list[MatchingBench]:
    return bench_matching(
        landmarks, points_of, are_far=unlike, n_pairs=n_pairs, seed=0, engine=LocalEngine(n_threads),
        watch=Silent(),
    )  # fmt: skip


def test_landmarks_are_dealt_whole_to_two_halves() -> None:
    halves = dealt(LANDMARKS, np.random.default_rng(0))
    assert sorted([*halves[0], *halves[1]]) == list(range(40))
    names = [{LANDMARKS[row] for row in half} for half in halves]
    assert (len(names[0]), len(names[1]), names[0] & names[1]) == (2, 3, set())


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
    found = measured(landmarks, points.__getitem__, n_pairs=250)
    assert [one.model for one in found] == ["homography", "similarity", "fundamental"]
    assert all(one.different[2] <= 0.02 for one in found)
    assert found[0].same[1] > 3 * found[0].different[1]
    assert all(list(one.same) == sorted(one.same, reverse=True) for one in found)
    assert measured(landmarks, points.__getitem__, n_pairs=250, n_threads=3) == found


@pytest.mark.slow
def test_the_command_prints_nulls_and_what_a_match_says_of_landmarks_it_was_not_fitted_on(
    tiny_backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        (tmp_path / f"photos/wall_{number}").mkdir(parents=True)
        for place, content in enumerate(views(number, 10)):
            (tmp_path / f"photos/wall_{number}/{place}.jpg").write_bytes(content)
    (tmp_path / "notes.csv").write_text("photo,landmark_id,note\n3,wall_0,also shows wall_1\n")
    words = [
        "bench",
        "matching",
        "--folder",
        str(tmp_path / "photos"),
        "--notes",
        str(tmp_path / "notes.csv"),
    ]
    words += [
        "--backbone",
        str(tiny_backbone),
        "--sides-px",
        "64",
        "--n-pairs",
        "200",
        "--n-images",
        "20",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("59 images of 6 landmarks, seed 11")
    assert any(line.startswith("homography") for line in said)
    rows = [
        line.split() for line in said if "fitted" in line and line.startswith("its own landmark")
    ]
    # Views of one wall match and views of others do not, so a match says much.
    log_odds = [float(word) for word in rows[0][5:11]]
    assert log_odds[0] < -1 < 1 < log_odds[-1]


def test_too_few_photos_are_told() -> None:
    with pytest.raises(InputError, match="at least 200"):
        measured(LANDMARKS[:16], keypoints_of, n_pairs=5)
