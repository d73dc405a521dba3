"""The votes: the worked numbers of their sources, and loops over random ballots."""

from collections import defaultdict

import numpy as np
import pytest

from cairn.algorithms.voting import VOTES, Ballot, Votes, centroid_vectors, mean_of_nearest
from cairn.base.errors import InputError

RNG = np.random.default_rng(0)
WORKED = Ballot(
    similarities=np.asarray([[0.9, 0.8, 0.7, 0.5, 0.45]], np.float32),
    landmarks=np.asarray([[1, 2, 2, 1, 3]]),
    n_images=np.asarray([0, 2, 9, 1]),
    row_closeness=np.asarray([[0.1, 0.2, 0.2, 0.1, 0.4]], np.float32),
    none_closeness=np.asarray([0.3], np.float32),
    head_cosines=np.asarray([[0, 0.75, 0.88, 0]], np.float32),
    centroid_cosines=np.asarray([[0.99, 0.6, 0.7, 0.1]], np.float32),
)
RANDOM = Ballot(
    similarities=-np.sort(-RNG.random((20, 8)).astype(np.float32), axis=1),
    landmarks=RNG.integers(0, 5, (20, 8)),
    n_images=np.asarray([1, 3, 4, 5, 40]),
    row_closeness=(RNG.random((20, 8)) / 4).astype(np.float32),
    none_closeness=RNG.random(20).astype(np.float32),
)


def told(votes: Votes, query: int = 0) -> dict[int, float]:
    """The votes of one query, best first, with four decimals."""
    pairs = zip(votes.landmarks[query].tolist(), votes.scores[query].tolist(), strict=True)
    return {landmark: round(score, 4) for landmark, score in pairs if landmark >= 0}


def test_the_worked_numbers_of_cos8() -> None:
    assert told(VOTES["cos8"](WORKED)) == {1: 0.4344, 2: 0.2254, 3: 0.0017}


def test_the_worked_numbers_of_cos8_times_head() -> None:
    assert told(VOTES["cos8_times_head"](WORKED)) == {2: 0.0486, 1: 0.0138, 3: 0.0}


def test_few_photos_divides_by_the_images_that_a_landmark_has() -> None:
    assert told(VOTES["few_photos"](WORKED)) == {1: 0.7, 3: 0.45, 2: 0.3}


def test_distractor_aware_takes_off_what_speaks_for_none() -> None:
    assert told(VOTES["distractor_aware"](WORKED)) == {1: 0.9, 2: 0.8, 3: -0.25}


def test_nearest_is_the_best_similarity() -> None:
    assert told(VOTES["nearest"](WORKED)) == {1: 0.9, 2: 0.8, 3: 0.45}


def test_centroids_leaves_out_landmarks_without_images() -> None:
    assert told(VOTES["centroids"](WORKED)) == {2: 0.7, 1: 0.6, 3: 0.1}


@pytest.mark.parametrize(
    ("name", "n_read", "n_best"),
    [("nearest", 8, 1), ("few_photos", 5, 5), ("cos8", 5, 5), ("distractor_aware", 8, 3)],
)
def test_every_vote_is_the_sum_of_loops(name: str, n_read: int, n_best: int) -> None:
    assert RANDOM.row_closeness is not None
    assert RANDOM.none_closeness is not None
    worth = {
        "cos8": RANDOM.similarities**8,
        "distractor_aware": RANDOM.similarities - RANDOM.row_closeness,
    }
    votes, values = VOTES[name](RANDOM), worth.get(name, RANDOM.similarities)
    for query in range(20):
        heard: dict[int, list[float]] = defaultdict(list)
        for landmark, value in zip(
            RANDOM.landmarks[query, :n_read], values[query, :n_read], strict=True
        ):
            heard[int(landmark)].append(float(value))
        sums = {landmark: sum(sorted(heard[landmark])[-n_best:]) for landmark in heard}
        if name == "few_photos":
            sums = {c: total / min(5, int(RANDOM.n_images[c])) for c, total in sums.items()}
        if name == "distractor_aware":
            sums = {c: total - float(RANDOM.none_closeness[query]) for c, total in sums.items()}
        best_first = dict(sorted(sums.items(), key=lambda pair: -pair[1]))
        assert list(told(votes, query)) == list(best_first)
        assert told(votes, query) == pytest.approx(best_first, abs=2e-4)


def test_equal_scores_come_in_the_order_of_the_landmarks() -> None:
    ballot = Ballot(np.full((1, 3), 0.5, np.float32), np.asarray([[7, 0, 4]]), np.ones(8, np.int64))
    assert list(told(VOTES["cos8"](ballot))) == [0, 4, 7]


@pytest.mark.parametrize("name", ["cos8_times_head", "distractor_aware", "centroids"])
def test_a_vote_says_what_it_lacks(name: str) -> None:
    ballot = Ballot(WORKED.similarities, WORKED.landmarks, WORKED.n_images)
    with pytest.raises(InputError, match=f"the vote '{name}' was expected to get them"):
        VOTES[name](ballot)


@pytest.mark.parametrize("name", sorted(VOTES))
def test_nobody_asked_gives_no_vote(name: str) -> None:
    none, tables = np.empty((0, 3), np.float32), np.empty((0, 4), np.float32)
    ballot = Ballot(
        none, np.empty((0, 3), np.int64), np.ones(4, np.int64), none, none[:, 0], tables, tables
    )
    assert VOTES[name](ballot).landmarks.shape[0] == 0


def test_the_mean_of_no_distractor_is_nothing() -> None:
    assert mean_of_nearest(np.empty((2, 0), np.float32), n_nearest=5).tolist() == [0, 0]
    assert mean_of_nearest(WORKED.similarities, n_nearest=2) == pytest.approx([0.85])


def test_centroids_are_means_of_length_one() -> None:
    vectors = np.asarray([[1, 0], [0, 1], [0, 2], [5, 5]], np.float32)
    found = centroid_vectors(vectors, np.asarray([0, 0, 2, -1]), n_landmarks=3)
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5], [0, 0], [0, 1]], atol=1e-6)
