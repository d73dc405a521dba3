"""Softmax heads: one weight column a landmark, and one for "shows no landmark"."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cairn.algorithms.minimizing import minimise
from cairn.algorithms.sampled_steps import SampledSteps, descend_sampled
from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NO_LANDMARK = -1
_CHUNK_ROWS = 1024
_LENGTH = np.float32(10)
_SUMMED_AT_ONCE = 65_536
# A sample is enough to choose among five scales.
_ROWS_FOR_SCALE = 4 * _CHUNK_ROWS
_MOST_FOR_WHOLE_PASSES = 3e11
_STEPS = SampledSteps()

Way = Literal["closed form", "whole passes", "sampled steps"]


@dataclass(frozen=True)
class Head:
    """`weights` [d, K], `biases` [K]; column k speaks for landmark `landmarks[k]`, -1 for none.

    `landmarks` [K] is ascending, each once.
    """

    weights: Floats
    biases: Floats
    landmarks: Ints

    def __post_init__(self) -> None:
        if not self.weights.shape[1] == len(self.biases) == len(self.landmarks):
            raise InputError(
                f"a head has {self.weights.shape[1]} weight columns, {len(self.biases)} biases and "
                f"{len(self.landmarks)} landmarks; as many of each were expected; train the head again"
            )

    def logits(self, vectors: Floats) -> Floats:
        """[N, K]: how much speaks for each column, in the order of `landmarks`."""
        if vectors.shape[1] != len(self.weights):
            raise InputError(
                f"descriptors have {vectors.shape[1]} numbers per image, the head expects "
                f"{len(self.weights)}; whiten them with the whitening that the head was trained on"
            )
        return np.asarray(vectors @ self.weights + self.biases, np.float32)

    def cosines(self, vectors: Floats) -> Floats:
        """[N, K]: the cosine of each image with each weight column."""
        lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(self.weights, axis=0)
        return np.asarray(vectors @ self.weights / np.maximum(lengths, 1e-12), np.float32)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything fitted, by name; `from_arrays` reads it back."""
        return {"weights": self.weights, "biases": self.biases, "landmarks": self.landmarks}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Head":
        """The head that `arrays()` took apart."""
        weights, biases = (np.asarray(arrays[name], np.float32) for name in ("weights", "biases"))
        return cls(weights, biases, np.asarray(arrays["landmarks"], np.int64))


def way_of_training(*, n_images: int, width: int, n_columns: int) -> Way:
    """How a head of such a size is trained: by whole passes while all 20 of them are a matter of minutes.

    Whole passes, up to 3e11 multiplications each, are the same whatever the seed. Above, sampled steps look at each
    image a few times and at a share of the columns each time; `cairn bench head` tells what either way costs.
    """
    work = n_images * width * n_columns
    return "whole passes" if work <= _MOST_FOR_WHOLE_PASSES else "sampled steps"


def train_head(
    vectors: Floats,
    landmarks: Ints,
    *,
    rng: np.random.Generator,
    none_weight: float = 0.5,
    decay: float = 1e-5,
    n_passes: int = 20,
    steps: SampledSteps = _STEPS,
    way: Way | None = None,
) -> Head:
    """A softmax head on fixed descriptors, started from the closed form of least squares.

    vectors: [N, d] of about length one; landmarks: [N], -1 where an image shows none.
    none_weight: how much an image without landmark counts beside one with; 0 leaves the none column out.
    decay: half of it times the squared weights is added to the mean cross-entropy; the weights are
        those of vectors ten long, so that a weight of one is worth a step.
    n_passes: of whole passes; steps: of sampled ones, which rng deals. way: by `way_of_training`, if not given.
    Raises InputError where no image shows a landmark or the shapes differ.
    """
    _require_some_landmark(vectors, landmarks)
    if none_weight == 0:
        vectors, landmarks = vectors[landmarks >= 0], landmarks[landmarks >= 0]
    known, columns = np.unique(landmarks, return_inverse=True)
    row_weights = np.where(landmarks < 0, none_weight, 1.0).astype(np.float32)
    row_weights /= row_weights.sum()
    parameters = _closed_form(vectors, columns, row_weights, n_columns=len(known))
    way = way or way_of_training(
        n_images=len(vectors), width=vectors.shape[1] + 1, n_columns=len(known)
    )
    if way == "whole passes":
        inputs = _inputs(vectors)
        parameters = minimise(
            lambda at: cross_entropy(at, inputs, columns, row_weights, decay=decay),
            parameters,
            n_steps=n_passes,
        )
    elif way == "sampled steps":
        parameters = descend_sampled(
            lambda rows: _inputs(vectors[rows]), columns, row_weights, parameters,
            always=np.flatnonzero(known < 0), decay=decay, steps=steps, rng=rng,
        )  # fmt: skip
    return Head(_LENGTH * parameters[:-1], parameters[-1], known.astype(np.int64))


def _inputs(vectors: Floats) -> Floats:
    """[N, d + 1]: vectors as the loss takes them, ten long, with a 1 at the end."""
    return np.hstack([_LENGTH * vectors, np.ones((len(vectors), 1), np.float32)])


def cross_entropy(
    parameters: Floats, inputs: Floats, columns: Ints, row_weights: Floats, *, decay: float
) -> tuple[float, Floats]:
    """The weighted cross-entropy with its gradient, shaped as `parameters` [d + 1, K].

    inputs: [N, d + 1], the last number 1 (its row of `parameters` is the bias, which does not decay).
    columns: [N], the right column of each row; row_weights: [N].
    The table [N, K] is never held whole: rows are worked on 1,024 at a time.
    """
    loss, gradient = 0.0, np.zeros_like(parameters)
    for first in range(0, len(inputs), _CHUNK_ROWS):
        chunk = slice(first, first + _CHUNK_ROWS)
        logits = inputs[chunk] @ parameters
        logits -= logits.max(axis=1, keepdims=True)
        rows, right = np.arange(len(logits)), columns[chunk]
        of_right = logits[rows, right].copy()
        shares = np.exp(logits, out=logits)
        sums = shares.sum(axis=1, keepdims=True)
        loss += float((row_weights[chunk] * (np.log(sums[:, 0]) - of_right)).sum())
        shares /= sums
        shares[rows, right] -= 1
        gradient += inputs[chunk].T @ (shares * row_weights[chunk, None])
    loss += decay / 2 * float((parameters[:-1] ** 2).sum())
    gradient[:-1] += decay * parameters[:-1]
    return loss, gradient


def imprint(head: Head, vectors: Floats, landmarks: Ints) -> Head:
    """`head` with a column for each landmark of `landmarks` that it lacks, without training.

    vectors: [N, d], landmarks: [N]; rows of landmarks that the head knows, or of none, say nothing.
    A new column points to the mean of the landmark's images and is as long as the head's columns
    are in the median, with their median bias.
    Source: Qi, Brown, Lowe, arXiv:1712.07136 (imprinted weights).
    """
    new = np.setdiff1d(landmarks[landmarks >= 0], head.landmarks)
    is_landmark = head.landmarks >= 0
    if not len(new) or not is_landmark.any():
        return head
    length = np.median(np.linalg.norm(head.weights[:, is_landmark], axis=0))
    means = np.stack([vectors[landmarks == landmark].mean(axis=0) for landmark in new], axis=1)
    columns = means * (length / np.maximum(np.linalg.norm(means, axis=0), 1e-12))
    biases = np.full(len(new), np.median(head.biases[is_landmark]))
    order = np.argsort(np.concatenate([head.landmarks, new]), kind="stable")
    return Head(
        np.hstack([head.weights, columns])[:, order].astype(np.float32),
        np.concatenate([head.biases, biases])[order].astype(np.float32),
        np.concatenate([head.landmarks, new])[order],
    )


def _closed_form(
    vectors: Floats, columns: Ints, row_weights: Floats, *, n_columns: int, ridge_share: float = 0.3
) -> Floats:
    """Parameters [d + 1, K] of least squares on the right columns, scaled to be good logits."""
    width = vectors.shape[1] + 1
    moments = np.zeros((width, width), np.float32)
    sums = np.zeros((n_columns, width), np.float32)
    for first in range(0, len(vectors), _SUMMED_AT_ONCE):
        block = slice(first, first + _SUMMED_AT_ONCE)
        inputs = _inputs(vectors[block])
        weighted = inputs * row_weights[block, None]
        moments += weighted.T @ inputs
        np.add.at(sums, columns[block], weighted)
    moments[np.diag_indices_from(moments)] += ridge_share * np.trace(moments) / len(vectors)
    solved: Floats = np.linalg.solve(moments.astype(np.float64), sums.T.astype(np.float64)).astype(
        np.float32
    )
    n_sample = min(len(vectors), _ROWS_FOR_SCALE)
    sample = np.linspace(0, len(vectors) - 1, n_sample).astype(np.int64)
    inputs = _inputs(vectors[sample])
    losses = {
        scale: cross_entropy(
            solved * scale, inputs, columns[sample], row_weights[sample], decay=0.0
        )[0]
        for scale in (1.0, 3.0, 10.0, 20.0, 40.0)
    }
    return solved * np.float32(min(losses, key=lambda scale: losses[scale]))


def _require_some_landmark(vectors: Floats, landmarks: Ints) -> None:
    require_vectors(vectors, what="descriptors")
    if len(vectors) != len(landmarks) or not (landmarks >= 0).any():
        raise InputError(
            f"a head was asked of {len(vectors)} descriptors with {len(landmarks)} landmarks, "
            f"{int((landmarks >= 0).sum())} of them known; one landmark each and at least one known "
            "was expected; give photos in folders named by their landmark"
        )
