"""How good answers are: GAP, shares, recall, calibration and risk; arrays in, arrays out.

Every measure takes `weights` [B, Q]: how often each of Q queries counts in each of B resamplings, whole
numbers of 0 or more. One row of ones (`once`) is the measure itself. Each gives [B], NaN where undefined.
"""

from collections.abc import Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from cairn.base.checks import counted
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
Texts = npt.NDArray[np.str_]


def once(n_queries: int) -> Floats:
    """Weights [1, Q] that count each query once."""
    return np.ones((1, n_queries))


def surest_first(scores: Floats, image_ids: Texts, landmark_ids: Texts) -> Ints:
    """The order of the answers: score descending, then image id ascending, then landmark id ascending.

    All are [A]; ids compare as text. Raises InputError if a score is NaN.
    """
    bad = np.flatnonzero(np.isnan(scores))
    if bad.size:
        raise InputError(
            f"{counted(bad.size, 'answer')} of {len(scores)} have a score that is not a number (first: "
            f"image {image_ids[bad[0]]}); numbers that can be ranked were expected; recognise again"
        )
    return np.lexsort((landmark_ids, image_ids, -scores))


def gap(right: Bools, n_with_landmark: Floats, weights: Floats) -> Floats:
    """The global average precision, 0 to 1.

    right: [Q], the surest answer first, one answer a photo; an answer for a photo that shows no
    known landmark is wrong and still pushes the later ones down.
    n_with_landmark: [B], the photos that show a known landmark, answered or not (M).
    An answer of weight w stands w times in a row: each of them has a precision of its own.
    Returns Σ P(i)·right(i) / M, NaN where M is 0.
    """
    place = np.cumsum(weights, axis=1)
    n_right = np.cumsum(weights * right, axis=1)
    before, right_before = place - weights, n_right - weights * right
    total = np.zeros(len(weights))
    for copy in range(1, int(weights.max(initial=0)) + 1):
        there = right & (weights >= copy)
        total += np.where(there, (right_before + copy) / (before + copy), 0.0).sum(axis=1)
    return _ratio(total, n_with_landmark)


def gap_of_answers(
    image_ids: Sequence[str], landmark_ids: Sequence[str], scores: Sequence[float],
    *, truth: Mapping[str, Set[str]],
) -> float:  # fmt: skip
    """The GAP of answers given as three lists of equal length.

    truth: for every photo asked about, the landmarks of the training set that it shows; any of them is
    right. A photo may have no answer; of several answers for one photo only the first in the order counts.
    Raises InputError where no photo shows a landmark, and where an answer is for a photo without truth.
    """
    unknown = sorted(set(image_ids) - truth.keys())
    if unknown:
        raise InputError(
            f"{counted(len(unknown), 'answered image')} (first: {unknown[0]}) are not among the "
            f"{counted(len(truth), 'image')} of the truth; answers for these images only were expected; "
            "leave the others out or score against the list they belong to"
        )
    n_with_landmark = sum(1 for shown in truth.values() if shown)
    if not n_with_landmark:
        raise InputError(
            f"none of the {counted(len(truth), 'image')} of the truth shows a landmark, so GAP divides by "
            "0; at least one image of a known landmark was expected; add some to the test part"
        )
    order = surest_first(
        np.asarray(scores, float), np.asarray(image_ids, str), np.asarray(landmark_ids, str)
    )
    firsts: dict[str, int] = {}
    for answer in order.tolist():
        firsts.setdefault(image_ids[answer], answer)
    right = np.array(
        [landmark_ids[row] in truth[image_id] for image_id, row in firsts.items()], dtype=bool
    )
    return float(gap(right, np.array([float(n_with_landmark)]), once(len(right)))[0])


def share(hits: Bools, among: Bools, weights: Floats) -> Floats:
    """The share of the queries in `among` that are in `hits`; both are [Q]."""
    return _ratio(weights @ (hits & among).astype(float), weights @ among.astype(float))


def shares_by_label(hits: Bools, labels: Ints, weights: Floats) -> Floats:
    """The share of each label's queries that are in `hits`, [B, L], labels in ascending order.

    hits: [Q]. labels: [Q], 0 or more; queries of a label below 0 are left out.
    """
    rows = np.argsort(labels, kind="stable")
    rows = rows[labels[rows] >= 0]
    if not rows.size:
        return np.empty((len(weights), 0))
    starts = np.flatnonzero(np.diff(labels[rows], prepend=-1))
    inside = weights[:, rows]
    return _ratio(
        np.add.reduceat(inside * hits[rows], starts, axis=1),
        np.add.reduceat(inside, starts, axis=1),
    )


def mean_share_by_label(hits: Bools, labels: Ints, weights: Floats) -> Floats:
    """The mean over the labels of the share of their queries in `hits`: each label counts the same.

    A label none of whose queries was drawn is left out of that resampling.
    """
    shares = shares_by_label(hits, labels, weights)
    return _ratio(np.nansum(shares, axis=1), np.isfinite(shares).sum(axis=1).astype(float))


def answered_at_precision(
    right: Bools, scores: Floats, weights: Floats, *, precision: float
) -> Floats:
    """The largest share of all queries that one threshold on the score answers at `precision` or better.

    right, scores: [Q], the surest first. Equal scores are answered together; a query of score -inf never.
    Returns 0 where no threshold is that precise.
    """
    n_answered = np.cumsum(weights, axis=1)
    n_right = np.cumsum(weights * right, axis=1)
    precise = _tie_ends(scores) & np.isfinite(scores) & (n_right >= precision * n_answered - 1e-9)
    return _ratio(np.where(precise, n_answered, 0.0).max(axis=1, initial=0.0), weights.sum(axis=1))


def risk_coverage(right: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Coverage and risk at each threshold: share of queries answered, share of the answers wrong.

    right, scores: [Q], the surest first. Returns two arrays [P], coverage ascending.
    """
    ends = _tie_ends(scores) & np.isfinite(scores)
    n_answered = np.arange(1, len(right) + 1)
    n_wrong = np.cumsum(~right)
    return n_answered[ends] / max(len(right), 1), n_wrong[ends] / n_answered[ends]


def calibration_error(probability: Floats, right: Bools, weights: Floats, *, n_bins: int) -> Floats:
    """The expected calibration error over `n_bins` bins of equal mass, 0 to 1.

    probability, right: [Q]. The queries are sorted by probability (ties in the order given) and cut into
    bins of equally many; the error is the mean over the queries of how far the mean probability of
    their bin is from the share that is right in it.
    """
    order = np.argsort(probability, kind="stable")
    weights, gaps = weights[:, order], (probability - right)[order]
    bins = _equal_mass_bins(weights, n_bins)
    error = np.zeros(len(weights))
    for number in range(n_bins):
        error += np.abs(np.where(bins == number, weights, 0.0) @ gaps)
    return _ratio(error, weights.sum(axis=1))


def calibration_bins(
    probability: Floats, right: Bools, *, n_bins: int
) -> tuple[Floats, Floats, Ints]:
    """Of each bin of `calibration_error`: mean probability, share right, number of queries.

    Three arrays [P], probabilities ascending; bins that hold no query are left out.
    """
    order = np.argsort(probability, kind="stable")
    bins = _equal_mass_bins(once(len(order)), n_bins)[0]
    counts = np.bincount(bins, minlength=n_bins)
    filled = counts > 0
    means = np.bincount(bins, probability[order], minlength=n_bins)[filled] / counts[filled]
    shares = np.bincount(bins, right[order], minlength=n_bins)[filled] / counts[filled]
    return means, shares, counts[filled]


def _equal_mass_bins(weights: Floats, n_bins: int) -> Ints:
    """The bin of each query by where the middle of its weight lies in the mass, [B, Q]."""
    ends = np.cumsum(weights, axis=1)
    middles = (ends - weights / 2) / np.maximum(ends[:, -1:], 1.0)
    return np.minimum((middles * n_bins).astype(np.intp), n_bins - 1)


def _tie_ends(scores: Floats) -> Bools:
    """Which of the sorted `scores` differ from the next one, [Q]."""
    return np.append(scores[1:] != scores[:-1], True)[: len(scores)]


def _ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`, NaN where `below` is 0."""
    ratio: Floats = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
