"""Points of images as the recogniser matches them: found at one size, so many at most, kept in few bytes."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cairn.algorithms.point_codes import from_codes, to_codes
from cairn.algorithms.verifying import Points
from cairn.models.keypoints import SiftDetector, root_normalised
from cairn.records.points import ImagePoints

Pixels = npt.NDArray[np.uint8]

# At 68 bytes each, 24 KB an image. More of them, or larger images, recognise no better on real photos.
MAX_POINTS, SIDE_PX = 352, 640
# Another last number where another Cairn would find other points.
POINTS_WAY = f"sift-{MAX_POINTS}-{SIDE_PX}-1"


def find_points(pixels: Pixels, full_size_px: tuple[int, int]) -> ImagePoints:
    """The points of an image, uint8 [H, W, 3], placed in an image of `full_size_px` (width, height).

    Raises InputError where `pixels` has another form.
    """
    found = _detector().detect_packed(pixels)
    height, width = pixels.shape[:2]
    wide, high = full_size_px
    stretch = np.array([wide / width, high / height], np.float32)
    return ImagePoints.at(
        found.points * stretch, to_codes(root_normalised(found.counts)), full_size_px
    )


def as_points(kept: ImagePoints) -> Points:
    """The points as they are matched."""
    return Points(kept.places_px, from_codes(kept.codes))


@lru_cache(maxsize=1)
def _detector() -> SiftDetector:
    return SiftDetector(max_points=MAX_POINTS, side_px=SIDE_PX)
