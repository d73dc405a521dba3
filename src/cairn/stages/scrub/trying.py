"""Trying photos: which ones of its own and of the likeliest other landmarks are matched with a doubtful image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.saying import OTHER_SAYS, OWN_SAYS
from cairn.algorithms.surprise import SURE_MATCH
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.proofs import Proof, nearest_to, proof_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

N_OWN_TRIED, N_LANDMARKS_TRIED, N_TRIED_OF_EACH = 8, 2, 4
# One photo that matches may be odd itself: put together of several, or under a wrong landmark.
LEAST_WITNESSES = 2


@dataclass(frozen=True)
class Album:
    """The photos that may speak for a landmark.

    vectors: [N, D] of length one. copy_groups: [N] images with the same number are copies, and never speak for each
    other. photos: the rows of each landmark's, by its code.
    """

    vectors: Floats
    copy_groups: Ints
    photos: Sequence[Ints]

    def nearest(self, row: int, codes: Sequence[int], n: int) -> Ints:
        """The `n` photos of these landmarks that are nearest to an image, its copies left out."""
        voters = np.unique(np.concatenate([self.photos[code] for code in codes]))
        group = int(self.copy_groups[row])
        return nearest_to(self.vectors[row], group, voters, self.vectors, self.copy_groups, n=n)

    def n_apart(self, rows: Sequence[int]) -> int:
        """How many of the images are no copies of each other."""
        return len({int(self.copy_groups[row]) for row in rows})


@dataclass(frozen=True)
class Witnesses:
    """What the photos of one other landmark said of an image. n_apart: the matching ones that are no copies."""

    proof: Proof
    n_apart: int

    @property
    def surprise(self) -> float:
        """The best match; where one photo alone matches, no more than what is just enough."""
        best = self.proof.best
        return best if self.n_apart >= LEAST_WITNESSES else min(best, SURE_MATCH)


@dataclass(frozen=True)
class Tried:
    """What matching said of one image: with photos of its own landmarks, and of the likeliest others by their codes."""

    own: Proof
    others: dict[int, Witnesses]

    @property
    def was_possible(self) -> bool:
        """Whether the image has points, and its landmarks other photos."""
        return bool(self.own.rows)

    @property
    def others_surprise(self) -> float:
        """What the best witnesses of another landmark are worth, 0 where there are none."""
        return max((one.surprise for one in self.others.values()), default=0.0)

    @property
    def own_says(self) -> float:
        """Log odds that the image shows its own landmark."""
        return float(OWN_SAYS.of(np.float64(self.own.best))) if self.own.rows else 0.0

    @property
    def others_say(self) -> float:
        """Log odds that it shows another one."""
        is_tried = any(one.proof.rows for one in self.others.values())
        return float(OTHER_SAYS.of(np.float64(self.others_surprise))) if is_tried else 0.0


def try_photos(
    row: int, own: Sequence[int], others: Sequence[int], *, album: Album, looks: Looks, seed: int
) -> Tried:
    """What photos of its `own` landmarks and of the first of `others`, the likeliest first, say of an image."""
    asked, witnesses = looks.keypoints(row), {}

    def matched(codes: Sequence[int], n: int) -> Proof:
        return proof_of(asked, album.nearest(row, codes, n), looks=looks, seed=seed)

    for code in others[:N_LANDMARKS_TRIED]:
        found = matched([code], N_TRIED_OF_EACH)
        witnesses[code] = Witnesses(found, album.n_apart(found.matching))
    return Tried(matched(own, N_OWN_TRIED), witnesses)
