"""Verifying: how many photos of its own landmark match an image point by point, as Google Landmarks v2 was cleaned."""

import numpy as np
import numpy.typing as npt

from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.proofs import proof

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# The published cleaning code tries so many of the nearest photos of the same landmark.
MOST_TRIED = 100


def verified_counts(
    rows: Ints,
    vectors: Floats,
    *,
    looks: Looks,
    enough: int,
    most_tried: int = MOST_TRIED,
    seed: int = 0,
) -> Ints:
    """For each of the images of one landmark: how many others of them it matches point by point, up to `enough`.

    rows: [n] the images, as `looks` knows them. vectors: [n, D] their descriptors, of length one. Each is matched
    with its nearest others, nearest first, until it has enough or `most_tried` were tried; a pair is matched once
    and counts for both. Copies count like all others.
    Returns [n], 0 to `enough`.
    Source: Ozaki, Yokoo, arXiv:1906.04087, "Automated data cleaning".
    """
    counts = np.zeros(len(rows), np.int64)
    tried: set[tuple[int, int]] = set()
    for place in range(len(rows)):
        if counts[place] >= enough:
            continue
        for other in _nearest(place, vectors, most_tried):
            pair = (min(place, other), max(place, other))
            if pair in tried:
                continue
            tried.add(pair)
            first, second = int(rows[pair[0]]), rows[[pair[1]]]
            if proof(first, second, looks=looks, seed=seed).matching:
                counts[list(pair)] += 1
            if counts[place] >= enough:
                break
    return np.minimum(counts, enough)


def _nearest(place: int, vectors: Floats, n: int) -> list[int]:
    """The places of the `n` others that are nearest, nearest first; of equally near ones the first."""
    similarities = vectors @ vectors[place]
    similarities[place] = -np.inf
    order: list[int] = np.argsort(-similarities, kind="stable").tolist()
    return order[: min(n, len(vectors) - 1)]
