"""Folds of images, dealt by groups of copies, that also leave out whole landmarks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KNOWN, NONE, UNSEEN = 0, 1, 2
KINDS = ("known", "none", "unseen")


@dataclass(frozen=True)
class Fold:
    """`fitting` [A] images to fit on, `queries` [B] images to ask about and their `kinds` [B]."""

    fitting: Ints
    queries: Ints
    kinds: Ints


def deal_folds(
    truth: Ints,
    groups: Ints,
    *,
    n_folds: int,
    rng: np.random.Generator,
    may_ask: Bools | None = None,
    most_per_kind: int = 4_000,
    most: int = 20_000,
) -> list[Fold]:
    """The folds of N images: what each is fitted on and asked.

    truth: [N, T] landmarks that an image shows, main one first, padded with -1; groups: [N] of copies.
    may_ask: [N] the images that may be asked about, whose groups alone are dealt to shares; all, if not given.
    Fold f is fitted on what is neither in its share of the images nor shows one of its share of the
    landmarks. It is asked about its share of the images (known, or none where they show no landmark)
    and about all images of its landmarks (unseen). An image whose landmarks all have nothing left to
    fit on is unseen as well. Of more than `most_per_kind` questions of one kind in a fold, so many are
    drawn, and where all folds together still have more than `most`, so many that each kind of each fold
    has its equal share of that: what is fitted on the answers has few numbers.
    A fold that would have no landmark left to fit on is not dealt.
    """
    landmarks = np.unique(truth[truth >= 0])
    fold_of_landmark = np.full(int(truth.max(initial=-1)) + 2, -1)
    # With one landmark, or two, leaving one out leaves nothing to tell apart.
    if len(landmarks) > 2:
        fold_of_landmark[landmarks] = rng.permutation(len(landmarks)) % n_folds
    may_ask = np.ones(len(truth), np.bool_) if may_ask is None else may_ask
    fold_of_image = _deal_evenly(truth[:, 0], groups, may_ask, n_folds=n_folds, rng=rng)
    folds = [
        _fold(truth, groups, may_ask, fold_of_image == f, fold_of_landmark == f)
        for f in range(n_folds)
    ]
    folds = [_thinned(fold, most_per_kind=most_per_kind, rng=rng) for fold in folds]
    if sum(len(fold.queries) for fold in folds) > most:
        share = max(1, most // (len(KINDS) * n_folds))
        folds = [_thinned(fold, most_per_kind=share, rng=rng) for fold in folds]
    return [fold for fold in folds if (truth[fold.fitting] >= 0).any() and len(fold.queries)]


def _fold(truth: Ints, groups: Ints, may_ask: Bools, is_share: Bools, is_left_out: Bools) -> Fold:
    shows = truth >= 0
    # Where truth is -1 this looks up the last entry, which is never left out.
    shows_left_out = (is_left_out[truth] & shows).any(axis=1)
    touched = np.isin(groups, groups[shows_left_out])
    fits = ~is_share & ~touched
    has_images = np.zeros(len(is_left_out), np.bool_)
    has_images[truth[fits, 0]] = True
    has_images[-1] = False
    is_known = (has_images[truth] & shows).any(axis=1)
    shows_any = shows.any(axis=1)
    asked = is_share | (shows_left_out & ~is_known)
    # A copy of an unseen image that is itself no image of a landmark left out has nothing to teach.
    asked &= (~touched | shows_left_out) & may_ask
    kinds = np.where(~shows_any, NONE, np.where(is_known, KNOWN, UNSEEN))
    return Fold(np.flatnonzero(fits), np.flatnonzero(asked), kinds[asked])


def _thinned(fold: Fold, *, most_per_kind: int, rng: np.random.Generator) -> Fold:
    """The fold with at most `most_per_kind` questions of each kind, in their old order."""
    drawn = [
        rng.permutation(np.flatnonzero(fold.kinds == kind))[:most_per_kind]
        for kind in range(len(KINDS))
    ]
    kept = np.sort(np.concatenate(drawn))
    return Fold(fold.fitting, fold.queries[kept], fold.kinds[kept])


def _deal_evenly(
    owners: Ints, groups: Ints, may_ask: Bools, *, n_folds: int, rng: np.random.Generator
) -> Ints:
    """The fold of each image: whole groups, the groups of each owner dealt one fold after the other.

    Groups of which no image may be asked about are in no fold, -1.
    """
    fold_of_group: dict[int, int] = {}
    next_fold = 0
    asked = np.flatnonzero(may_ask)
    order = asked[np.argsort(owners[asked], kind="stable")]
    starts = np.flatnonzero(np.diff(owners[order], prepend=-2))
    for of_owner in np.split(groups[order], starts[1:]):
        mine = [g for g in np.unique(of_owner).tolist() if g not in fold_of_group]
        for group in rng.permutation(np.asarray(mine, np.int64)).tolist():
            fold_of_group[group] = next_fold % n_folds
            next_fold += 1
    return np.asarray([fold_of_group.get(group, -1) for group in groups.tolist()], np.int64)
