"""Which parts of an image look like which landmark: pairs of parts beside each other that look like two."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import Logistic, fit_logistic
from cairn.algorithms.standing import Votes

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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


def fit_likeness(votes: Votes, own: Ints, own_similarities: Floats) -> Logistic | None:
    """What a part's similarity to a landmark, and its lead over the next, say about whether it shows that.

    votes: [P, M] of P parts, M at least 3. own: [P] the landmark that the image of each part is said to show, and
    own_similarities [P] how near the part is to that; it is taken as shown and the best other one as not. None where
    there is too little to learn from.
    """
    is_known = np.isfinite(own_similarities)
    if is_known.sum() < LEAST_PARTS:
        return None
    rival = _best_but(votes, own)
    second = np.fmax(_best_but(votes, own, rank=1), own_similarities)
    rights = np.stack([own_similarities, own_similarities - rival], axis=1)[is_known]
    wrongs = np.stack([rival, rival - second], axis=1)[is_known]
    is_right = np.arange(2 * len(rights)) < len(rights)
    features = np.concatenate([rights, wrongs]).astype(np.float32)
    return fit_logistic(features, is_right, np.full(len(features), 1 / len(rights)))


def own_odds(votes: Votes, own: Ints, own_similarities: Floats, likeness: Logistic) -> Doubles:
    """[P]: the log odds that each part shows the landmark `own` [P] of its image; -inf where its likeness is unknown."""
    features = np.stack([own_similarities, own_similarities - _best_but(votes, own)], axis=1)
    odds = likeness.scores(np.nan_to_num(features).astype(np.float32))
    return np.where(np.isfinite(own_similarities), odds, -np.inf)


def part_odds(votes: Votes, likeness: Logistic) -> Doubles:
    """[P, M]: the log odds that each part shows each of its landmarks."""
    similarities = votes.similarities.astype(np.float64)
    best, second = similarities[:, :1], similarities[:, 1:2]
    lead = similarities - np.where(np.arange(similarities.shape[1]) == 0, second, best)
    odds = likeness.scores(np.stack([similarities, lead], axis=2).astype(np.float32))
    return np.where(votes.landmarks >= 0, odds, -np.inf)


def best_pair(
    landmarks: Ints, odds: Doubles, of_own: Doubles, own: Ints, between: Doubles
) -> PartPair | None:
    """The likeliest pair of parts of one image, of which one shows its own landmark and the other another.

    landmarks, odds: [P, M] of its parts. of_own: [P] the odds of its own landmark. own: its landmarks. between: [P, P]
    log odds that two parts come from two photos, -inf where they share pixels.
    None where no two parts lie beside each other, or none looks like another landmark.
    """
    is_other = ~np.isin(landmarks, own) & (landmarks >= 0)
    others = np.where(is_other, odds, -np.inf)
    other_odds, other_at = others.max(axis=1), others.argmax(axis=1)
    low = np.minimum(of_own[:, None], other_odds[None, :])
    # As likely as the less likely of both, and a little of the other.
    both = low + 0.25 * np.maximum(of_own[:, None], other_odds[None, :]) + between
    both = np.where(np.isfinite(low), both, -np.inf)
    if not both.size or np.isneginf(both.max()):
        return None
    a, b = np.unravel_index(int(both.argmax()), both.shape)
    return PartPair(
        int(a), int(b), int(landmarks[b, other_at[b]]), float(of_own[a]), float(other_odds[b])
    )


def _best_but(votes: Votes, own: Ints, *, rank: int = 0) -> Floats:
    """[P]: the similarity of the landmark that is best, or `rank` further, when `own` [P] is left out."""
    is_own = votes.landmarks == own[:, None]
    order = np.argsort(is_own, axis=1, kind="stable")
    return np.take_along_axis(votes.similarities, order[:, rank : rank + 1], axis=1)[:, 0]
