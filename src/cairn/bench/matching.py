"""How many inliers chance gives photos of different landmarks, and how many photos of the same one match."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from cairn.algorithms.geometry import Model, matches, verified
from cairn.algorithms.surprise import Null, fit_null
from cairn.base.watching import Watch
from cairn.models.keypoints import Keypoints

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVELS = (1.0, 2.0, 3.0, 4.0)
N_PAIRS = 4_000
MODELS: tuple[Model, ...] = get_args(Model)


@dataclass(frozen=True)
class Counts:
    """Matches and inliers [P] of pairs, for one model; 0 inliers where no geometry was found."""

    n_matches: Ints
    n_inliers: Ints

    def surprises(self, null: Null) -> Doubles:
        """[P]: how unlikely each count is under `null`; 0 where no geometry was found."""
        both = zip(self.n_inliers.tolist(), self.n_matches.tolist(), strict=True)
        return np.array([null.surprise(k, n) if k else 0.0 for k, n in both], np.float64)


@dataclass(frozen=True)
class MatchingBench:
    """One model: the null fitted on half of the landmarks, and the shares of pairs of the other half above LEVELS.

    different: of pairs of different landmarks; 10^−level each is what the null promises.
    same: of pairs of photos of one landmark.
    """

    model: Model
    null: Null
    different: tuple[float, ...]
    same: tuple[float, ...]
    n_different: int
    n_same: int


def bench_matching(
    landmarks: Sequence[str],
    keypoints_of: Callable[[int], Keypoints],
    *,
    are_far: Callable[[str, str], bool],
    n_pairs: int = N_PAIRS,
    seed: int = 0,
    watch: Watch,
) -> list[MatchingBench]:
    """The nulls of all models, and how they hold on landmarks that they were not fitted on.

    landmarks: of each image. are_far: whether photos of two landmarks cannot show one another's.
    """
    rng = np.random.default_rng(seed)
    names = rng.permutation(sorted(set(landmarks)))
    fitted_on = set(names[: len(names) // 2].tolist())
    of_fit = [row for row, name in enumerate(landmarks) if name in fitted_on]
    of_check = [row for row, name in enumerate(landmarks) if name not in fitted_on]
    sorts = {
        "fit": different_pairs(of_fit, landmarks, are_far, n_pairs, rng),
        "check": different_pairs(of_check, landmarks, are_far, n_pairs, rng),
        "same": same_pairs(of_check, landmarks, n_pairs // 2, rng),
    }
    counts = {name: count(pairs, keypoints_of, watch) for name, pairs in sorts.items()}
    return [_of_model(model, counts) for model in MODELS]


def _of_model(model: Model, counts: dict[str, dict[Model, Counts]]) -> MatchingBench:
    null = fit_null(counts["fit"][model].n_matches, counts["fit"][model].n_inliers)
    above = {
        name: tuple(
            float((counts[name][model].surprises(null) >= level).mean()) for level in LEVELS
        )
        for name in ("check", "same")
    }
    n_different, n_same = (len(counts[name][model].n_matches) for name in ("check", "same"))
    return MatchingBench(model, null, above["check"], above["same"], n_different, n_same)


def count(
    pairs: Ints, keypoints_of: Callable[[int], Keypoints], watch: Watch
) -> dict[Model, Counts]:
    """The matches and inliers of `pairs` [P, 2] of images, for each model."""
    found = {model: np.zeros((len(pairs), 2), np.int64) for model in MODELS}
    with watch.phase("match pairs", len(pairs)) as advance:
        for place, (one, other) in enumerate(pairs.tolist()):
            a, b = keypoints_of(one), keypoints_of(other)
            rows = matches(a.features, b.features)
            for model in MODELS:
                proven = verified(a.points, b.points, rows, model=model)
                n_inliers = len(proven.inliers) if proven else 0
                found[model][place] = (proven.n_matches if proven else len(rows), n_inliers)
            advance(1)
    return {model: Counts(table[:, 0], table[:, 1]) for model, table in found.items()}


def different_pairs(
    rows: Sequence[int], landmarks: Sequence[str], are_far: Callable[[str, str], bool], n: int,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """At most `n` random pairs of images of landmarks that are far from each other, each once."""
    tries = rng.integers(0, len(rows), (4 * n, 2)) if rows else np.empty((0, 2), np.int64)
    pairs = {
        (rows[a], rows[b]): None
        for a, b in np.sort(tries, axis=1).tolist()
        if are_far(landmarks[rows[a]], landmarks[rows[b]])
    }
    return np.array(list(pairs)[:n], np.int64).reshape(-1, 2)


def same_pairs(
    rows: Sequence[int], landmarks: Sequence[str], n: int, rng: np.random.Generator
) -> Ints:
    """At most `n` random pairs of images of one landmark, each once."""
    pairs = [
        (a, b) for i, a in enumerate(rows) for b in rows[i + 1 :] if landmarks[a] == landmarks[b]
    ]
    picked = rng.permutation(len(pairs))[:n]
    return np.array([pairs[place] for place in picked], np.int64).reshape(-1, 2)
