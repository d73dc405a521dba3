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

from cairn.algorithms.agreement import Agreement, agreement
from cairn.algorithms.borders import seam_share
from cairn.algorithms.geometry import matches, verified
from cairn.algorithms.mirroring import mirrored_features, mirrored_points
from cairn.images.pixels import Decoded
from cairn.models.keypoints import Keypoints, PackedKeypoints, SiftDetector

Grey = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

VIEW_PX = 256
# A view takes 50 KB, its points 45 KB, so these 100 MB at most.
N_VIEWS_KEPT = 1024
# Copies share most of their strongest points: so few are matched ten times as fast as a thousand.
N_POINTS = 300
LEAST_INLIERS = 10
LEAST_PARTS = 8
LEAST_COVERED = 0.55
# A copy that covers so much of its original is not called cropped.
WHOLE_FROM = 0.95
AGREE_FROM, SURE_FROM = 0.62, 0.70
# A cropped copy lies wholly in its original. Points lay photos of one front, taken from nearly one place, over each other
# so well that up to 89 of 100 parts agree; but they reach beyond each other, or agree in 80 at most. Of 7,209 pairs of
# photos of one landmark, and of 160 crops, see docs/scrub.md.
INSIDE_FROM = 0.97
PART_FROM, BEYOND_FROM = 0.84, 0.92
# Two photos put together have one border between them. Narrower strips are frames, bars and captions.
LEAST_STRIP, MOST_REST, SEAM_FROM = 0.15, 0.03, 0.42
LEAST_SPREAD_GREY = 8.0


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
    is_composed: whether one seems to be put together from the other and another photo.
    """

    how: How
    share: float
    covered: float
    is_composed: bool = False

    @property
    def is_sure(self) -> bool:
        """Whether so much agrees that no person needs to look."""
        return self.share >= SURE_FROM and not self.is_composed

    @property
    def score(self) -> float:
        """How far it can be believed, 0 to 1: what is not sure stands behind all that is."""
        return SURE_FROM * self.share if self.is_composed else self.share


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

    @property
    def points(self) -> Keypoints:
        """The strongest points of the view."""
        return self._packed.unpacked()

    @cached_property
    def _packed(self) -> PackedKeypoints:
        detector = SiftDetector(max_points=N_POINTS, side_px=VIEW_PX)
        return detector.detect_packed(np.repeat(self.grey[:, :, None], 3, axis=2))


def whole_copy(first: View, second: View) -> Found | None:
    """Whether one is all of the other or of its mirror image, at another size perhaps."""
    matrix = _frame_to_frame(first, second)
    plain = _laid(first, second, matrix, is_mirrored=False)
    if plain is not None and plain.is_sure:
        return plain
    return plain or _laid(first.mirrored(), second, matrix, is_mirrored=True)


def part_copy(first: View, second: View) -> Found | None:
    """Whether one is a large part of the other or of its mirror image, found by matching points of both."""
    ours, theirs = first.points, second.points
    plain = _laid_by_points(ours, theirs)
    if plain is not None:
        return _laid(first, second, plain, is_mirrored=False)
    turned = _laid_by_points(_mirrored(ours, first), theirs)
    return _laid(first.mirrored(), second, turned, is_mirrored=True)


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


def _laid(first: View, second: View, matrix: Matrix | None, *, is_mirrored: bool) -> Found | None:
    """What laying the first over the second by `matrix` shows; None where they are no copies."""
    if matrix is None:
        return None
    seen = agreement(first.grey.astype(np.float32), second.grey.astype(np.float32), matrix)
    is_whole = seen.covered >= WHOLE_FROM
    is_enough = seen.n_parts >= LEAST_PARTS and seen.covered >= LEAST_COVERED
    if not is_enough or seen.share < _least_share(seen):
        return None
    if is_mirrored:
        how = How.MIRRORED if is_whole else How.MIRRORED_PART
    else:
        how = How.WHOLE if is_whole else How.PART
    is_composed = seen.patch() > 0 or (not is_whole and _is_beside_another(first, second, matrix))
    return Found(how, seen.share, seen.covered, is_composed)


def _least_share(seen: Agreement) -> float:
    """How many parts agree at least, of a copy that covers so much."""
    if seen.covered >= WHOLE_FROM:
        return AGREE_FROM
    return PART_FROM if max(seen.of_first, seen.of_second) >= INSIDE_FROM else BEYOND_FROM


def _is_beside_another(first: View, second: View, matrix: Matrix) -> bool:
    """Whether one of the two goes on beyond one border of the other as if another photo began there."""
    back: Matrix = np.linalg.inv(matrix).astype(np.float64)
    return _goes_on_strangely(second.grey, first.grey.shape, matrix) or _goes_on_strangely(
        first.grey, second.grey.shape, back
    )


def _goes_on_strangely(larger: Grey, shape: tuple[int, ...], matrix: Matrix) -> bool:
    """Whether an image of `shape` that `matrix` lays into `larger` fills it but for one strip, and a seam divides the two."""
    corners = np.array([[-0.5, -0.5, 1], [shape[1] - 0.5, shape[0] - 0.5, 1]]) @ matrix[:2].T
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    height, width = larger.shape
    strips = {
        "left": left / width, "right": 1 - right / width, "top": top / height, "bottom": 1 - bottom / height
    }  # fmt: skip
    (rest, _), (room, side) = sorted((room, side) for side, room in strips.items())[-2:]
    if room < LEAST_STRIP or rest > MOST_REST:
        return False
    upright = larger if side in ("left", "right") else larger.T
    at = {"left": left, "right": right, "top": top, "bottom": bottom}[side]
    middle = round(at)
    beyond = upright[:, :middle] if side in ("left", "top") else upright[:, middle:]
    # Beyond the border of a photo in a frame there is nothing to see.
    shows = beyond.std(axis=0).mean() >= LEAST_SPREAD_GREY
    return bool(shows and seam_share(upright, at=at) >= SEAM_FROM)


def _mirrored(own: Keypoints, view: View) -> Keypoints:
    """The points of a view as they are in its mirror image."""
    return Keypoints(
        mirrored_points(own.points, width_px=view.grey.shape[1]),
        own.sizes,
        (180 - own.angles) % 360,
        mirrored_features(own.features),
    )


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
