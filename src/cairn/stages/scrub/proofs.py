"""Photos of a landmark that match an image point by point: how much they prove, and what their absence does."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.geometry import matches, verified
from cairn.algorithms.surprise import SURE_MATCH
from cairn.models.keypoints import Keypoints
from cairn.stages.scrub.looks import Looks

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# An image with fewer points matches nothing, whatever it shows.
LEAST_POINTS = 40


@dataclass(frozen=True)
class Proof:
    """What matching an image with photos of one landmark gave.

    rows: the photos tried, the best match first. surprises: of each, in the same order; 0 where none.
    points: of each the rows of the image's own points that match it.
    """

    rows: tuple[int, ...]
    surprises: tuple[float, ...]
    points: tuple[Ints, ...]

    @property
    def best(self) -> float:
        """The largest surprise, 0 where nothing was tried."""
        return max(self.surprises, default=0.0)

    @property
    def matching(self) -> tuple[int, ...]:
        """The photos that match the image, the best first."""
        return tuple(
            row for row, one in zip(self.rows, self.surprises, strict=True) if one >= SURE_MATCH
        )


def proof(row: int, others: Ints, *, looks: Looks, seed: int) -> Proof:
    """What matching the image of `row` with each of `others` gives, seen as a flat face.

    Nothing is tried where the image has too few points to tell, such as one that cannot be read.
    """
    return proof_of(looks.keypoints(row), others, looks=looks, seed=seed)


def proof_of(asked: Keypoints, others: Ints, *, looks: Looks, seed: int) -> Proof:
    """What matching the points of an image, or of a part of one, with each of `others` gives; see `proof`."""
    if len(asked) < LEAST_POINTS:
        return Proof((), (), ())
    tried: list[tuple[float, int, Ints]] = []
    for other in others.tolist():
        gallery = looks.keypoints(other)
        pairs = matches(asked.features, gallery.features)
        found = verified(asked.points, gallery.points, pairs, model="homography", seed=seed)
        if found is None:
            tried.append((0.0, other, np.empty(0, np.int64)))
        else:
            tried.append((found.surprise, other, pairs[found.inliers, 0]))
    # The nearest photo comes first among those that match equally well.
    order = sorted(range(len(tried)), key=lambda place: (-tried[place][0], place))
    return Proof(
        tuple(tried[place][1] for place in order),
        tuple(tried[place][0] for place in order),
        tuple(tried[place][2] for place in order),
    )


def matched_points(one: Proof) -> Ints:
    """The rows of the image's points that match any photo that proves enough, ascending."""
    parts = [
        points
        for points, found in zip(one.points, one.surprises, strict=True)
        if found >= SURE_MATCH
    ]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def nearest_to(
    vector: Floats, copy_group: int, voters: Ints, vectors: Floats, copy_groups: Ints, *, n: int
) -> Ints:
    """The `n` of `voters` that are nearest to a vector [D], nearest first; its group of copies does not count."""
    voters = voters[copy_groups[voters] != copy_group]
    similarities = vectors[voters] @ vector
    return voters[np.argsort(-similarities, kind="stable")[:n]]
