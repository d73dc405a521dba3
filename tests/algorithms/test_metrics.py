"""Each measure against its formula written as loops, the published vectors, and what must hold of any answers."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms import metrics
from cairn.algorithms.metrics import gap_of_answers
from cairn.algorithms.resampling import bootstrap, resamplings, wilson
from cairn.base.errors import InputError

Answers = list[tuple[str, str, float]]
Truth = dict[str, set[str]]
TRUTH_1: Truth = {
    "0123456789abcdef": {"0", "12"},
    "0223456789abcdef": {"100", "200", "300"},
    "0323456789abcdef": {"1"},
    "0423456789abcdef": set(),
    "0523456789abcdef": set(),
}
ANSWERS_1: Answers = [
    ("0223456789abcdef", "0", 0.01),
    ("0323456789abcdef", "1", 10.0),
    ("0423456789abcdef", "150", 15.0),
]
TRUTH_3: Truth = {"a": {"1"}, "b": {"2"}, "c": set()}


def gap_of(answers: Answers, truth: Truth) -> float:
    images, landmarks, scores = zip(*answers, strict=True) if answers else ((), (), ())
    return gap_of_answers(images, landmarks, scores, truth=truth)


def slow_gap(answers: Answers, truth: Truth) -> float:
    seen: set[str] = set()
    place = n_right = 0
    total = 0.0
    for image, landmark, _ in sorted(
        answers, key=lambda answer: (-answer[2], answer[0], answer[1])
    ):
        if image not in seen:
            seen.add(image)
            place += 1
            n_right += landmark in truth[image]
            total += n_right / place if landmark in truth[image] else 0.0
    return total / sum(1 for shown in truth.values() if shown)


@pytest.mark.parametrize(
    ("answers", "truth", "expected"),
    [
        (ANSWERS_1, TRUTH_1, 1 / 6),
        (ANSWERS_1[:2], {image: shown for image, shown in TRUTH_1.items() if shown}, 1 / 3),
        ([("a", "1", 0.5), ("b", "9", 0.5)], {"a": {"1"}, "b": set()}, 1.0),
        ([("z", "1", 0.5), ("b", "9", 0.5)], {"z": {"1"}, "b": set()}, 0.5),
        ([("a", "1", 0.9)], TRUTH_3, 0.5),
        ([("a", "1", 0.9), ("b", "5", 0.1), ("c", "7", 0.05)], TRUTH_3, 0.5),
        ([("a", "1", 0.9), ("c", "7", 0.5), ("b", "2", 0.1)], TRUTH_3, 5 / 6),
        ([], TRUTH_3, 0.0),
    ],
)
def test_gap_has_the_published_values(answers: Answers, truth: Truth, expected: float) -> None:
    assert gap_of(answers, truth) == pytest.approx(expected)
    assert slow_gap(answers, truth) == pytest.approx(expected)


def test_top_1_of_the_first_vector_is_a_third() -> None:
    right, known = np.array([False, False, True]), np.ones(3, dtype=bool)
    assert metrics.share(right, known, metrics.once(3))[0] == pytest.approx(1 / 3)


def test_of_two_answers_for_one_photo_only_the_surest_counts_and_ties_go_to_the_smaller_landmark() -> (
    None
):
    truth: Truth = {"a": {"1"}, "b": {"2"}}
    assert gap_of([("a", "1", 0.5), ("a", "9", 0.9), ("b", "2", 0.1)], truth) == 0.25
    assert gap_of([("a", "2", 0.5), ("a", "1", 0.5), ("b", "2", 0.1)], truth) == 1.0


def test_gap_without_a_photo_of_a_landmark_says_what_to_do() -> None:
    with pytest.raises(InputError, match="none of the 1 image of the truth shows a landmark"):
        gap_of([("a", "1", 0.5)], {"a": set()})


def test_gap_names_an_answered_photo_that_the_truth_does_not_know() -> None:
    with pytest.raises(InputError, match=r"first: zz\) are not among the 3 images"):
        gap_of([("zz", "1", 0.5)], TRUTH_3)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="image b"):
        gap_of([("a", "1", 0.5), ("b", "1", float("nan"))], TRUTH_3)


@st.composite
def answered_truths(draw: st.DrawFn) -> tuple[Answers, Truth]:
    """Up to 8 photos of up to 3 landmarks, some answered, with scores that often tie."""
    images = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
    truth: Truth = {image: draw(st.sets(st.sampled_from("123"))) for image in images}
    truth["known"] = {"1"}
    answered = draw(st.lists(st.sampled_from(sorted(truth))))
    return [
        (i, draw(st.sampled_from("123")), float(draw(st.integers(-3, 3)))) for i in answered
    ], truth


wild = settings(database=None, deadline=None, max_examples=40)


@wild
@given(answered_truths())
def test_gap_is_that_of_the_loops(case: tuple[Answers, Truth]) -> None:
    assert gap_of(*case) == pytest.approx(slow_gap(*case))


@wild
@given(answered_truths(), st.sampled_from([np.exp, np.arctan, lambda score: 5 * score - 7]))
def test_gap_does_not_change_under_an_increasing_map(
    case: tuple[Answers, Truth], rising: Callable[[float], float]
) -> None:
    answers, truth = case
    mapped = [(image, landmark, float(rising(score))) for image, landmark, score in answers]
    assert gap_of(mapped, truth) == gap_of(answers, truth)


@wild
@given(answered_truths())
def test_a_wrong_answer_with_the_lowest_score_never_hurts(case: tuple[Answers, Truth]) -> None:
    answers, truth = case
    truth = truth | {"late": {"3"}}
    with_late = gap_of([*answers, ("late", "nowhere", -9.0)], truth)
    assert with_late == pytest.approx(gap_of(answers, truth), abs=1e-12)


@wild
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=9))
def test_an_answer_of_weight_w_counts_like_w_answers(rows: list[tuple[bool, int]]) -> None:
    right = np.array([is_right for is_right, _ in rows])
    weights = np.array([[float(weight) for _, weight in rows]])
    repeated = np.repeat(right, weights[0].astype(int))
    expected = metrics.gap(repeated, np.array([7.0]), metrics.once(len(repeated)))
    np.testing.assert_allclose(metrics.gap(right, np.array([7.0]), weights), expected)


def random_queries(seed: int) -> tuple[metrics.Bools, metrics.Floats, metrics.Ints, metrics.Floats]:
    """Right or wrong, scores sorted down with ties, labels from -1, and weights [4, 40]."""
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.integers(0, 12, 40) / 12)[::-1]
    right = rng.random(40) < scores
    return right, scores, rng.integers(-1, 5, 40), rng.integers(0, 4, (4, 40)).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_shares_and_means_are_those_of_the_loops(seed: int) -> None:
    right, _, labels, weights = random_queries(seed)
    means = metrics.mean_share_by_label(right, labels, weights)
    for row, row_weights in enumerate(weights):
        drawn = np.repeat(np.arange(40), row_weights.astype(int))
        by_label = [[right[q] for q in drawn if labels[q] == label] for label in range(5)]
        assert means[row] == pytest.approx(np.mean([np.mean(hits) for hits in by_label if hits]))
        inside = [right[q] for q in drawn if labels[q] >= 0]
        assert metrics.share(right, labels >= 0, weights)[row] == pytest.approx(np.mean(inside))


@pytest.mark.parametrize("seed", range(5))
def test_the_share_answered_at_a_precision_is_that_of_trying_every_threshold(seed: int) -> None:
    right, scores, _, weights = random_queries(seed)
    found = metrics.answered_at_precision(right, scores, weights, precision=0.7)
    for row, row_weights in enumerate(weights):
        drawn = np.repeat(np.arange(40), row_weights.astype(int))
        shares = [0.0]
        for threshold in np.unique(scores[drawn]):
            answered = drawn[scores[drawn] >= threshold]
            if right[answered].mean() >= 0.7:
                shares.append(len(answered) / len(drawn))
        assert found[row] == pytest.approx(max(shares))


def test_an_image_without_a_candidate_is_never_answered() -> None:
    right, scores = np.array([True, False]), np.array([0.5, -np.inf])
    found = metrics.answered_at_precision(right, scores, metrics.once(2), precision=0.4)
    assert found[0] == 0.5
    assert metrics.risk_coverage(right, scores)[0].tolist() == [0.5]


def test_equal_scores_are_answered_together() -> None:
    right, scores = np.array([True, False, True]), np.array([0.9, 0.9, 0.1])
    coverage, risk = metrics.risk_coverage(right, scores)
    np.testing.assert_allclose(coverage, [2 / 3, 1])
    np.testing.assert_allclose(risk, [1 / 2, 1 / 3])


@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_is_that_of_the_bins(seed: int) -> None:
    right, probability, _, _ = random_queries(seed)
    error = metrics.calibration_error(probability, right, metrics.once(40), n_bins=8)
    rows = sorted(range(40), key=lambda q: probability[q])
    bins = [rows[start : start + 5] for start in range(0, 40, 5)]
    gaps = [abs(probability[inside].mean() - right[inside].mean()) for inside in bins]
    assert error[0] == pytest.approx(np.mean(gaps))
    means, shares, counts = metrics.calibration_bins(probability, right, n_bins=8)
    np.testing.assert_allclose(np.abs(means - shares), gaps)
    assert counts.tolist() == [5] * 8


def test_a_measure_of_nothing_is_undefined() -> None:
    nobody, empty = np.zeros(0, dtype=bool), np.empty(0)
    assert np.isnan(metrics.share(nobody, nobody, metrics.once(0)))
    assert np.isnan(metrics.gap(nobody, np.zeros(1), metrics.once(0)))
    assert np.isnan(
        metrics.mean_share_by_label(nobody, np.empty(0, dtype=np.intp), metrics.once(0))
    )
    assert np.isnan(metrics.answered_at_precision(nobody, empty, metrics.once(0), precision=0.9))
    assert np.isnan(metrics.calibration_error(empty, nobody, metrics.once(0), n_bins=3))
    assert len(metrics.risk_coverage(nobody, empty)[0]) == 0
    assert len(metrics.calibration_bins(empty, nobody, n_bins=3)[0]) == 0


def test_a_resampling_draws_whole_groups_and_as_many_as_there_are() -> None:
    groups = np.array(["a", "a", "b", "c"])
    weights = np.concatenate(list(resamplings(groups, n=50, rng=np.random.default_rng(0))))
    assert weights.shape == (50, 4)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 1:].sum(axis=1) == 3).all()


def test_copies_widen_the_interval() -> None:
    hits = np.repeat(np.random.default_rng(0).random(50) < 0.5, 4)
    widths = []
    for groups in (np.arange(200).astype(str), np.repeat(np.arange(50), 4).astype(str)):
        statistics = {"share": lambda w: metrics.share(hits, np.ones(200, dtype=bool), w)}
        value, low, high = bootstrap(statistics, groups, n=400, rng=np.random.default_rng(1))[
            "share"
        ]
        assert low < value < high
        widths.append(high - low)
    assert widths[1] > 1.6 * widths[0]


def test_one_group_has_no_interval() -> None:
    statistics = {"share": lambda w: metrics.share(np.ones(3, bool), np.ones(3, bool), w)}
    found = bootstrap(statistics, np.array(["a"] * 3), n=10, rng=np.random.default_rng(0))["share"]
    np.testing.assert_equal(found, (1.0, np.nan, np.nan))


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [(1.0, 10, 0.7225, 1.0), (0.0, 10, 0.0, 0.2775), (0.5, 20, 0.2993, 0.7007)],
)
def test_wilson_has_the_known_values(share: float, n: int, low: float, high: float) -> None:
    assert wilson(share, n) == pytest.approx((low, high), abs=1e-4)
