"""Laying one image over another: from border to border, mirrored, or by matching points; and whether it is a copy then."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.agreement import NOTHING, Agreement, agreement
from cairn.algorithms.geometry import matches, verified
from cairn.algorithms.mirroring import mirrored_features, mirrored_points
from cairn.images.pixels import Decoded
from cairn.models.keypoints import Keypoints, SiftDetector

Grey = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

VIEW_PX = 256
# A view takes 50 KB, its points 150 KB.
N_VIEWS_KEPT = 2048
# Copies share most of their strongest points: so few are matched ten times as fast as a thousand.
N_POINTS = 300
LEAST_INLIERS = 10
LEAST_PARTS = 8
LEAST_COVERED = 0.55
# A copy that covers so much of its original is not called cropped.
WHOLE_FROM = 0.95
AGREE_FROM, SURE_FROM = 0.62, 0.70
# Points lay photos of one front, taken from nearly one place, over each other so well that up to 89 of 100 parts
# agree; of a cropped copy 90 do. Chosen on seed 0 of `cairn bench scrub`.
PART_FROM = 0.88


class How(StrEnum):
    """In which way one image is a copy of another."""

    PIXELS = "pixels"
    WHOLE = "whole"
    MIRRORED = "mirrored"
    PART = "part"
    MIRRORED_PART = "mirrored part"


@dataclass(frozen=True)
class Found:
    """That two images are copies.

    share: of the parts of the overlap that agree, 0 to 1. covered: the smaller share of area that lies in the overlap.
    """

    how: How
    share: float
    covered: float

    @property
    def is_sure(self) -> bool:
        """Whether so much agrees that no person needs to look."""
        return self.share >= SURE_FROM


@dataclass(frozen=True)
class View:
    """An image as it is compared: `grey` uint8 [h, w], at most VIEW_PX wide and high."""

    grey: Grey

    @staticmethod
    def of(seen: Decoded) -> "View":
        """The view of a decoded image."""
        height, width = seen.pixels.shape[:2]
        scale = min(1.0, VIEW_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = Image.fromarray(seen.pixels).convert("L").resize(size, Image.Resampling.BOX)
        return View(np.asarray(grey))

    def mirrored(self) -> "View":
        """The view of the mirror image."""
        return View(np.ascontiguousarray(self.grey[:, ::-1]))

    @cached_property
    def points(self) -> Keypoints:
        """The strongest points of the view."""
        detector = SiftDetector(max_points=N_POINTS, side_px=VIEW_PX)
        return detector.detect(np.repeat(self.grey[:, :, None], 3, axis=2))

    def mirrored_points(self) -> Keypoints:
        """The same points in the mirror image."""
        own = self.points
        return Keypoints(
            mirrored_points(own.points, width_px=self.grey.shape[1]),
            own.sizes,
            (180 - own.angles) % 360,
            mirrored_features(own.features),
        )


def whole_copy(first: View, second: View) -> Found | None:
    """Whether one is all of the other or of its mirror image, at another size perhaps."""
    matrix = _frame_to_frame(first, second)
    plain = _judged(_over(first, second, matrix), is_mirrored=False)
    if plain is not None and plain.is_sure:
        return plain
    return plain or _judged(_over(first.mirrored(), second, matrix), is_mirrored=True)


def part_copy(first: View, second: View) -> Found | None:
    """Whether one is a large part of the other or of its mirror image, found by matching points of both."""
    plain = _laid_by_points(first.points, second.points)
    if plain is not None:
        return _judged(_over(first, second, plain), is_mirrored=False)
    turned = _laid_by_points(first.mirrored_points(), second.points)
    return _judged(_over(first.mirrored(), second, turned), is_mirrored=True)


class Views:
    """The views of the images that were asked for last; several threads may ask.

    pixels_of: the image of a row, None where it cannot be read.
    """

    def __init__(self, pixels_of: Callable[[int], Decoded | None]) -> None:
        self._pixels_of = pixels_of
        self._kept: OrderedDict[int, View | None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, row: int) -> View | None:
        """The view of the image of that row; None where it cannot be read."""
        with self._lock:
            if row in self._kept:
                self._kept.move_to_end(row)
                return self._kept[row]
        seen = self._pixels_of(row)
        view = None if seen is None else View.of(seen)
        with self._lock:
            self._kept[row] = view
            while len(self._kept) > N_VIEWS_KEPT:
                self._kept.popitem(last=False)
        return view


def _judged(seen: Agreement, *, is_mirrored: bool) -> Found | None:
    is_enough = seen.n_parts >= LEAST_PARTS and seen.covered >= LEAST_COVERED
    is_whole = seen.covered >= WHOLE_FROM
    if not is_enough or seen.share < (AGREE_FROM if is_whole else PART_FROM):
        return None
    if is_mirrored:
        how = How.MIRRORED if is_whole else How.MIRRORED_PART
    else:
        how = How.WHOLE if is_whole else How.PART
    return Found(how, seen.share, seen.covered)


def _frame_to_frame(first: View, second: View) -> Matrix:
    """[3, 3]: from the first to the second where both show the same from border to border."""
    (height, width), (to_height, to_width) = first.grey.shape, second.grey.shape
    across, down = to_width / width, to_height / height
    # Pixels are counted by their middles.
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])


def _laid_by_points(ours: Keypoints, theirs: Keypoints) -> Matrix | None:
    """Where the first image lies on the second; None where too few points say so."""
    pairs = matches(ours.features, theirs.features)
    if len(pairs) < LEAST_INLIERS:
        return None
    found = verified(ours.points, theirs.points, pairs, model="similarity")
    if found is None or len(found.inliers) < LEAST_INLIERS:
        return None
    return found.matrix


def _over(first: View, second: View, matrix: Matrix | None) -> Agreement:
    """How the two agree where `matrix` lays the first over the second."""
    if matrix is None:
        return NOTHING
    return agreement(first.grey.astype(np.float32), second.grey.astype(np.float32), matrix)
