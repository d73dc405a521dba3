"""How likely each image's landmark is wrong, or none: learnt from the images themselves with made-up landmarks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import fit_logistic
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import (
    NO_LANDMARK,
    Shown,
    Votes,
    mean_similarity,
    nearest_distractors,
    other_landmarks,
    own_similarity,
    similarity_to,
)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A share that scrubbing by hand has met; it moves scores, not the order of a queue.
PRIOR_WRONG = PRIOR_NONE = 0.03
# How often the two regressions are fitted, and how much their weights are held down. Chosen on seed 0 of
# `cairn bench scrub`: with 1 and 0.003 scores were half as high as findings were right.
N_ROUNDS, DECAY = 3, 3e-4
# So many images are given made-up landmarks; more teach nothing new.
MOST_MADE_UP = 4_000
# With fewer distractors, images whose landmark is taken away stand in for them too.
FEW_DISTRACTORS = 50


@dataclass(frozen=True)
class Doubts:
    """What descriptors alone say of N images; rows without a landmark of their own are NaN in both.

    wrong, none: [N] log odds that the image shows another landmark, or none, against its being right.
    own: [N] similarity to the own landmark, NaN where it has no other image. others: the best others.
    distractors: the nearest of them.
    """

    wrong: Doubles
    none: Doubles
    own: Floats
    others: Votes
    distractors: Neighbors


@dataclass(frozen=True)
class _Seen:
    """What is given of the images, and what was computed for all of them."""

    vectors: Floats
    neighbors: Neighbors
    main: Ints
    shown: Shown
    voters: list[Ints]
    own: Floats
    others: Votes
    distractors: Neighbors


def doubts(
    vectors: Floats, neighbors: Neighbors, own_codes: Ints, shown: Shown, distractors: Ints,
    *, rng: np.random.Generator,
) -> Doubts:  # fmt: skip
    """The doubts about N images.

    vectors: [N, D] of length one. neighbors: [N, K] others nearest to each. own_codes: [N, A] the landmarks
    of each image, main one first. distractors: [Z] rows of images that show none.
    A landmark that is wrong is played by giving images a random other one; an image that shows none by
    giving one to distractors and, where these are few, by giving one to images whose landmark is taken
    away. Two logistic regressions on how the images stand (similarity to their own landmark, to the best
    other one, to distractors, to anything) tell these from the images as they are.
    """
    groups = shown.copy_groups
    main = own_codes[:, 0]
    seen = _Seen(
        vectors, neighbors, main, shown, shown.images_of(), own_similarity(vectors, shown),
        other_landmarks(neighbors, groups, own_codes, main, shown),
        nearest_distractors(vectors, groups, vectors, distractors, shown),
    )  # fmt: skip
    near = _near(seen, np.arange(len(vectors)))
    own = np.where(np.isnan(seen.own), np.nanmedian(np.r_[seen.own, 0.0]), seen.own)
    features = _features(
        own, seen.others.similarities[:, 0], mean_similarity(seen.distractors), near
    )
    as_they_are = np.flatnonzero((main >= 0) & ~np.isnan(seen.own))
    wrong, none = _told_apart(
        features, as_they_are, _with_another(seen, as_they_are, rng),
        _with_none(seen, as_they_are, distractors, rng),
    )  # fmt: skip
    has_landmark = main >= 0
    return Doubts(
        np.where(has_landmark, wrong, np.nan), np.where(has_landmark, none, np.nan), seen.own,
        seen.others, seen.distractors,
    )  # fmt: skip


def shares(wrong: Doubles, none: Doubles) -> tuple[Doubles, Doubles]:
    """[N], [N]: how likely an image's landmark is wrong and how likely it shows none, from log odds against right."""
    logits = np.stack(
        [np.zeros_like(wrong), wrong + _prior(PRIOR_WRONG), none + _prior(PRIOR_NONE)]
    )
    logits -= logits.max(axis=0)
    parts = np.exp(logits)
    parts /= parts.sum(axis=0)
    return parts[1], parts[2]


def _prior(share: float) -> float:
    return float(np.log(share / (1 - PRIOR_WRONG - PRIOR_NONE)))


def _features(own: Floats, other: Floats, none: Floats, near: Floats) -> Floats:
    """[Q, F] of how Q images stand."""
    return np.stack([own, other, none, near, np.maximum(other, none) - own], axis=1).astype(
        np.float32
    )


def _near(seen: _Seen, rows: Ints) -> Floats:
    """[Q]: the mean similarity of the neighbours of `rows`, whatever they show."""
    found = seen.neighbors
    return mean_similarity(Neighbors(found.rows[rows], found.similarities[rows]))


def _told_apart(
    features: Floats, as_they_are: Ints, with_another: Floats, with_none: Floats
) -> tuple[Doubles, Doubles]:
    """[N], [N]: log odds of a wrong landmark and of none, each against being right.

    Some images are wrong as they are; those that look it weigh less in each further round.
    """
    weights = np.ones(len(as_they_are))
    for _ in range(N_ROUNDS):
        wrong = _log_odds(features, as_they_are, weights, with_another)
        none = _log_odds(features, as_they_are, weights, with_none)
        weights = 1 - np.add(*shares(wrong, none))[as_they_are]
    return wrong, none


def _log_odds(features: Floats, as_they_are: Ints, weights_as: Doubles, made_up: Floats) -> Doubles:
    """[N]: the log odds of being like the made-up ones rather than like images as they are; -inf without either."""
    if not len(as_they_are) or not len(made_up):
        return np.full(len(features), -np.inf)
    both = np.concatenate([features[as_they_are], made_up])
    is_made_up = np.arange(len(both)) >= len(as_they_are)
    weights = np.r_[weights_as / weights_as.sum(), np.full(len(made_up), 1 / len(made_up))]
    return fit_logistic(both, is_made_up, weights, decay=DECAY).scores(features)


def _with_another(seen: _Seen, rows: Ints, rng: np.random.Generator) -> Floats:
    """How some of `rows` would stand under the landmark of a random other image."""
    rows = rng.permutation(rows)[:MOST_MADE_UP]
    given = _given(seen, rows, rng)
    rows, given = rows[given >= 0], given[given >= 0]
    own = _similarity_to_given(seen, rows, given)
    best_else = _best_but(seen.others, rows, given)
    other = np.fmax(best_else, seen.own[rows])
    return _known(
        _features(own, other, mean_similarity(_taken(seen.distractors, rows)), _near(seen, rows))
    )


def _with_none(seen: _Seen, rows: Ints, distractors: Ints, rng: np.random.Generator) -> Floats:
    """How distractors would stand under random landmarks, and images whose own landmark were not there."""
    played = rng.permutation(distractors)[:MOST_MADE_UP]
    if len(distractors) < FEW_DISTRACTORS:
        orphans = rng.permutation(rows)[: max(MOST_MADE_UP // 10, FEW_DISTRACTORS)]
        played = np.concatenate([played, orphans])
    given = _given(seen, played, rng)
    played, given = played[given >= 0], given[given >= 0]
    own = _similarity_to_given(seen, played, given)
    other = _best_but(seen.others, played, given)
    none = mean_similarity(_taken(seen.distractors, played))
    return _known(_features(own, other, none, _near(seen, played)))


def _given(seen: _Seen, rows: Ints, rng: np.random.Generator) -> Ints:
    """A landmark for each of `rows`, of a random image that shows another one; NO_LANDMARK if chance finds none."""
    pool = seen.main[seen.main >= 0]
    if not len(pool):
        return np.full(len(rows), NO_LANDMARK, np.int64)
    given = pool[rng.integers(0, len(pool), (len(rows), 8))]
    is_other = given != seen.main[rows][:, None]
    first = is_other.argmax(axis=1)
    picked = np.take_along_axis(given, first[:, None], axis=1)[:, 0]
    return np.where(is_other.any(axis=1), picked, NO_LANDMARK)


def _similarity_to_given(seen: _Seen, rows: Ints, given: Ints) -> Floats:
    """[Q]: the similarity of each row to the landmark that it is given."""
    found = np.full(len(rows), np.nan, np.float32)
    for code in np.unique(given):
        asked = np.flatnonzero(given == code)
        groups = seen.shown.copy_groups[rows[asked]]
        found[asked] = similarity_to(
            seen.vectors[rows[asked]], groups, seen.vectors, seen.shown, seen.voters[code]
        )
    return found


def _best_but(others: Votes, rows: Ints, given: Ints) -> Floats:
    """[Q]: the similarity to the best other landmark of each row that is not the given one."""
    is_other = others.landmarks[rows] != given[:, None]
    best = np.where(is_other, others.similarities[rows], -np.inf).max(axis=1)
    return np.asarray(best, np.float32)


def _taken(found: Neighbors, rows: Ints) -> Neighbors:
    return Neighbors(found.rows[rows], found.similarities[rows])


def _known(features: Floats) -> Floats:
    return features[~np.isnan(features).any(axis=1)]
