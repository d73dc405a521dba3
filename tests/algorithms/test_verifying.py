"""Verification: matched points decide where the likeness of whole images does not."""

import numpy as np
import pytest

from cairn.algorithms.answering import FittedRecognizer, answer
from cairn.algorithms.fusion import fit_recognizer
from cairn.algorithms.verifying import (
    N_LANDMARKS,
    N_PHOTOS,
    NO_MATCH,
    Matcher,
    PointMatch,
    Points,
    is_unsure,
    match_points,
    verify,
    with_proof,
)


def points(n: int, seed: int) -> Points:
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, 128)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Points(rng.uniform(0, 600, (n, 2)).astype(np.float32), features)


def turned(seen: Points, degrees: float, scale: float) -> Points:
    at = np.radians(degrees)
    turn = scale * np.array([[np.cos(at), -np.sin(at)], [np.sin(at), np.cos(at)]])
    return Points((seen.places @ turn.T + 50).astype(np.float32), seen.features)


def some(n: int, surprise: float) -> PointMatch:
    return PointMatch(surprise, np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32))


def test_the_same_thing_seen_from_elsewhere_matches_and_another_thing_does_not() -> None:
    here = points(200, 0)
    there = turned(here, 12, 0.8)
    found = match_points(here, there)
    assert found.surprise > 20
    assert len(found.query_places) > 150
    turn = turned(Points(found.query_places, found.query_places), 12, 0.8)
    np.testing.assert_allclose(turn.places, found.gallery_places, atol=0.5)
    assert match_points(here, points(200, 1)).surprise < 3


def test_the_same_points_give_the_same_match_every_time() -> None:
    noisy = np.random.default_rng(0).normal(0, 2, (200, 2)).astype(np.float32)
    here = points(200, 0)
    there = Points(here.places + noisy, here.features)
    first = match_points(here, there)
    for _ in range(10):
        again = match_points(here, there)
        assert again.surprise == first.surprise
        assert np.array_equal(again.query_places, first.query_places)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_points_match_nothing(n: int) -> None:
    assert match_points(points(n, 0), points(n, 0)) is NO_MATCH
    assert match_points(points(n, 0), points(50, 0)).surprise < 3


def test_every_pair_is_matched_once_and_the_best_image_of_a_candidate_proves_it() -> None:
    evidence = np.array([[[4, 7], [5, -1], [-1, -1]], [[4, 5], [6, 1], [2, 3]]])
    surprise_of = {(0, 4): 1.0, (0, 7): 9.0, (0, 5): 0.0}
    asked: list[list[int]] = []

    def match(pairs: np.ndarray) -> list[PointMatch]:
        asked.extend(pairs.tolist())
        return [some(3, surprise_of[q, g]) for q, g in pairs.tolist()]

    found = verify(evidence, np.array([True, False]), match)
    assert asked == [[0, 4], [0, 7], [0, 5]]
    np.testing.assert_allclose(found.proof, [[np.log(10), 0, 0], [0, 0, 0]])
    assert found.is_tried.tolist() == [True, False]
    assert set(found.matches) == set(surprise_of)


def test_sure_queries_and_those_without_candidates_are_not_worth_it() -> None:
    scores = np.array([[9.0, 1.0], [2.0, -3.0], [-np.inf, -np.inf]])
    assert is_unsure(scores).tolist() == [False, True, False]
    assert is_unsure(np.empty((2, 0))).tolist() == [False, False]


def test_candidates_beyond_the_budget_have_no_proof() -> None:
    features = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    both = with_proof(features, np.array([[2.0, 1.0]]))
    assert np.array_equal(both[:, :, :3], features)
    assert both[0, :, 3].tolist() == [2, 1, 0, 0]


def vague(n_landmarks: int = 10, n_images: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors that tell landmarks apart only badly, the main landmarks of all, and 20 distractors."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_landmarks, 24))
    mains = np.repeat(np.arange(n_landmarks), n_images)
    vectors = np.vstack([centres[mains] + rng.normal(size=(len(mains), 24)) * 1.6, rng.normal(size=(20, 24))])  # fmt: skip
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.concatenate([mains, np.full(20, -1)])[:, None]


def by_truth(first: np.ndarray, second: np.ndarray) -> Matcher:
    """Matches what shows the same landmark, as points would."""

    def match(pairs: np.ndarray) -> list[PointMatch]:
        same = (first[pairs[:, 0]] == second[pairs[:, 1]]) & (first[pairs[:, 0]] >= 0)
        return [some(30, 20.0) if one else NO_MATCH for one in same.tolist()]

    return match


def fitted(*, verifies: bool) -> tuple[FittedRecognizer, np.ndarray, np.ndarray]:
    vectors, truth = vague()
    given = np.arange(len(truth)) % 2 == 0
    mains = truth[given, 0]
    recognizer, _ = fit_recognizer(
        vectors[given], truth[given], np.arange(given.sum()),
        match=by_truth(mains, mains) if verifies else None, seed=0,
    )  # fmt: skip
    return recognizer, vectors[~given], truth[~given, 0]


def test_what_matches_is_answered_and_comes_first_among_the_evidence() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    match = by_truth(mains, recognizer.gallery.landmarks)
    found = answer(recognizer, queries, match=match)
    plain = answer(recognizer, queries)
    known = mains >= 0
    right = (found.landmarks[:, 0] == mains)[known].mean()
    assert right > 0.9
    assert right > (plain.landmarks[:, 0] == mains)[known].mean() + 0.1
    # Distractors match nothing, and are refused the more.
    assert found.probabilities[~known, 0].mean() < plain.probabilities[~known, 0].mean()
    for query, candidate in np.argwhere(found.landmarks >= 0):
        rows = found.evidence[query, candidate]
        told = [found.matches.get((int(query), int(row))) for row in rows if row >= 0]
        surprises = [one.surprise if one else 0.0 for one in told]
        assert surprises == sorted(surprises, reverse=True)


def test_the_budget_holds() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    n_pairs = []
    match = by_truth(mains, recognizer.gallery.landmarks)

    def counted(pairs: np.ndarray) -> list[PointMatch]:
        n_pairs.append(np.bincount(pairs[:, 0]).max())
        return list(match(pairs))

    answer(recognizer, queries, match=counted)
    assert max(n_pairs) <= N_LANDMARKS * N_PHOTOS


def test_images_without_points_are_passed_over() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    has_points = np.arange(len(recognizer.gallery.landmarks)) % 2 == 0
    asked: set[int] = set()
    match = by_truth(mains, recognizer.gallery.landmarks)

    def noted(pairs: np.ndarray) -> list[PointMatch]:
        asked.update(pairs[:, 1].tolist())
        return list(match(pairs))

    answer(recognizer, queries, match=noted, has_points=has_points)
    assert asked <= set(np.flatnonzero(has_points).tolist())
    assert asked


def test_what_matched_is_told_also_where_nearer_images_have_no_points() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    landmarks, n_told = recognizer.gallery.landmarks, 0
    near = answer(recognizer, queries, n_evidence=N_PHOTOS).evidence[:6, 0]
    has_points = ~np.isin(np.arange(len(landmarks)), near)
    found = answer(
        recognizer, queries, n_evidence=1, match=by_truth(mains, landmarks), has_points=has_points
    )
    for (query, row), one in found.matches.items():
        told = found.evidence[query][found.landmarks[query] == landmarks[row]]
        if one.surprise and len(told):
            n_told += 1
            assert has_points[told[0, 0]]
    assert n_told


def test_answers_depend_on_no_other_query() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    whole = answer(recognizer, queries, match=by_truth(mains, recognizer.gallery.landmarks))
    for row in (0, 7, len(queries) - 1):
        alone = answer(
            recognizer, queries[row : row + 1],
            match=by_truth(mains[row : row + 1], recognizer.gallery.landmarks),
        )  # fmt: skip
        assert np.array_equal(alone.landmarks[0], whole.landmarks[row])
        np.testing.assert_allclose(alone.probabilities[0], whole.probabilities[row], atol=1e-4)


def test_a_recogniser_that_was_fitted_without_points_verifies_nothing() -> None:
    recognizer, queries, mains = fitted(verifies=False)
    match = by_truth(mains, recognizer.gallery.landmarks)
    found = answer(recognizer, queries, match=match)
    assert not found.is_verified.any()
    assert not found.matches
    assert np.array_equal(found.scores, answer(recognizer, queries).scores)


def test_what_was_fitted_is_read_back() -> None:
    recognizer, queries, mains = fitted(verifies=True)
    again = FittedRecognizer.from_arrays(recognizer.arrays(), recognizer.gallery)
    match = by_truth(mains, recognizer.gallery.landmarks)
    assert np.array_equal(
        answer(again, queries, match=match).scores, answer(recognizer, queries, match=match).scores
    )
