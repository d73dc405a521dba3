"""How many inliers chance gives photos of different landmarks, and how many photos of the same one match."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from cairn.algorithms.geometry import Model, matches, verified
from cairn.algorithms.surprise import NULLS, Null, fit_null, require_pairs
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.models.keypoints import Keypoints

Ints = npt.NDArray[np.int64]

LEVELS = (1.0, 2.0, 3.0, 4.0)
MODELS: tuple[Model, ...] = get_args(Model)


@dataclass(frozen=True)
class Counts:
    """Matches and inliers [P] of pairs, for one model; 0 inliers where no geometry was found."""

    n_matches: Ints
    n_inliers: Ints

    def shares_above(self, null: Null) -> tuple[float, ...]:
        """The shares of the pairs whose surprise under `null` reaches each of LEVELS; 0 without pairs."""
        both = zip(self.n_inliers.tolist(), self.n_matches.tolist(), strict=True)
        found = np.array([null.surprise(k, n) if k else 0.0 for k, n in both], np.float64)
        return tuple(float((found >= level).mean()) if len(found) else 0.0 for level in LEVELS)


@dataclass(frozen=True)
class MatchingBench:
    """One model: the null fitted on half of the landmarks, and the shares of pairs of the other half above LEVELS.

    different: of pairs of different landmarks; 10^−level each is what the null promises. different_in_use: the same
    by the null that Cairn uses. same: of pairs of photos of one landmark.
    """

    model: Model
    null: Null
    different: tuple[float, ...]
    different_in_use: tuple[float, ...]
    same: tuple[float, ...]
    n_different: int
    n_same: int


def bench_matching(
    landmarks: Sequence[str],
    keypoints_of: Callable[[int], Keypoints],
    *,
    are_far: Callable[[str, str], bool],
    n_pairs: int,
    seed: int,
    engine: Engine,
    watch: Watch,
) -> list[MatchingBench]:
    """The nulls of all models, and how they hold on landmarks that they were not fitted on.

    landmarks: of each image. are_far: whether photos of two landmarks cannot show one another's. n_pairs: of
    different landmarks, in either half; of the same one half as many.
    Raises InputError where there are too few pairs to fit a null on.
    """
    rng = np.random.default_rng(seed)
    of_fit, of_check = dealt(landmarks, rng)
    sorts = {
        "fit": different_pairs(of_fit, landmarks, are_far, n_pairs, rng),
        "check": different_pairs(of_check, landmarks, are_far, n_pairs, rng),
        "same": same_pairs(of_check, landmarks, n_pairs // 2, rng),
    }
    require_pairs(len(sorts["fit"]))
    counts = {name: count(pairs, keypoints_of, engine, watch) for name, pairs in sorts.items()}
    return [_of_model(model, counts) for model in MODELS]


def dealt(landmarks: Sequence[str], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """The rows of the images of a random half of the landmarks, to fit on, and those of the others, to check on."""
    names = rng.permutation(sorted(set(landmarks)))
    fitted_on = set(names[: len(names) // 2].tolist())
    rows = range(len(landmarks))
    of_fit = [row for row in rows if landmarks[row] in fitted_on]
    return of_fit, [row for row in rows if landmarks[row] not in fitted_on]


def _of_model(model: Model, counts: dict[str, dict[Model, Counts]]) -> MatchingBench:
    fit, check, same = (counts[name][model] for name in ("fit", "check", "same"))
    null = fit_null(fit.n_matches, fit.n_inliers)
    return MatchingBench(
        model, null, check.shares_above(null), check.shares_above(NULLS[model]), same.shares_above(null),
        len(check.n_matches), len(same.n_matches),
    )  # fmt: skip


def count(
    pairs: Ints, keypoints_of: Callable[[int], Keypoints], engine: Engine, watch: Watch
) -> dict[Model, Counts]:
    """The matches and inliers of `pairs` [P, 2] of images, for each model."""

    def counted(pair: tuple[int, int]) -> list[tuple[int, int]]:
        a, b = (keypoints_of(row) for row in pair)
        rows = matches(a.features, b.features)
        proven = [verified(a.points, b.points, rows, model=model) for model in MODELS]
        return [(one.n_matches, len(one.inliers)) if one else (len(rows), 0) for one in proven]

    found = np.zeros((len(pairs), len(MODELS), 2), np.int64)
    asked = [(one, other) for one, other in pairs.tolist()]
    with watch.phase("match pairs", len(pairs)) as advance:
        for place, numbers in enumerate(engine.map(counted, asked)):
            found[place] = numbers
            advance(1)
    return {
        model: Counts(found[:, place, 0], found[:, place, 1]) for place, model in enumerate(MODELS)
    }


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
