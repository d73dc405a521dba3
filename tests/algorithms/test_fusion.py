"""The recogniser as arrays: what its folds promise, what it answers, and how it changes without training."""

import numpy as np
import pytest

from cairn.algorithms.answering import FittedRecognizer, add_images, answer, remove_images
from cairn.algorithms.candidates import FEATURES, Gallery, find_candidates
from cairn.algorithms.folds import KNOWN, NONE, UNSEEN, deal_folds
from cairn.algorithms.fusion import fit_recognizer
from cairn.algorithms.heads import train_head
from cairn.algorithms.questions import ask_all
from cairn.algorithms.voting import VOTES, Ballot
from cairn.base.errors import InputError


def images(
    n_landmarks: int,
    n_images: int,
    n_none: int,
    *,
    seed: int = 0,
    noise: float = 0.15,
    width: int = 64,
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors around a centre for each landmark, distractors anywhere, and their truth [N, 1]."""
    places, rng = np.random.default_rng(99), np.random.default_rng(seed)
    truth = np.concatenate([np.repeat(np.arange(n_landmarks), n_images), np.full(n_none, -1)])
    centres = places.normal(size=(50, width))[truth] + 1
    centres[truth < 0] = rng.normal(size=(n_none, width)) + 1
    vectors = centres + rng.normal(size=centres.shape) * noise * np.sqrt(width) / 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth[:, None]


def fitted(n_landmarks: int = 12, n_images: int = 6, n_none: int = 20) -> FittedRecognizer:
    vectors, truth = images(n_landmarks, n_images, n_none)
    return fit_recognizer(vectors, truth, np.arange(len(vectors)), seed=0)[0]


def test_folds_keep_copies_together_and_landmarks_out() -> None:
    truth, groups = np.repeat(np.arange(-1, 9), 4)[:, None], np.arange(40) // 2
    folds = deal_folds(truth, groups, n_folds=5, rng=np.random.default_rng(0))
    for fold in folds:
        assert not set(groups[fold.fitting]) & set(groups[fold.queries])
        gallery = set(truth[fold.fitting, 0].tolist()) - {-1}
        for image, kind in zip(fold.queries, fold.kinds, strict=True):
            landmark = int(truth[image, 0])
            assert kind == (NONE if landmark < 0 else KNOWN if landmark in gallery else UNSEEN)
    asked = np.concatenate([fold.queries[fold.kinds == UNSEEN] for fold in folds])
    assert set(asked.tolist()) == set(np.flatnonzero(truth[:, 0] >= 0).tolist())


def test_an_image_of_two_landmarks_is_left_out_with_either_and_unseen_only_without_both() -> None:
    truth = np.asarray([[c, -1] for c in range(6) for _ in range(3)] + [[0, 1]] * 3)
    for fold in deal_folds(truth, np.arange(21), n_folds=3, rng=np.random.default_rng(1)):
        gallery = set(truth[fold.fitting, 0].tolist())
        for image, kind in zip(fold.queries, fold.kinds, strict=True):
            shown = set(truth[image].tolist()) - {-1}
            assert (kind == KNOWN) == bool(shown & gallery)


def test_too_many_questions_are_thinned() -> None:
    truth = np.repeat(np.arange(4), 25)[:, None]
    folds = deal_folds(
        truth, np.arange(100), n_folds=2, rng=np.random.default_rng(0), most_per_kind=5
    )
    assert all(np.bincount(fold.kinds).max() == 5 for fold in folds)


def test_where_all_folds_ask_too_much_each_kind_of_each_fold_has_its_equal_share() -> None:
    truth = np.repeat(np.arange(-1, 9), 30)[:, None]
    folds = deal_folds(truth, np.arange(300), n_folds=2, rng=np.random.default_rng(0), most=60)
    assert [np.bincount(fold.kinds).tolist() for fold in folds] == [[10, 10, 10]] * 2
    whole = deal_folds(truth, np.arange(300), n_folds=2, rng=np.random.default_rng(0))
    for fold, all_of_it in zip(folds, whole, strict=True):
        assert set(fold.queries.tolist()) <= set(all_of_it.queries.tolist())
        np.testing.assert_array_equal(fold.fitting, all_of_it.fitting)


def test_what_may_not_be_asked_is_always_fitted_on_but_where_its_landmark_is_left_out() -> None:
    truth, groups = np.repeat(np.arange(-1, 9), 10)[:, None], np.arange(100) // 2
    may_ask = np.arange(100) % 10 < 4
    asked = []
    for fold in deal_folds(truth, groups, n_folds=4, rng=np.random.default_rng(0), may_ask=may_ask):
        assert may_ask[fold.queries].all()
        out = np.unique(truth[fold.queries[fold.kinds == UNSEEN]])
        others = np.flatnonzero(~may_ask & ~np.isin(truth[:, 0], out))
        assert np.isin(others, fold.fitting).all()
        assert not np.isin(truth[fold.fitting, 0], out).any()
        asked += fold.queries[fold.kinds != UNSEEN].tolist()
    assert sorted(set(asked)) == sorted(asked)


def asked_weights(most_per_kind: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the questions of 60 known images and 30 distractors count, and their kinds."""
    (vectors, truth), rng = images(12, 5, 30), np.random.default_rng(0)
    folds = deal_folds(truth, np.arange(90), n_folds=3, rng=rng, most_per_kind=most_per_kind)
    asked = ask_all(vectors, truth, folds, rng, whitening_power=0.5)
    return asked.weights, asked.kinds


def test_each_kind_counts_the_same_however_few_of_its_questions_are_drawn() -> None:
    for most_per_kind in (2, 5, 4_000):
        weights, kinds = asked_weights(most_per_kind)
        np.testing.assert_allclose(np.bincount(kinds, weights), [60, 30, 60 * 0.05])


def test_where_nothing_is_thinned_each_distractor_counts_as_one() -> None:
    weights, kinds = asked_weights(4_000)
    assert weights[kinds == NONE].tolist() == [1] * 30


def test_candidates_are_those_of_head_and_neighbours_with_the_votes_of_their_sources() -> None:
    vectors, truth = images(8, 5, 12)
    landmarks = truth[:, 0]
    gallery = Gallery(vectors[landmarks >= 0], landmarks[landmarks >= 0], vectors[landmarks < 0])
    head = train_head(vectors, landmarks, rng=np.random.default_rng(0))
    queries, _ = images(8, 2, 3, seed=1)
    found = find_candidates(queries, gallery, head)
    neighbors = gallery.index.search(queries, n_neighbors=64)
    ballot = Ballot(neighbors.similarities, gallery.landmarks[neighbors.rows], gallery.n_images)
    best, nearest = VOTES["nearest"](ballot), found.features[:, :, FEATURES.index("nearest")]
    np.testing.assert_array_equal(
        found.landmarks[np.arange(19), nearest.argmax(axis=1)], best.landmarks[:, 0]
    )
    np.testing.assert_allclose(nearest.max(axis=1), best.scores[:, 0], atol=1e-6)


def test_closeness_to_distractors_is_looked_up_row_by_row_as_for_all_at_once() -> None:
    vectors, truth = images(6, 5, 9)
    gallery = Gallery(
        vectors[truth[:, 0] >= 0], truth[truth[:, 0] >= 0, 0], vectors[truth[:, 0] < 0]
    )
    rows = np.asarray([[3, 0], [3, 29]])
    slow = [
        np.sort(gallery.none_vectors @ gallery.vectors[row])[-5:].mean() for row in rows.ravel()
    ]
    np.testing.assert_allclose(gallery.closeness_of(rows).ravel(), slow, atol=1e-6)
    np.testing.assert_array_equal(
        gallery.closeness_of(np.arange(30))[rows], gallery.closeness_of(rows)
    )


def test_known_images_are_recognised_and_distractors_refused() -> None:
    recognizer = fitted()
    queries, truth = images(12, 5, 40, seed=1)
    answers = answer(recognizer, queries)
    is_answered = answers.probabilities[:, 0] >= recognizer.threshold
    is_known = truth[:, 0] >= 0
    assert (answers.landmarks[is_known, 0] == truth[is_known, 0]).mean() > 0.9
    assert is_answered[is_known].mean() > 0.8
    assert is_answered[~is_known].mean() < 0.1


def test_answers_are_best_first_and_probabilities_increase_with_scores() -> None:
    answers = answer(fitted(), images(12, 3, 9, seed=2)[0])
    flat = np.argsort(answers.scores, axis=None)
    assert (np.diff(answers.scores, axis=1)[answers.landmarks[:, 1:] >= 0] <= 0).all()
    assert (np.diff(answers.probabilities.ravel()[flat]) >= 0).all()
    assert len(np.unique(answers.probabilities)) == len(np.unique(answers.scores))


def test_evidence_is_the_nearest_images_of_the_landmark_that_it_speaks_for() -> None:
    recognizer, queries = fitted(), images(12, 2, 4, seed=3)[0]
    answers, gallery = answer(recognizer, queries), recognizer.gallery
    nearness = recognizer.whitening.apply(queries) @ gallery.vectors.T
    for query, candidate in np.argwhere(answers.landmarks >= 0):
        mine = np.flatnonzero(gallery.landmarks == answers.landmarks[query, candidate])
        best = mine[np.argsort(-nearness[query, mine])][:3]
        assert answers.evidence[query, candidate].tolist() == best.tolist()
        np.testing.assert_allclose(
            answers.evidence_similarities[query, candidate], nearness[query, best], atol=1e-5
        )


def test_each_query_is_answered_for_itself() -> None:
    recognizer, queries = fitted(), images(12, 3, 9, seed=4)[0]
    together = answer(recognizer, queries)
    for row in range(0, len(queries), 7):
        alone = answer(recognizer, queries[row : row + 1])
        assert alone.landmarks.tolist() == together.landmarks[row : row + 1].tolist()
        np.testing.assert_allclose(
            alone.probabilities, together.probabilities[row : row + 1], atol=1e-4
        )


def test_the_same_seed_fits_the_same_recogniser_and_it_comes_back_from_its_arrays() -> None:
    one, other, queries = fitted(), fitted(), images(12, 2, 4, seed=3)[0]
    again = FittedRecognizer.from_arrays(other.arrays(), other.gallery)
    np.testing.assert_array_equal(answer(one, queries).scores, answer(again, queries).scores)
    assert again.threshold == one.threshold


def test_the_out_of_fold_threshold_keeps_its_precision() -> None:
    vectors, truth = images(12, 6, 20, noise=0.4)
    recognizer, table = fit_recognizer(vectors, truth, np.arange(len(vectors)), seed=0)
    answered = ~table.is_refused
    weights = table.weights * answered
    assert (weights * table.is_right[:, 0]).sum() >= 0.95 * weights.sum()
    assert (answered == (table.probabilities[:, 0] >= recognizer.threshold)).all()
    assert set(table.kinds.tolist()) == {KNOWN, NONE, UNSEEN}


def test_a_landmark_added_later_is_recognised_and_a_removed_one_never_proposed() -> None:
    vectors, truth = images(12, 6, 20)
    late = truth[:, 0] == 11
    recognizer, _ = fit_recognizer(vectors[~late], truth[~late], np.arange((~late).sum()), seed=0)
    queries = images(12, 5, 0, seed=1)[0][55:]
    grown = add_images(recognizer, vectors[late], truth[late, 0])
    assert (answer(grown, queries).landmarks[:, 0] == 11).all()
    shrunk = remove_images(grown, grown.gallery.landmarks == 11)
    assert (answer(shrunk, queries).landmarks != 11).all()


@pytest.mark.parametrize(
    ("n_landmarks", "n_images", "n_none"), [(2, 3, 0), (1, 4, 2), (3, 2, 0), (12, 6, 0), (40, 2, 1)]
)
def test_small_and_lopsided_galleries_can_be_fitted(
    n_landmarks: int, n_images: int, n_none: int
) -> None:
    answers = answer(fitted(n_landmarks, n_images, n_none), images(n_landmarks, 2, 2, seed=1)[0])
    assert np.isfinite(answers.probabilities).all()
    assert (answers.landmarks[:, 0] >= 0).all()


def test_landmarks_of_one_image_each_are_found_beside_larger_ones() -> None:
    vectors, truth = images(12, 6, 20)
    kept = (truth[:, 0] < 8) | (np.arange(len(truth)) % 6 == 0)
    recognizer, _ = fit_recognizer(vectors[kept], truth[kept], np.arange(kept.sum()), seed=0)
    queries, asked = images(12, 5, 0, seed=1, noise=0.08)
    assert (answer(recognizer, queries).landmarks[:, 0] == asked[:, 0]).mean() > 0.9


@pytest.mark.parametrize(("n_landmarks", "n_images", "n_none"), [(1, 6, 0), (5, 1, 9), (0, 0, 9)])
def test_where_there_is_nothing_to_tell_apart_it_is_told(
    n_landmarks: int, n_images: int, n_none: int
) -> None:
    with pytest.raises(InputError, match=f"the images show {n_landmarks} landmarks with at most"):
        fitted(n_landmarks, n_images, n_none)


def test_the_last_gallery_image_is_not_removed() -> None:
    recognizer = fitted()
    with pytest.raises(InputError, match="gallery images would be removed"):
        remove_images(recognizer, np.ones(len(recognizer.gallery.landmarks), np.bool_))
