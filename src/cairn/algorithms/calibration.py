"""From scores to probabilities, and from probabilities to the threshold under which the answer is none."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.minimizing import minimise
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Logistic:
    """A sum of features: score = Σ weights · (features − centre) / spread + bias.

    `centre`, `spread`, `weights` [F], `bias` [1]; the probability of "right" is about 1 / (1 + e^−score).
    """

    centre: Doubles
    spread: Doubles
    weights: Doubles
    bias: Doubles

    def scores(self, features: Floats) -> Doubles:
        """[...]: the score of each row of `features` [..., F]."""
        terms = (features - self.centre) / self.spread * self.weights
        return np.asarray(terms.sum(axis=-1) + self.bias[0], np.float64)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything fitted, by name; `from_arrays` reads it back."""
        return {
            "centre": self.centre,
            "spread": self.spread,
            "weights": self.weights,
            "bias": self.bias,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Logistic":
        """The fusion that `arrays()` took apart."""
        names = ("centre", "spread", "weights", "bias")
        return cls(*(np.asarray(arrays[name], np.float64) for name in names))


def fit_logistic(
    features: Floats, is_right: Bools, row_weights: Doubles, *, decay: float = 3e-3
) -> Logistic:
    """Logistic regression of `is_right` [N] on `features` [N, F], each evened out to spread one.

    decay: half of it times the squared weights is added to the weighted mean loss.
    A feature that never changes gets the weight 0.
    """
    require_both_kinds(is_right, row_weights)
    shares = row_weights / row_weights.sum()
    centre = (features * shares[:, None]).sum(axis=0, dtype=np.float64)
    spread = np.sqrt((((features - centre) ** 2) * shares[:, None]).sum(axis=0))
    changes = spread > 1e-6
    spread = np.where(changes, spread, 1.0)
    inputs = np.hstack([(features - centre) / spread * changes, np.ones((len(features), 1))])
    signs = np.where(is_right, 1.0, -1.0)

    def loss(at: Doubles) -> tuple[float, Doubles]:
        margins = signs * (inputs @ at)
        value = float((shares * np.logaddexp(0, -margins)).sum())
        slopes = -shares * signs / (1 + np.exp(np.minimum(margins, 500)))
        gradient = inputs.T @ slopes
        gradient[:-1] += decay * at[:-1]
        return value + decay / 2 * float((at[:-1] ** 2).sum()), gradient

    found = minimise(loss, np.zeros(inputs.shape[1], np.float64), n_steps=300, tolerance=1e-10)
    return Logistic(centre, spread, found[:-1] * changes, found[-1:])


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing map of scores to probabilities: 1 / (1 + e^−(slope · score + offset)).

    `slope` [1] above 0, `offset` [1]. Source: Platt, 1999.
    """

    slope: Doubles
    offset: Doubles

    def __post_init__(self) -> None:
        if not self.slope[0] > 0:
            raise InputError(
                f"a calibration has the slope {self.slope[0]}; a number above 0 was expected; "
                "fit the calibration again"
            )

    def probabilities(self, scores: Doubles) -> Doubles:
        """The probability of each score, of the same shape; strictly increasing while doubles can tell.

        The lowest score, -inf, has the probability 0.
        """
        at = self.slope[0] * np.asarray(scores, np.float64) + self.offset[0]
        small = np.exp(-np.abs(at))
        return np.asarray(np.where(at >= 0, 1.0, small) / (1 + small), np.float64)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything fitted, by name; `from_arrays` reads it back."""
        return {"slope": self.slope, "offset": self.offset}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Calibration":
        """The calibration that `arrays()` took apart."""
        return cls(*(np.asarray(arrays[name], np.float64) for name in ("slope", "offset")))


def fit_calibration(scores: Doubles, is_right: Bools, row_weights: Doubles) -> Calibration:
    """The calibration under which `is_right` [N] is likeliest, given `scores` [N].

    The slope is kept from falling below a hundredth of what evens the scores out, so that the map
    increases strictly even where the scores say nothing.
    """
    fitted = fit_logistic(scores[:, None].astype(np.float64), is_right, row_weights, decay=1e-4)
    weight = max(float(fitted.weights[0]), 0.01)
    slope = weight / fitted.spread
    return Calibration(slope, fitted.bias - slope * fitted.centre)


def threshold_for_precision(
    probabilities: Doubles, is_right: Bools, row_weights: Doubles, *, precision: float
) -> float:
    """The lowest probability from which on at least `precision` of the answers are right.

    probabilities, is_right, row_weights: [N] of the first answer of each query.
    Where no probability is enough, a hair above the largest; where every one is, the smallest.
    """
    if not 0 < precision < 1:
        raise InputError(
            f"the wanted precision is {precision}; a share above 0 and below 1 was expected; "
            "give a number such as 0.95"
        )
    order = np.argsort(-probabilities, kind="stable")
    sorted_probabilities = probabilities[order]
    answered = np.cumsum(row_weights[order])
    right = np.cumsum((row_weights * is_right)[order])
    # Equal probabilities are answered together, so only the last of each run can be the threshold.
    is_last = np.append(sorted_probabilities[1:] != sorted_probabilities[:-1], True)
    is_enough = is_last & (right >= precision * answered)
    if not is_enough.any():
        return float(np.nextafter(sorted_probabilities[0], 2.0)) if len(order) else 1.0
    return float(sorted_probabilities[np.flatnonzero(is_enough)[-1]])


def require_both_kinds(is_right: Bools, row_weights: Doubles) -> None:
    """Nothing, where right and wrong answers were both seen; otherwise raises InputError."""
    n_right = int((is_right & (row_weights > 0)).sum())
    n_wrong = int((~is_right & (row_weights > 0)).sum())
    if not n_right or not n_wrong:
        raise InputError(
            f"{n_right} right and {n_wrong} wrong answers were seen while fitting; at least one of "
            "each was expected; add photos: a second photo of a landmark, a second landmark, or "
            "photos in _none"
        )
