"""What the best match of an image means: photos are tried under right landmarks and under random wrong ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.saying import (
    OTHER_SAYS,
    OWN_SAYS,
    Reliability,
    Says,
    fit_says,
    reliability,
)
from cairn.base.watching import Watch
from cairn.bench.matching import dealt
from cairn.engines.local import Engine

Doubles = npt.NDArray[np.float64]

OWN, OTHERS = "its own landmark", "another landmark"


@dataclass(frozen=True)
class Best:
    """The best surprises that photos gave an image: those of the landmark it is said to show, and of likely others."""

    own: float
    others: float


@dataclass(frozen=True)
class SaysBench:
    """What photos `of` a landmark say: fitted on half of the landmarks, held against the images of the other half.

    in_use: what Cairn uses. n_fitted_on, n_checked_on: images, each tried under its own landmark and under a wrong one.
    """

    of: str
    fitted: Says
    in_use: Says
    fitted_holds: Reliability
    in_use_holds: Reliability
    n_fitted_on: int
    n_checked_on: int


def bench_saying(
    landmarks: Sequence[str],
    best_under: Callable[[int, str], Best | None],
    *,
    are_far: Callable[[str, str], bool],
    n_images: int,
    seed: int,
    engine: Engine,
    watch: Watch,
) -> list[SaysBench]:
    """What photos of the own landmark say, and those of others.

    landmarks: of each image. best_under: what trying photos gives the image of a row when it is said to show a
    landmark, None where it has too few points. are_far: whether photos of two landmarks cannot show one another's.
    n_images: at most so many of either half.
    Raises InputError where there are too few images to fit on.
    """
    rng = np.random.default_rng(seed)
    fit, check = (
        _tried(rng.permutation(rows)[:n_images].tolist(), landmarks, best_under, are_far, rng, engine, watch)
        for rows in dealt(landmarks, rng)
    )  # fmt: skip
    # Under a wrong landmark it is so that the image shows another one.
    return [
        _of(OWN, OWN_SAYS, (fit.own_right, fit.own_wrong), (check.own_right, check.own_wrong)),
        _of(
            OTHERS,
            OTHER_SAYS,
            (fit.others_wrong, fit.others_right),
            (check.others_wrong, check.others_right),
        ),
    ]


@dataclass(frozen=True)
class _Bests:
    """[P] best surprises of images under their right and under a wrong landmark."""

    own_right: Doubles
    others_right: Doubles
    own_wrong: Doubles
    others_wrong: Doubles


def _tried(
    rows: list[int], landmarks: Sequence[str], best_under: Callable[[int, str], Best | None],
    are_far: Callable[[str, str], bool], rng: np.random.Generator, engine: Engine, watch: Watch,
) -> _Bests:  # fmt: skip
    names = sorted({landmarks[row] for row in rows})
    asked: list[tuple[int, str]] = []
    for row in rows:
        far = [name for name in names if are_far(landmarks[row], name)]
        if far:
            asked += [(row, landmarks[row]), (row, far[int(rng.integers(len(far)))])]
    found: list[Best | None] = []
    with watch.phase("try photos", len(asked)) as advance:
        for one in engine.map(lambda pair: best_under(*pair), asked):
            found.append(one)
            advance(1)
    both = [
        (right.own, right.others, wrong.own, wrong.others)
        for right, wrong in zip(found[::2], found[1::2], strict=True)
        if right is not None and wrong is not None
    ]
    return _Bests(*np.array(both, np.float64).reshape(-1, 4).T)


def _of(of: str, in_use: Says, fit: tuple[Doubles, Doubles], check: tuple[Doubles, Doubles]) -> SaysBench:  # fmt: skip
    fitted = fit_says(*fit)
    return SaysBench(
        of, fitted, in_use, reliability(fitted, *check), reliability(in_use, *check), len(fit[0]), len(check[0])
    )  # fmt: skip
