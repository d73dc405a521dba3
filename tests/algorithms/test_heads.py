"""The softmax head: its loss against loops, its training, and landmarks that come without training."""

import numpy as np
import pytest

from cairn.algorithms.heads import Head, Way, cross_entropy, imprint, train_head, way_of_training
from cairn.base.errors import InputError

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(4, 16))
LANDMARKS = np.repeat([-1, 0, 2, 5], 12)


def images(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(48, 16)) * 0.7
    vectors = np.repeat(CENTRES, 12, axis=0) + noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def trained(**options: float) -> Head:
    return train_head(images(1), LANDMARKS, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]  # floats only


def share_right(head: Head) -> float:
    return float((head.landmarks[head.logits(images(2)).argmax(axis=1)] == LANDMARKS).mean())


def test_the_loss_is_that_of_loops_and_its_gradient_that_of_small_steps() -> None:
    inputs, columns = RNG.normal(size=(7, 3)).astype(np.float32), np.asarray([0, 1, 2, 3, 0, 1, 1])
    parameters = RNG.normal(size=(3, 4)).astype(np.float32)
    weights = RNG.random(7).astype(np.float32)

    def slow(at: np.ndarray) -> float:
        shares = [np.exp(row @ at) / np.exp(row @ at).sum() for row in inputs]
        losses = [-w * np.log(s[c]) for w, s, c in zip(weights, shares, columns, strict=True)]
        return float(sum(losses) + 0.05 * (at[:-1] ** 2).sum())

    loss, gradient = cross_entropy(parameters, inputs, columns, weights, decay=0.1)
    assert loss == pytest.approx(slow(parameters))
    for place in np.ndindex(parameters.shape):
        step = np.zeros(parameters.shape)
        step[place] = 1e-5
        slope = (slow(parameters + step) - slow(parameters - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)


def test_it_learns_landmarks_and_none_and_names_its_columns() -> None:
    head = trained()
    assert head.landmarks.tolist() == [-1, 0, 2, 5]
    assert share_right(head) > 0.9


def test_without_weight_for_none_there_is_no_column_of_none() -> None:
    assert trained(none_weight=0).landmarks.tolist() == [0, 2, 5]


def in_way(way: Way) -> Head:
    return train_head(images(1), LANDMARKS, rng=np.random.default_rng(0), way=way)


def test_sampled_steps_come_to_the_answers_of_whole_passes() -> None:
    whole, sampled = in_way("whole passes"), in_way("sampled steps")
    same = whole.logits(images(2)).argmax(axis=1) == sampled.logits(images(2)).argmax(axis=1)
    assert same.mean() > 0.9


def test_the_way_hangs_on_the_amount_of_work_and_small_heads_take_whole_passes() -> None:
    assert way_of_training(n_images=20_000, width=513, n_columns=2_001) == "whole passes"
    assert way_of_training(n_images=1_000_000, width=513, n_columns=15_001) == "sampled steps"
    np.testing.assert_array_equal(trained().weights, in_way("whole passes").weights)


def test_the_closed_form_is_the_same_however_many_images_are_summed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = in_way("closed form")
    monkeypatch.setattr("cairn.algorithms.heads._SUMMED_AT_ONCE", 5)
    np.testing.assert_allclose(in_way("closed form").weights, whole.weights, atol=1e-4)


def test_the_same_seed_trains_the_same_head() -> None:
    np.testing.assert_array_equal(trained().weights, trained().weights)


def test_a_landmark_that_came_later_is_known_without_training() -> None:
    late = LANDMARKS == 2
    early = train_head(images(1)[~late], LANDMARKS[~late], rng=np.random.default_rng(0))
    head = imprint(early, images(1), LANDMARKS)
    assert head.landmarks.tolist() == [-1, 0, 2, 5]
    assert share_right(head) > 0.85
    np.testing.assert_array_equal(head.weights[:, [0, 1, 3]], early.weights)


def test_a_head_of_one_landmark_can_be_trained_and_comes_back_from_its_arrays() -> None:
    head = train_head(images(1)[:3], np.zeros(3, np.int64), rng=np.random.default_rng(0))
    again = Head.from_arrays(head.arrays())
    np.testing.assert_array_equal(again.logits(images(2)), head.logits(images(2)))


def test_cosines_are_those_of_the_weight_columns() -> None:
    head, vectors = trained(), images(2)
    column = head.weights[:, 1] / np.linalg.norm(head.weights[:, 1])
    np.testing.assert_allclose(head.cosines(vectors)[:, 1], vectors @ column, atol=1e-5)


def test_what_cannot_be_trained_or_asked_is_told() -> None:
    with pytest.raises(InputError, match="0 of them known"):
        train_head(images(1), np.full(48, -1), rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="have 3 numbers per image, the head expects 16"):
        trained().logits(np.zeros((1, 3), np.float32))
