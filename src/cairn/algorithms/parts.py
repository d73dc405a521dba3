"""Which parts of an image look like which landmark: pairs of parts beside each other that look like two."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import Logistic, fit_logistic
from cairn.algorithms.standing import Votes

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# With fewer parts nothing can be learnt of what a likeness means.
LEAST_PARTS = 40


@dataclass(frozen=True)
class PartPair:
    """Two parts of one image, as places in its list of parts: `own` looks like its landmark, `other` like `landmark`.

    own_odds, other_odds: log odds of either.
    """

    own: int
    other: int
    landmark: int
    own_odds: float
    other_odds: float

    @property
    def odds(self) -> float:
        """Log odds of both: as likely as the less likely, and a little of the other."""
        return min(self.own_odds, self.other_odds) + 0.25 * max(self.own_odds, self.other_odds)


def fit_likeness(votes: Votes, own: Ints) -> Logistic | None:
    """What a part's similarity to a landmark, and its lead over the next, say about whether it shows that.

    votes: [B, M] of B parts, M at least 2. own: [B] the landmark that the image of each part is said to show;
    that one is taken as shown and the best other one as not. None where there is too little to learn from.
    """
    shown, lead_shown, is_known = _own_place(votes, own)
    other, lead_other = _best_other(votes, own)
    if is_known.sum() < LEAST_PARTS:
        return None
    rights = np.stack([shown, lead_shown], axis=1)[is_known]
    wrongs = np.stack([other, lead_other], axis=1)
    features = np.concatenate([rights, wrongs]).astype(np.float32)
    is_right = np.arange(len(features)) < len(rights)
    weights = np.where(is_right, 1 / len(rights), 1 / len(wrongs))
    return fit_logistic(features, is_right, weights)


def part_odds(votes: Votes, likeness: Logistic) -> Doubles:
    """[B, M]: the log odds that each part shows each of its landmarks."""
    similarities = votes.similarities.astype(np.float64)
    best, second = similarities[:, :1], similarities[:, 1:2]
    lead = similarities - np.where(np.arange(similarities.shape[1]) == 0, second, best)
    odds = likeness.scores(np.stack([similarities, lead], axis=2).astype(np.float32))
    return np.where(votes.landmarks >= 0, odds, -np.inf)


def best_pair(landmarks: Ints, odds: Doubles, own: Ints, are_beside: Bools) -> PartPair | None:
    """The likeliest pair of parts of one image, of which one shows its own landmark and the other another.

    landmarks, odds: [P, M] of its parts. own: its landmarks. are_beside: [P, P] whether two parts share no pixel.
    None where no part looks like its own landmark at all, or none like another.
    """
    is_own = np.isin(landmarks, own) & (landmarks >= 0)
    own_odds = np.where(is_own, odds, -np.inf).max(axis=1)
    others = np.where(is_own | (landmarks < 0), -np.inf, odds)
    other_odds, other_at = others.max(axis=1), others.argmax(axis=1)
    low = np.minimum(own_odds[:, None], other_odds[None, :])
    both = low + 0.25 * np.maximum(own_odds[:, None], other_odds[None, :])
    both = np.where(are_beside & np.isfinite(low), both, -np.inf)
    if not both.size or np.isneginf(both.max()):
        return None
    a, b = np.unravel_index(int(both.argmax()), both.shape)
    return PartPair(
        int(a), int(b), int(landmarks[b, other_at[b]]), float(own_odds[a]), float(other_odds[b])
    )


def _own_place(votes: Votes, own: Ints) -> tuple[Floats, Floats, Bools]:
    """Similarity and lead of each part's own landmark, and whether it is among its votes."""
    is_own = votes.landmarks == own[:, None]
    place = is_own.argmax(axis=1)
    rows = np.arange(len(own))
    shown = votes.similarities[rows, place]
    rival = np.where(place == 0, votes.similarities[:, 1], votes.similarities[:, 0])
    return shown, shown - rival, is_own.any(axis=1)


def _best_other(votes: Votes, own: Ints) -> tuple[Floats, Floats]:
    """Similarity and lead of each part's best landmark that is not its own."""
    first_is_own = votes.landmarks[:, 0] == own
    other = np.where(first_is_own, votes.similarities[:, 1], votes.similarities[:, 0])
    rival = np.where(first_is_own, votes.similarities[:, 0], votes.similarities[:, 1])
    return other, other - rival
