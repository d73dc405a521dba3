"""Which images look mixed, into which parts they are cut, and which landmarks each part looks like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import (
    Shown,
    Votes,
    evenly_spaced,
    other_landmarks,
    own_similarity,
    similarity_to,
)
from cairn.base.watching import Watch
from cairn.images.seams import Box, Seam, seams
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Search = Callable[[Floats, int], Neighbors]

# Halves and quarters; the parts on either side of a seam come on top.
PARTS: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0),
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0),
)  # fmt: skip
# Less clear lines run through most photos.
CLEAR_SEAM = 0.7
N_NEIGHBORS, N_LANDMARKS = 30, 6
# So many images teach what the likeness of a part says.
N_USUAL = 60
# Parts that share so little lie beside each other.
MOST_SHARED = 0.02
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Mixed:
    """An image that looks mixed, and P parts of it.

    vectors: [P, D] descriptors. votes: [P, M] the landmarks that each part looks like. own: [P] how near each part is
    to the image's own landmark.
    """

    row: int
    boxes: tuple[Box, ...]
    seams: tuple[Seam, ...]
    vectors: Floats
    votes: Votes
    own: Floats

    def are_beside(self) -> Bools:
        """[P, P]: whether two parts have next to no pixels in common."""
        sides = np.array(self.boxes).reshape(-1, 4)
        wide, high = (
            np.minimum(sides[:, None, end], sides[:, end])
            - np.maximum(sides[:, None, start], sides[:, start])
            for start, end in ((0, 2), (1, 3))
        )
        return np.asarray((wide <= MOST_SHARED) | (high <= MOST_SHARED))

    def clear_seams(self) -> Doubles:
        """[P, P]: how clear a seam runs between two parts, 0 where none does."""
        clear = np.zeros((len(self.boxes), len(self.boxes)))
        place = {box: i for i, box in enumerate(self.boxes)}
        for seam in self.seams:
            for other in seam.others:
                a, b = place[seam.one], place[other]
                clear[a, b] = clear[b, a] = max(clear[a, b], seam.clear)
        return clear


@dataclass(frozen=True)
class ByMixture:
    """Rows of images of landmarks that have other photos, the most mixed first."""

    rows: Ints

    @staticmethod
    def of(images: KnownImages, own: Ints, shown: Shown) -> "ByMixture":
        """By their neighbours: how much more these speak for another landmark than for the image's own.

        An image whose copy is said to show another landmark is left out, and asked about in another way.
        """
        near = own_similarity(images.vectors, shown)
        rows = np.flatnonzero((own[:, 0] >= 0) & ~np.isnan(near) & ~_are_disputed(images, own))
        others = other_landmarks(images.neighbors, shown.copy_groups, own, own[:, 0], shown)
        lead = others.similarities[rows, 0] - near[rows]
        order = np.argsort(-lead, kind="stable")
        return ByMixture(rows[order].astype(np.int64))

    def most(self, n: int, seams_clear: Floats) -> Ints:
        """At most `n` rows by their neighbours, and `n` with the clearest seams; ascending.

        seams_clear: [N] of all images how clear their clearest seam is.
        """
        by_seams = self.rows[np.argsort(-seams_clear[self.rows], kind="stable")[:n]]
        by_seams = by_seams[seams_clear[by_seams] >= CLEAR_SEAM]
        return np.union1d(self.rows[:n], by_seams).astype(np.int64)

    def usual(self) -> Ints:
        """Some rows of the less mixed half, which teach what parts of images look like."""
        return evenly_spaced(self.rows[len(self.rows) // 2 :], N_USUAL)


def mixed_images(
    rows: Ints, images: KnownImages, own: Ints, shown: Shown, *, looks: Looks, search: Search, watch: Watch
) -> Iterator[Mixed]:  # fmt: skip
    """Each of `rows` with its parts; an image that cannot be read has none."""
    voters = shown.images_of()
    with watch.phase("look at parts of images", len(rows)) as advance:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            chunk = rows[start : start + _ROWS_AT_ONCE].tolist()
            cut = {row: _cut(row, looks) for row in chunk}
            asked = [(row, box) for row in chunk for box in cut[row][0]]
            vectors = looks.describe([row for row, _ in asked], [box for _, box in asked])
            of_row = np.array([row for row, _ in asked], np.int64)
            votes = other_landmarks(
                search(vectors, N_NEIGHBORS), shown.copy_groups[of_row], np.full((len(of_row), 1), -1),
                own[:, 0], shown, n_best=N_LANDMARKS,
            )  # fmt: skip
            for row in chunk:
                at = np.flatnonzero(of_row == row)
                group = np.full(len(at), shown.copy_groups[row])
                yield Mixed(
                    row, *cut[row], vectors[at], Votes(votes.landmarks[at], votes.similarities[at]),
                    similarity_to(vectors[at], group, images.vectors, shown, voters[own[row, 0]]),
                )  # fmt: skip
            advance(len(chunk))


def _are_disputed(images: KnownImages, own: Ints) -> Bools:
    """[N]: whether a copy of the image is said to show another landmark."""
    groups = images.copy_groups()
    differ = [
        a
        for a, b in images.copies.tolist()
        if own[a, 0] >= 0 and own[b, 0] >= 0 and not np.isin(own[a], own[b][own[b] >= 0]).any()
    ]
    return np.isin(groups, groups[differ])


def _cut(row: int, looks: Looks) -> tuple[tuple[Box, ...], tuple[Seam, ...]]:
    """The boxes of an image's parts and its clear seams."""
    seen = looks.pixels(row)
    if seen is None:
        return (), ()
    clear = tuple(seam for seam in seams(seen.pixels) if seam.clear >= CLEAR_SEAM)
    boxes = dict.fromkeys((*PARTS, *(box for seam in clear for box in seam.boxes)))
    return tuple(boxes), clear
