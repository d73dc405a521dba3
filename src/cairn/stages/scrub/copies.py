"""Which images are the same photo: pixel for pixel, recompressed, made smaller, marked, mirrored or cropped.

Likeness and descriptors only propose pairs. What decides is laying one image over the other: a copy agrees with
its original pixel for pixel nearly everywhere, another photo of the same building does not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.near_codes import near_codes
from cairn.algorithms.neighbors import Neighbors
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.pixels import Decoded
from cairn.stages.scrub.laying import Found, How, Views, part_copy, whole_copy

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]

# Pairs that differ in so many of 512 bits are looked at; `cairn split` alone goes to 136 without looking.
LIKENESS_BITS = 150
# Of each image so many neighbours are looked at, if they are at least so near.
N_NEAR, LEAST_SIMILARITY = 8, 0.40
# With less than this there is nothing that could be compared.
LEAST_RELIEF_GREY = 2.0
_PAIRS_AT_ONCE = 256
_PIXEL_FOR_PIXEL = Found(How.PIXELS, 1.0, 1.0)


class Connected:
    """Which rows are connected by pairs, however many rows there are."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._above: dict[int, int] = {}
        for a, b in pairs:
            self.join(a, b)

    def join(self, a: int, b: int) -> bool:
        """Connects the two; whether they were not connected before."""
        low, high = sorted((self.top(a), self.top(b)))
        self._above[high] = low
        return low != high

    def are(self, a: int, b: int) -> bool:
        """Whether the two are connected."""
        return self.top(a) == self.top(b)

    def top(self, row: int) -> int:
        """The row that stands for all that are connected with `row`."""
        while (above := self._above.get(row, row)) != row:
            self._above[row] = self._above.get(above, above)
            row = above
        return row


@dataclass(frozen=True)
class CopyPair:
    """Two rows that are copies: `stays` is the larger, or the earlier of equally large ones."""

    stays: int
    goes: int
    found: Found


@dataclass(frozen=True)
class CopyImages:
    """N images that may be copies of one another.

    sizes_px: [N] pixels in all. pixels_digests: N. codes, mirrored_codes: [N, 64] likeness of each and of its mirror
    image. reliefs_grey: [N] as in images/checks.py. neighbors: the nearest others by descriptor, [N, K], row -1 for none.
    """

    sizes_px: Ints
    pixels_digests: Sequence[str]
    codes: Codes
    mirrored_codes: Codes
    reliefs_grey: Floats
    neighbors: Neighbors

    def better(self, a: int, b: int) -> tuple[int, int]:
        """The two rows, the one that stays first."""
        is_a = (-int(self.sizes_px[a]), a) < (-int(self.sizes_px[b]), b)
        return (a, b) if is_a else (b, a)


def find_copies(
    images: CopyImages,
    *,
    pixels_of: Callable[[int], Decoded | None],
    engine: Engine,
    watch: Watch,
) -> list[CopyPair]:
    """Pairs of rows that are copies, enough of them to connect all copies of a photo; each pair once.

    pixels_of: the image of a row, or None where it cannot be read: then it has no copies but those of equal pixels.
    """
    found = _of_equal_pixels(images)
    stands_for_others = np.ones(len(images.sizes_px), np.bool_)
    stands_for_others[[pair.goes for pair in found]] = False
    rows = np.flatnonzero(stands_for_others & (images.reliefs_grey >= LEAST_RELIEF_GREY))
    plain = _alike(images.codes[rows], images.codes[rows], rows)
    mirrored = _alike(images.codes[rows], images.mirrored_codes[rows], rows)
    near = _near_by_descriptor(images.neighbors, rows)
    asked = _Asked(images, Views(pixels_of), engine, watch)
    connected = Connected((pair.stays, pair.goes) for pair in found)
    found += asked.copies("compare alike", [plain, mirrored], asked.whole, connected)
    found += asked.copies("lay over each other", [plain, mirrored, near], asked.part, connected)
    return _best_of_each(found)


def _best_of_each(found: Iterable[CopyPair]) -> list[CopyPair]:
    """Each pair once, as it was found to agree most; where it was once seen to be composed, so."""
    best: dict[tuple[int, int], CopyPair] = {}
    for pair in found:
        other = best.get((pair.stays, pair.goes))
        if other is None or _weight(other) < _weight(pair):
            best[pair.stays, pair.goes] = pair
    return list(best.values())


def _weight(pair: CopyPair) -> tuple[bool, float]:
    return pair.found.is_composed, pair.found.share


def _of_equal_pixels(images: CopyImages) -> list[CopyPair]:
    """Each image with the best of those that have its very pixels."""
    best: dict[str, int] = {}
    for row, digest in enumerate(images.pixels_digests):
        best[digest] = images.better(best.get(digest, row), row)[0]
    return [
        CopyPair(best[digest], row, _PIXEL_FOR_PIXEL)
        for row, digest in enumerate(images.pixels_digests)
        if best[digest] != row
    ]


def _alike(codes: Codes, others: Codes, rows: Ints) -> Ints:
    """Pairs of `rows` whose codes differ in few bits."""
    return rows[near_codes(codes, others, max_bits=LIKENESS_BITS)]


def _near_by_descriptor(neighbors: Neighbors, rows: Ints) -> Ints:
    """Pairs of `rows` of which one is among the nearest of the other by descriptor."""
    near, similarities = neighbors.rows[rows, :N_NEAR], neighbors.similarities[rows, :N_NEAR]
    pairs = np.stack([np.repeat(rows, near.shape[1]), near.ravel()], axis=1)
    is_near = (near.ravel() >= 0) & (similarities.ravel() >= LEAST_SIMILARITY)
    return np.sort(pairs[is_near & np.isin(near.ravel(), rows)], axis=1)


@dataclass(frozen=True)
class _Asked:
    """What is asked about pairs of images."""

    images: CopyImages
    views: Views
    engine: Engine
    watch: Watch

    def copies(
        self,
        name: str,
        candidates: Sequence[Ints],
        look: Callable[[int, int], Found | None],
        connected: Connected,
    ) -> list[CopyPair]:
        """The pairs among `candidates` that are copies; those that are connected already are not looked at again."""
        pairs = np.unique(np.concatenate(candidates).reshape(-1, 2), axis=0)
        more: list[CopyPair] = []
        with self.watch.phase(name, len(pairs)) as advance:
            for first in range(0, len(pairs), _PAIRS_AT_ONCE):
                block: list[tuple[int, int]] = [
                    (a, b) for a, b in pairs[first : first + _PAIRS_AT_ONCE].tolist()
                ]
                left = [pair for pair in block if not connected.are(*pair)]
                answers = self.engine.map(lambda pair: look(*pair), left)
                for (a, b), answer in zip(left, answers, strict=True):
                    if answer is not None:
                        more.append(CopyPair(*self.images.better(a, b), answer))
                        if answer.is_sure:
                            connected.join(a, b)
                advance(len(block))
        return more

    def whole(self, a: int, b: int) -> Found | None:
        """Whether one image is the other or its mirror image, from border to border."""
        first, second = self.views.of(a), self.views.of(b)
        return None if first is None or second is None else whole_copy(first, second)

    def part(self, a: int, b: int) -> Found | None:
        """Whether one image is the other or a large part of it, mirrored or not."""
        first, second = self.views.of(a), self.views.of(b)
        return None if first is None or second is None else part_copy(first, second)
