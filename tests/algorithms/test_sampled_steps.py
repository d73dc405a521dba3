"""Sampled softmax: what is drawn stands for all, the gradient is that of loops, and steps end where whole passes do."""

import numpy as np
import pytest

from cairn.algorithms.heads import cross_entropy, train_head
from cairn.algorithms.sampled_steps import (
    SampledSteps,
    descend_sampled,
    draw_columns,
    sampled_cross_entropy,
)

RNG = np.random.default_rng(0)


def test_what_is_drawn_holds_each_wanted_column_once_and_others_as_asked() -> None:
    drawn = draw_columns(np.asarray([3, 7, 3]), n_columns=20, n_others=5, rng=RNG)
    assert drawn.columns[:2].tolist() == [3, 7]
    assert len(np.unique(drawn.columns)) == 7
    np.testing.assert_allclose(np.exp(drawn.log_counts), [1, 1] + [18 / 5] * 5, rtol=1e-6)


def test_where_there_are_few_columns_all_are_drawn_and_stand_for_themselves() -> None:
    drawn = draw_columns(np.asarray([2]), n_columns=4, n_others=9, rng=RNG)
    assert sorted(drawn.columns.tolist()) == [0, 1, 2, 3]
    assert not drawn.log_counts.any()
    alone = draw_columns(np.arange(4), n_columns=4, n_others=9, rng=RNG)
    assert alone.columns.tolist() == [0, 1, 2, 3]


def test_the_drawn_sum_is_on_average_the_sum_over_all() -> None:
    values, rng = RNG.random(30), np.random.default_rng(5)
    sums = []
    for _ in range(4_000):
        drawn = draw_columns(np.asarray([4, 9]), n_columns=30, n_others=6, rng=rng)
        sums.append(float((np.exp(drawn.log_counts) * values[drawn.columns]).sum()))
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - values.sum()) < 4 * error


def test_the_loss_is_that_of_loops_and_its_gradient_that_of_small_steps() -> None:
    inputs, places = RNG.normal(size=(5, 3)).astype(np.float32), np.asarray([0, 1, 1, 3, 2])
    weights, counts = RNG.normal(size=(4, 3)).astype(np.float32), np.asarray([1, 1, 2.5, 2.5])
    row_weights, log_counts = RNG.random(5).astype(np.float32), np.log(counts).astype(np.float32)

    def slow(at: np.ndarray) -> float:
        loss = 0.0
        for row, place, weight in zip(inputs, places, row_weights, strict=True):
            parts = [c * np.exp(column @ row) for c, column in zip(counts, at, strict=True)]
            loss -= weight * np.log(np.exp(at[place] @ row) / sum(parts))
        return loss

    loss, gradient = sampled_cross_entropy(weights, inputs, places, row_weights, log_counts)
    assert loss == pytest.approx(slow(weights), rel=1e-5)
    for place in np.ndindex(weights.shape):
        step = np.zeros(weights.shape)
        step[place] = 1e-5
        slope = (slow(weights + step) - slow(weights - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-4)


def few_images() -> tuple[np.ndarray, np.ndarray]:
    """Inputs [120, 9] around a place for each of 12 columns, and the columns."""
    columns = np.arange(120) % 12
    inputs = RNG.normal(size=(12, 9))[columns] + RNG.normal(size=(120, 9))
    inputs[:, -1] = 1
    return inputs.astype(np.float32), columns


def descended(inputs: np.ndarray, columns: np.ndarray, decay: float, n_others: int) -> np.ndarray:
    steps = SampledSteps(n_passes=150, batch_rows=24, n_others=n_others)
    return descend_sampled(
        lambda rows: inputs[rows], columns, np.full(120, 1 / 120, np.float32),
        np.zeros((9, 12), np.float32), always=np.asarray([0]), decay=decay, steps=steps,
        rng=np.random.default_rng(1),
    )  # fmt: skip


@pytest.mark.parametrize("n_others", [99, 3])
def test_steps_end_about_where_the_loss_over_all_columns_is_smallest(n_others: int) -> None:
    inputs, columns = few_images()
    row_weights = np.full(120, 1 / 120, np.float32)
    found = descended(inputs, columns, 1e-2, n_others)
    loss, gradient = cross_entropy(found, inputs, columns, row_weights, decay=1e-2)
    begun, steep = cross_entropy(0 * found, inputs, columns, row_weights, decay=1e-2)
    assert loss < 0.75 * begun
    assert np.linalg.norm(gradient) < 0.12 * np.linalg.norm(steep)


def test_columns_that_are_not_drawn_stay_as_they_are() -> None:
    inputs, columns = few_images()
    start = RNG.normal(size=(9, 5_000)).astype(np.float32)
    found = descend_sampled(
        lambda rows: inputs[rows], columns, np.full(120, 1 / 120, np.float32), start,
        always=np.asarray([], np.int64), decay=0.0, steps=SampledSteps(1, 120, n_others=5),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    changed = np.flatnonzero((found != start).any(axis=0))
    assert set(range(12)) <= set(changed.tolist())
    assert 12 < len(changed) <= 12 + 12 * 5


def test_the_same_seed_takes_the_same_steps() -> None:
    vectors = RNG.normal(size=(60, 8)).astype(np.float32)
    heads = [
        train_head(
            vectors, np.arange(60) % 6 - 1, rng=np.random.default_rng(3), way="sampled steps"
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(heads[0].weights, heads[1].weights)
