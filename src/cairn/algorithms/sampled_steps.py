"""Sampled softmax: small steps that look at the columns of their batch and at some of the others, drawn at random."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# A rate that falls needs some steps to fall in: few rows are taken in smaller batches.
_LEAST_BATCHES = 12
# Below so many rows in a batch the rate falls with them, as the mean of few gradients is less to be trusted.
_ROWS_FOR_FULL_RATE = 1_024


@dataclass(frozen=True)
class SampledSteps:
    """How the steps are taken: passes over the rows, most rows in a step, other columns drawn for it, and the rate.

    The rate, by which the gradient of the mean loss is multiplied, falls to nothing along half a cosine.
    """

    n_passes: int = 8
    batch_rows: int = 2048
    n_others: int = 2048
    rate: float = 150.0


@dataclass(frozen=True)
class Drawn:
    """`columns` [S], each once, that a step looks at, and the logarithm [S] of how many columns each stands for."""

    columns: Ints
    log_counts: Floats


def draw_columns(wanted: Ints, *, n_columns: int, n_others: int, rng: np.random.Generator) -> Drawn:
    """The `wanted` columns, each for itself, and `n_others` of the others, drawn alike, that stand for them all.

    Σ count · f(column) over what is drawn is on average Σ f(column) over all columns, whatever f is.
    """
    is_wanted = np.zeros(n_columns, np.bool_)
    is_wanted[wanted] = True
    mine, others = np.flatnonzero(is_wanted), np.flatnonzero(~is_wanted)
    n_drawn = min(n_others, len(others))
    drawn = others[rng.choice(len(others), n_drawn, replace=False, shuffle=False)]
    counts = np.repeat([1.0, len(others) / max(n_drawn, 1)], [len(mine), n_drawn])
    return Drawn(np.concatenate([mine, drawn]), np.log(counts).astype(np.float32))


def sampled_cross_entropy(
    weights: Floats, inputs: Floats, places: Ints, row_weights: Floats, log_counts: Floats
) -> tuple[float, Floats]:
    """The weighted cross-entropy over the drawn columns, with its gradient, shaped as `weights` [S, D].

    inputs: [B, D]; places: [B], where among the drawn columns the right one of each row is; row_weights: [B].
    Each column counts as many times in the sum below the right one as it stands for columns.
    Source: Jean, Cho, Memisevic, Bengio, arXiv:1412.2007 (importance sampling of the softmax).
    """
    shares = inputs @ weights.T
    shares += log_counts
    shares -= shares.max(axis=1, keepdims=True)
    rows = np.arange(len(inputs))
    of_right = shares[rows, places]
    np.exp(shares, out=shares)
    sums = shares.sum(axis=1)
    loss = float((row_weights * (np.log(sums) - of_right + log_counts[places])).sum())
    shares *= (row_weights / sums)[:, None]
    shares[rows, places] -= row_weights
    return loss, np.asarray(shares.T @ inputs, np.float32)


def descend_sampled(
    inputs_of: Callable[[Ints], Floats],
    columns: Ints,
    row_weights: Floats,
    start: Floats,
    *,
    always: Ints,
    decay: float,
    steps: SampledSteps,
    rng: np.random.Generator,
) -> Floats:
    """Parameters [D, K] where the weighted mean cross-entropy is about smallest, started from `start`.

    inputs_of: the inputs [B, D] of some rows, the last number 1; columns, row_weights: [N] the right column of each
    row and how much it counts. always: columns that every step looks at.
    A step reads and changes the columns that it draws and no others; what a column should have lost to `decay` in
    the meantime (as `cross_entropy` has it, the last number not) is caught up when it is drawn.
    """
    # Columns as rows, so that those of a step are read in one piece each.
    weights = np.array(start.T, np.float32, order="C")
    n_rows, n_columns = len(columns), len(weights)
    n_batches = max(-(-n_rows // steps.batch_rows), min(_LEAST_BATCHES, n_rows))
    last_step, place_of = np.full(n_columns, -1), np.empty(n_columns, np.int64)
    for step in range(steps.n_passes * n_batches):
        if step % n_batches == 0:
            order = rng.permutation(n_rows)
        rows = np.sort(order[step % n_batches :: n_batches])
        wanted = np.concatenate([columns[rows], always])
        drawn = draw_columns(wanted, n_columns=n_columns, n_others=steps.n_others, rng=rng)
        mine = drawn.columns
        place_of[mine] = np.arange(len(mine))
        _, gradient = sampled_cross_entropy(
            weights[mine], inputs_of(rows), place_of[columns[rows]], row_weights[rows],
            drawn.log_counts,
        )  # fmt: skip
        gradient *= np.float32(n_rows / len(rows))
        n_missed = (step - last_step[mine]).astype(np.float32)
        gradient[:, :-1] += decay * n_missed[:, None] * weights[mine, :-1]
        last_step[mine] = step
        fallen = (1 + np.cos(np.pi * step / (steps.n_passes * n_batches))) / 2
        rate = steps.rate * fallen * min(1.0, len(rows) / _ROWS_FOR_FULL_RATE)
        weights[mine] -= np.float32(rate) * gradient
    return np.ascontiguousarray(weights.T)
