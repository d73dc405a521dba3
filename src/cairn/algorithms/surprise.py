"""How many inliers chance alone gives: the null distribution for each number of matches, as measured."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_PAIRS = 200
# From here on two photos surely show the same: once in 1,000 pairs of different landmarks.
SURE_MATCH = 3.0
_USUAL_LEAST = 5
_PLACES = tuple(step / 4 for step in range(37))
_GROWTHS, _WIDTHS = (0.02, 0.03, 0.04, 0.06), (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3)
_SPREADS = (0.004, 0.008)


@dataclass(frozen=True)
class Null:
    """Inliers of photos of different landmarks, as a Gumbel distribution whose place and width grow with the matches.

    place = place_0 + place_1 · n^power, width = width_0 + width_1 · n^power, n the number of matches.
    """

    place_0: float
    place_1: float
    width_0: float
    width_1: float
    power: float

    def surprise(self, n_inliers: int, n_matches: int) -> float:
        """−log10 of the chance of at least so many inliers among so many matches; 0 or more."""
        grown = n_matches**self.power
        place = self.place_0 + self.place_1 * grown
        width = self.width_0 + self.width_1 * grown
        # Half an inlier less, because inliers are whole and "at least" includes the last one.
        height = (n_inliers - 0.5 - place) / width
        if height > 30:
            return float(height / math.log(10))
        return -math.log10(max(-math.expm1(-math.exp(-height)), 1e-300))


# From photos of half of 65 landmarks (1,500 pairs). `cairn bench matching` (seed 11) fits nearly the same, and on
# the other half no surprise is met more often than these promise; pairs there had at most about 20 matches, so what is
# said of hundreds is carried on from few.
NULLS = {
    "homography": Null(2.25, 0.06, 0.3, 0.008, 1.0),
    "similarity": Null(0.0, 0.06, 0.5, 0.008, 1.0),
    "fundamental": Null(7.0, 0.06, 0.3, 0.004, 1.0),
}


def surprise_of(n_inliers: int, n_matches: int, *, model: str) -> float:
    """How unlikely so many inliers are among so many matches of photos that show different landmarks.

    3 is once in 1,000 pairs. It grows without end with the inliers; 0 where there are fewer than chance gives.
    """
    return NULLS[model].surprise(n_inliers, n_matches)


def fit_null(n_matches: Ints, n_inliers: Ints) -> Null:
    """The likeliest null of pairs that do not match, among those of a grid.

    n_matches, n_inliers: [P]; 0 inliers where no geometry was found. Most pairs have few matches, and a free
    fit to them says anything of many; so place and width are held to grow slowly, as the grid says.
    Raises InputError with fewer than 200 pairs.
    """
    require_pairs(len(n_matches))
    found = n_inliers[n_inliers > 0]
    least = int(found.min()) if len(found) else _USUAL_LEAST
    could = n_matches >= least
    grid = (Null(*four, 1.0) for four in itertools.product(_PLACES, _GROWTHS, _WIDTHS, _SPREADS))
    return min(grid, key=lambda null: _loss(null, n_matches[could], n_inliers[could], least))


def require_pairs(n_pairs: int) -> None:
    """Nothing, where so many pairs are enough to fit a null on; otherwise raises InputError."""
    if n_pairs < LEAST_PAIRS:
        raise InputError(
            f"a null distribution was to be fitted on {n_pairs} pairs; at least {LEAST_PAIRS} were expected; "
            "give more photos of different landmarks"
        )


def _loss(null: Null, n_matches: Ints, n_inliers: Ints, least: int) -> float:
    """Minus the mean log likelihood; fewer inliers than `least` only count as fewer."""
    place = null.place_0 + null.place_1 * n_matches
    width = null.width_0 + null.width_1 * n_matches

    def chance_up_to(limit: Doubles) -> Doubles:
        return np.asarray(np.exp(-np.exp(np.clip(-(limit - place) / width, -50, 50))))

    most = np.where(n_inliers < least, least - 0.5, n_inliers + 0.5).astype(np.float64)
    upper = chance_up_to(most)
    lower = np.where(n_inliers < least, 0.0, chance_up_to(n_inliers.astype(np.float64) - 0.5))
    return float(-np.log(np.maximum(upper - lower, 1e-9)).mean()) if len(place) else 0.0
