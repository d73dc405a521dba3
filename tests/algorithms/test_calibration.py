"""Fusion by logistic regression, strictly increasing probabilities, thresholds by precision."""

import numpy as np
import pytest

from cairn.algorithms.calibration import (
    Calibration,
    Logistic,
    fit_calibration,
    fit_logistic,
    threshold_for_precision,
)
from cairn.base.errors import InputError

RNG = np.random.default_rng(0)
ONES = np.ones(4000)


def test_logistic_regression_finds_the_weights_that_made_the_answers() -> None:
    features = (RNG.normal(size=(4000, 3)) * [1, 10, 1]).astype(np.float32)
    chance = 1 / (1 + np.exp(-(2 * features[:, 0] - 0.1 * features[:, 1] + 0.5)))
    fitted = fit_logistic(features, RNG.random(4000) < chance, ONES, decay=0.0)
    slopes = fitted.weights / fitted.spread
    np.testing.assert_allclose(slopes, [2, -0.1, 0], atol=0.15)


def test_a_feature_that_never_changes_says_nothing() -> None:
    features = np.column_stack([RNG.normal(size=4000), np.full(4000, 3.0)]).astype(np.float32)
    assert fit_logistic(features, features[:, 0] > 0, ONES).weights[1] == 0


def test_a_weight_of_two_counts_as_two_rows() -> None:
    features, is_right = RNG.normal(size=(30, 2)).astype(np.float32), RNG.random(30) < 0.5
    weights = np.where(np.arange(30) < 10, 2.0, 1.0)
    twice = np.concatenate([np.arange(30), np.arange(10)])
    weighted = fit_logistic(features, is_right, weights).scores(features)
    repeated = fit_logistic(features[twice], is_right[twice], np.ones(40)).scores(features)
    np.testing.assert_allclose(weighted, repeated, atol=1e-3)


def test_calibrated_probabilities_are_the_shares_that_are_right() -> None:
    scores = RNG.normal(size=4000) * 3
    is_right = RNG.random(4000) < 1 / (1 + np.exp(-(scores - 1)))
    probabilities = fit_calibration(scores, is_right, ONES).probabilities(scores)
    for part in np.array_split(np.argsort(scores), 8):
        assert probabilities[part].mean() == pytest.approx(is_right[part].mean(), abs=0.05)


def test_probabilities_increase_strictly_even_where_scores_say_the_contrary() -> None:
    scores = np.linspace(-5, 5, 4000)
    calibration = fit_calibration(scores, scores < 0, ONES)
    assert (np.diff(calibration.probabilities(np.linspace(-30, 30, 999))) > 0).all()
    assert calibration.probabilities(np.asarray([-np.inf])) == 0


def test_fusion_and_calibration_come_back_from_their_arrays() -> None:
    features = RNG.normal(size=(50, 2)).astype(np.float32)
    fusion = fit_logistic(features, features[:, 0] > 0, np.ones(50))
    np.testing.assert_array_equal(
        Logistic.from_arrays(fusion.arrays()).scores(features), fusion.scores(features)
    )
    calibration = Calibration(np.asarray([2.0]), np.asarray([1.0]))
    assert Calibration.from_arrays(calibration.arrays()).slope == 2


def test_the_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    probabilities = np.asarray([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    is_right = np.asarray([True, True, False, True, True, False])
    lowest = threshold_for_precision(probabilities, is_right, np.ones(6), precision=0.8)
    assert lowest == 0.5
    for threshold in probabilities[probabilities < lowest]:
        assert is_right[probabilities >= threshold].mean() < 0.8


def test_equal_probabilities_are_answered_together() -> None:
    probabilities, is_right = np.asarray([0.9, 0.5, 0.5]), np.asarray([True, True, False])
    assert threshold_for_precision(probabilities, is_right, np.ones(3), precision=0.9) == 0.9


def test_where_no_precision_is_enough_nothing_is_answered() -> None:
    threshold = threshold_for_precision(
        np.asarray([0.9, 0.8]), np.asarray([False, True]), np.ones(2), precision=0.9
    )
    assert threshold > 0.9


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(InputError, match="4 right and 0 wrong answers were seen"):
        fit_logistic(np.zeros((4, 1), np.float32), np.ones(4, np.bool_), np.ones(4))
    with pytest.raises(InputError, match="the wanted precision is 95"):
        threshold_for_precision(np.ones(1), np.ones(1, np.bool_), np.ones(1), precision=95)
    with pytest.raises(InputError, match="a calibration has the slope 0"):
        Calibration(np.zeros(1), np.zeros(1))
