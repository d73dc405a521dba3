"""Straight seams through an image, as between two photos that somebody put side by side."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SEEN_PX = 384
# A seam runs from edge to edge; nearer to the border it is a frame, or a watermark's strip.
LEAST_PART = 0.15
# A step in brightness that JPEG does not make by itself, and how far it must stand out beside itself.
_STEP, _STANDS_OUT = 6.0, 2.0
_LEAST_SIDE_PX = 32


@dataclass(frozen=True)
class Seam:
    """A seam `across` the image's width (so upright), or its height, at a share of that side.

    share: of the seam's length over which the image changes more than beside it, 0 to 1.
    """

    across: Literal["width", "height"]
    at: float
    share: float

    @property
    def boxes(self) -> tuple[tuple[float, float, float, float], tuple[float, float, float, float]]:
        """The two parts, left, top, right and bottom in shares of the image; the left or upper one first."""
        if self.across == "width":
            return (0.0, 0.0, self.at, 1.0), (self.at, 0.0, 1.0, 1.0)
        return (0.0, 0.0, 1.0, self.at), (0.0, self.at, 1.0, 1.0)


def seams(pixels: Pixels) -> tuple[Seam, Seam] | None:
    """The clearest upright and the clearest level seam of an image [H, W, 3]; None where it is too small.

    Many photos have a long upright or level line, so a seam alone proves nothing.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, SEEN_PX / max(height, width))
    size = (round(width * scale), round(height * scale))
    if min(size) < _LEAST_SIDE_PX:
        return None
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.float32)
    upright, level = _clearest(small), _clearest(small.transpose(1, 0, 2))
    return Seam("width", *upright), Seam("height", *level)


def _clearest(image: Floats) -> tuple[float, float]:
    """Where the clearest upright seam of [H, W, 3] lies, as a share of the width, and its share."""
    width = image.shape[1]
    # A seam may fall between two pixels of the smaller image, so steps are taken over two.
    steps = np.abs(image[:, 2:] - image[:, :-2]).max(axis=2)
    beside = np.full_like(steps, 0)
    for shift in (-5, -4, -3, 3, 4, 5):
        beside += np.roll(steps, shift, axis=1) / 6
    is_seam = (steps > _STEP) & (steps > _STANDS_OUT * beside)
    # A seam is as clear at either of two neighbouring columns, in some rows here and in others there.
    shares = (is_seam[:, 1:] | is_seam[:, :-1]).mean(axis=0)
    places = (np.arange(len(shares)) + 2.0) / width
    shares = np.where((places >= LEAST_PART) & (places <= 1 - LEAST_PART), shares, 0)
    best = int(shares.argmax())
    return float(places[best]), float(shares[best])
