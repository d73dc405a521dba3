"""Looking at the pixels of a few images: their points and the descriptors of their parts, when asked for."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.images.pixels import Decoded
from cairn.images.seams import Box
from cairn.models.embedder import Embedder
from cairn.models.keypoints import Keypoints, PackedKeypoints, SiftDetector

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

# An image of 1,024 points takes 147 KB, so these 226 MB at most.
N_KEPT = 1536


def as_they_are(vectors: Floats) -> Floats:
    """`vectors`, for descriptors that were not changed after the network."""
    return vectors


class Looks:
    """Points and described parts of images, by row; the points of the last `n_kept` images are kept, packed.

    Several threads may ask for points and sizes at once: what they get does not depend on who asked first.

    pixels_of: an image by its row, at any size; an InputError of it means that the image has no points.
    to_vectors: what was done to the descriptors after the network, such as a whitening.
    """

    def __init__(
        self,
        pixels_of: Callable[[int], Decoded],
        embedder: Embedder | None,
        *,
        to_vectors: Callable[[Floats], Floats] = as_they_are,
        detector: SiftDetector | None = None,
        n_kept: int = N_KEPT,
    ) -> None:
        self._pixels_of, self._to_vectors = pixels_of, to_vectors
        self._embedder = None if embedder is None else embedder.coarse()
        self._detector = detector if detector is not None else SiftDetector()
        self._n_kept = n_kept
        self._kept: OrderedDict[int, PackedKeypoints] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[int, threading.Lock] = {}
        self._sizes: dict[int, tuple[int, int]] = {}

    def pixels(self, row: int) -> Decoded | None:
        """The image of that row; None where it cannot be read."""
        try:
            seen = self._pixels_of(row)
        except InputError:
            return None
        self._sizes[row] = seen.full_size_px
        return seen

    def keypoints(self, row: int) -> Keypoints:
        """The points of that image, in pixels of the whole image; none where it cannot be read."""
        return self._packed(row).unpacked()

    def part_keypoints(self, row: int, box: Box) -> Keypoints:
        """The points of a part of that image, seen as an image of its own, in pixels of the whole image."""
        seen = self.pixels(row)
        if seen is None:
            return Keypoints.none()
        height, width = seen.pixels.shape[:2]
        left, top, _, _ = sides_of(box, width, height)
        full_width, full_height = seen.full_size_px
        part = self._detector.detect(part_of(seen.pixels, box))
        return part.moved(left, top).scaled(full_width / width, full_height / height)

    def size_px(self, row: int) -> tuple[int, int]:
        """Width and height of the whole image; 0, 0 where it cannot be read."""
        if row not in self._sizes:
            self.pixels(row)
        return self._sizes.get(row, (0, 0))

    def describe(self, rows: Sequence[int], boxes: Sequence[Box]) -> Floats:
        """[len(rows), D]: the descriptor of a part of each of `rows`, which is decoded once where it repeats.

        Raises InputError where there is no embedder, or an image cannot be read.
        """
        if self._embedder is None:
            raise InputError(
                "parts of images were to be described without an embedder; the one that described the "
                "images was expected; give it to Looks"
            )
        if not rows:
            return self._to_vectors(np.empty((0, self._embedder.width), np.float32))
        blocks = list(self._embedder.describe(self._parts(rows, boxes)))
        return self._to_vectors(np.concatenate(blocks))

    def _packed(self, row: int) -> PackedKeypoints:
        with self._lock:
            if row in self._kept:
                self._kept.move_to_end(row)
                return self._kept[row]
            making = self._making.setdefault(row, threading.Lock())
        # Images of one landmark are tried at about the same time: the second thread waits for what the first makes.
        with making:
            with self._lock:
                if row in self._kept:
                    return self._kept[row]
            found = self._detected(row)
            with self._lock:
                self._kept[row] = found
                self._making.pop(row, None)
                while len(self._kept) > self._n_kept:
                    self._kept.popitem(last=False)
        return found

    def _detected(self, row: int) -> PackedKeypoints:
        seen = self.pixels(row)
        if seen is None:
            return PackedKeypoints.none()
        height, width = seen.pixels.shape[:2]
        full_width, full_height = seen.full_size_px
        found = self._detector.detect_packed(seen.pixels)
        return found.scaled(full_width / width, full_height / height)

    def _parts(self, rows: Sequence[int], boxes: Sequence[Box]) -> Iterator[Pixels]:
        last: tuple[int, Pixels] | None = None
        for row, box in zip(rows, boxes, strict=True):
            if last is None or last[0] != row:
                last = (row, self._pixels_of(row).pixels)
            yield part_of(last[1], box)


def part_of(pixels: Pixels, box: Box) -> Pixels:
    """The pixels of `box` of an image [H, W, 3], at least one of them."""
    left, top, right, bottom = sides_of(box, pixels.shape[1], pixels.shape[0])
    return pixels[top:bottom, left:right]


def sides_of(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels, of at least one pixel."""
    left, right = (min(max(round(share * width), 0), width) for share in (box[0], box[2]))
    top, bottom = (min(max(round(share * height), 0), height) for share in (box[1], box[3]))
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)
