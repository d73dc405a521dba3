"""What scrub is given of the images it looks at: ids, truths, descriptors, neighbours, copies, names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.duplicates import groups_of
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import NO_LANDMARK, Shown
from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class KnownImages:
    """N images, row by row.

    truths: the landmarks that an image is said to show, main one first; () none, None unknown.
    vectors: [N, D] of length one. neighbors: the nearest other images of each, nearest first, row -1 where
    there are no more; copies may be among them. copies: [P, 2] rows of images that are copies of each other.
    names: of landmarks, for sentences; an id without a name stands for itself.
    """

    image_ids: tuple[str, ...]
    truths: tuple[tuple[str, ...] | None, ...]
    vectors: Floats
    neighbors: Neighbors
    copies: Ints
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        require_vectors(self.vectors, what="descriptors")
        found = self.neighbors.rows
        counts = [len(self.image_ids), len(self.truths), len(self.vectors), len(found)]
        if len(set(counts)) > 1 or found.shape != self.neighbors.similarities.shape:
            raise InputError(
                f"scrub was given {counts[0]} image ids, {counts[1]} truths, {counts[2]} descriptors and "
                f"neighbours of {counts[3]} images; one each was expected; make them from one catalog"
            )
        if self.copies.ndim != 2 or self.copies.shape[1] != 2:
            raise InputError(
                f"the copies have the shape {self.copies.shape}; [P, 2] rows of images were expected; give an "
                "empty [0, 2] where there are none"
            )
        highest = max(int(self.copies.max(initial=-1)), int(found.max(initial=-1)))
        if highest >= len(self.image_ids):
            raise InputError(
                f"row {highest} is named as a copy or neighbour, and there are {len(self.image_ids)} images; "
                "smaller rows were expected; make copies and neighbours from the same images"
            )

    def __len__(self) -> int:
        return len(self.image_ids)

    def copy_groups(self) -> Ints:
        """[N]: the first row of each image's group of copies; its own where it has none."""
        return groups_of(len(self), self.copies)

    def landmark_ids(self) -> tuple[str, ...]:
        """All landmarks that truths name, sorted."""
        return tuple(sorted({one for truth in self.truths for one in truth or ()}))

    def own_codes(self) -> Ints:
        """[N, A]: the places of each image's landmarks in `landmark_ids()`, main one first; then NO_LANDMARK."""
        place = {landmark_id: i for i, landmark_id in enumerate(self.landmark_ids())}
        width = max((len(truth or ()) for truth in self.truths), default=0)
        codes = np.full((len(self), max(width, 1)), NO_LANDMARK, np.int64)
        for row, truth in enumerate(self.truths):
            codes[row, : len(truth or ())] = [place[one] for one in truth or ()]
        return codes

    def shown(self) -> Shown:
        """Which images show which landmarks, by their places in `landmark_ids()`."""
        own = self.own_codes()
        rows, columns = np.nonzero(own >= 0)
        return Shown(rows, own[rows, columns], len(self.landmark_ids()), self.copy_groups())

    def distractors(self) -> Ints:
        """The rows of the images that are said to show no landmark."""
        return np.array([row for row, truth in enumerate(self.truths) if truth == ()], np.int64)

    def name(self, landmark_id: str) -> str:
        """The landmark's name, or its id where it has none."""
        return self.names.get(landmark_id) or landmark_id

    def ids_of(self, rows: Sequence[int] | Ints) -> list[str]:
        """The ids of the images of `rows`, in their order."""
        return [self.image_ids[int(row)] for row in rows]
