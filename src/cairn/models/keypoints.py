"""Local features of an image: points that are found again in another photo of the same thing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.opencv import opencv
from cairn.base.errors import InputError
from cairn.models.shapes import require_image

Floats = npt.NDArray[np.float32]
Pixels8 = npt.NDArray[np.uint8]

FEATURE_WIDTH = 128
# SIFT looks at no point within 5 px of the border.
LEAST_SIDE_PX = 12
# OpenCV's own 0.04 leaves less than 300 points on hazy photos, and 0.01 finds the sky's noise.
CONTRAST = 0.02


@dataclass(frozen=True)
class Keypoints:
    """N points of an image, the strongest first.

    points: [N, 2] x and y in pixels, the middle of the first pixel is 0, 0. sizes: [N] pixels across.
    angles: [N] degrees. features: [N, 128], root-normalised: not negative and of length one.
    """

    points: Floats
    sizes: Floats
    angles: Floats
    features: Floats

    def __post_init__(self) -> None:
        shapes = [part.shape for part in (self.points, self.sizes, self.angles, self.features)]
        n = len(self.points)
        if shapes != [(n, 2), (n,), (n,), (n, FEATURE_WIDTH)]:
            raise InputError(
                f"keypoints have points, sizes, angles and features of the shapes {shapes}; [N, 2], [N], [N] "
                f"and [N, {FEATURE_WIDTH}] were expected; give one row for each point"
            )

    def __len__(self) -> int:
        return len(self.points)

    def scaled(self, wide: float, high: float) -> "Keypoints":
        """The same points in an image that is `wide` times as wide and `high` times as high."""
        stretch = np.array([wide, high], np.float32)
        sizes = self.sizes * np.float32((wide * high) ** 0.5)
        return Keypoints(self.points * stretch, sizes, self.angles, self.features)

    def moved(self, right: float, down: float) -> "Keypoints":
        """The same points, so many pixels further to the right and down."""
        shift = np.array([right, down], np.float32)
        return Keypoints(self.points + shift, self.sizes, self.angles, self.features)

    @staticmethod
    def none() -> "Keypoints":
        """No point at all, as of an image that cannot be read."""
        return PackedKeypoints.none().unpacked()


@dataclass(frozen=True)
class PackedKeypoints:
    """Keypoints in little more than a quarter of their memory, nothing lost: SIFT counts in whole numbers up to 255.

    points, sizes, angles: as in Keypoints. counts: uint8 [N, 128], of which the features are the root-normalised form.
    """

    points: Floats
    sizes: Floats
    angles: Floats
    counts: Pixels8

    def __post_init__(self) -> None:
        if self.counts.dtype != np.uint8 or self.counts.shape != (len(self.points), FEATURE_WIDTH):
            raise InputError(
                f"packed keypoints have counts of the type {self.counts.dtype} and the shape {self.counts.shape} for "
                f"{len(self.points)} points; uint8 [N, {FEATURE_WIDTH}] were expected; make them by SiftDetector"
            )

    def scaled(self, wide: float, high: float) -> "PackedKeypoints":
        """The same points in an image that is `wide` times as wide and `high` times as high."""
        stretch = np.array([wide, high], np.float32)
        sizes = self.sizes * np.float32((wide * high) ** 0.5)
        return PackedKeypoints(self.points * stretch, sizes, self.angles, self.counts)

    def unpacked(self) -> Keypoints:
        """The keypoints, with features made anew."""
        return Keypoints(self.points, self.sizes, self.angles, root_normalised(self.counts))

    @staticmethod
    def none() -> "PackedKeypoints":
        """No point at all."""
        return _packed(np.empty((0, 4), np.float32), np.empty((0, FEATURE_WIDTH), np.float32))


class SiftDetector:
    """SIFT points with root-normalised features; safe to share between threads.

    max_points: the strongest so many are kept. side_px: a larger image is seen at this longest side.
    Source: Lowe, IJCV 60 (2004); Arandjelović, Zisserman, CVPR 2012 (the root).
    """

    def __init__(self, *, max_points: int = 1024, side_px: int = 512) -> None:
        if max_points < 1 or side_px < LEAST_SIDE_PX:
            raise InputError(
                f"the detector was given max_points {max_points} and side_px {side_px}; at least 1 and "
                f"{LEAST_SIDE_PX} were expected; leave them at 1024 and 512"
            )
        self.max_points, self.side_px = max_points, side_px

    def detect(self, pixels: Pixels8) -> Keypoints:
        """The points of an image, uint8 [H, W, 3], in pixels of that image at whatever size it was seen.

        Raises InputError where `pixels` has another form.
        """
        return self.detect_packed(pixels).unpacked()

    def detect_packed(self, pixels: Pixels8) -> PackedKeypoints:
        """The same points, packed.

        Raises InputError where `pixels` has another form.
        """
        require_image(pixels)
        cv2 = opencv()
        height, width = pixels.shape[:2]
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
        scale = min(1.0, self.side_px / max(height, width))
        seen = (max(1, round(width * scale)), max(1, round(height * scale)))
        if min(seen) < LEAST_SIDE_PX:
            return PackedKeypoints.none()
        if scale < 1:
            grey = cv2.resize(grey, seen, interpolation=cv2.INTER_AREA)
        # One for each call: it keeps its pyramid inside, which threads must not share.
        sift = cv2.SIFT_create(nfeatures=self.max_points, contrastThreshold=CONTRAST)
        found, raw = sift.detectAndCompute(grey, None)
        if raw is None:
            return PackedKeypoints.none()
        rows = np.array([(*p.pt, p.size, p.angle, p.response) for p in found], np.float32)
        # Strongest first, and always in the same order where points are equally strong.
        order = np.lexsort((*rows[:, 3::-1].T, -rows[:, 4]))[: self.max_points]
        wide, high = width / seen[0], height / seen[1]
        rows[:, :2] = (rows[:, :2] + 0.5) * (wide, high) - 0.5
        rows[:, 2] *= (wide * high) ** 0.5
        return _packed(rows[order, :4], raw[order])


def root_normalised(raw: Floats | Pixels8) -> Floats:
    """The square roots of the shares of `raw` [N, 128] in its sum: length one; rows of zeros stay.

    Their products are then the Bhattacharyya likeness of the histograms.
    """
    raw = np.maximum(raw, 0).astype(np.float32)
    sums = raw.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(raw / np.maximum(sums, 1e-12)), np.float32)


def _packed(rows: Floats, raw: Floats) -> PackedKeypoints:
    """Packed keypoints of rows of x, y, size and angle, and what OpenCV counted."""
    return PackedKeypoints(
        np.ascontiguousarray(rows[:, :2], np.float32),
        np.ascontiguousarray(rows[:, 2], np.float32),
        np.ascontiguousarray(rows[:, 3], np.float32),
        # OpenCV rounds its counts to bytes, and tells them as floats.
        np.ascontiguousarray(raw, np.uint8),
    )
