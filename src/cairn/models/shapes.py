"""The shapes at which a network sees images: few enough to run in batches, near enough to keep the image's own."""

import functools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.base.errors import InputError

Pixels8 = npt.NDArray[np.uint8]
Shape = tuple[int, int]

MAX_ASPECT = 3.0
# Two shapes that are equally near in aspect differ in area, which counts half as much.
AREA_WEIGHT = 0.5
# Steps finer than this make more shapes, and so fewer images in a batch, for no gain.
STEP_PX = 32
RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def step_px(stride: int) -> int:
    """The multiple of a network's stride that is nearest to STEP_PX."""
    return stride * max(1, round(STEP_PX / stride))


@functools.cache
def shape_table(side_px: int, step: int) -> tuple[Shape, ...]:
    """Shapes [H, W] in multiples of `step`, of about the area of a square of `side_px`, sorted.

    The longer side is at most MAX_ASPECT times the shorter one.
    """
    shapes: set[Shape] = set()
    for long_px in range(step, int(side_px * MAX_ASPECT) + 1, step):
        short_px = max(step, round(side_px**2 / long_px / step) * step)
        if max(long_px, short_px) / min(long_px, short_px) <= MAX_ASPECT:
            shapes |= {(long_px, short_px), (short_px, long_px)}
    return tuple(sorted(shapes))


@functools.lru_cache(maxsize=65_536)
def nearest_shape(height: int, width: int, *, side_px: int, step: int) -> Shape:
    """The shape of the table that an image of `height` x `width` changes least in."""
    aspect, area = math.log(width / height), side_px**2

    def distance(shape: Shape) -> tuple[float, Shape]:
        h, w = shape
        stretch = abs(math.log(w / h) - aspect)
        return stretch + AREA_WEIGHT * abs(math.log(h * w / area)), shape

    return min(shape_table(side_px, step), key=distance)


def square(side_px: int, step: int) -> Shape:
    """The square in multiples of `step` that is nearest to `side_px`."""
    side = max(1, round(side_px / step)) * step
    return side, side


def require_image(image: Pixels8) -> None:
    """Nothing, where `image` is uint8 [H, W, 3] with pixels in it; otherwise raises InputError."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            f"an image is {image.dtype} of the shape {list(image.shape)}; uint8 [H, W, 3] (RGB) with at "
            "least one pixel was expected; decode it to RGB"
        )


def resized(image: Pixels8, shape: Shape, *, interpolation: str) -> Pixels8:
    """`image` at `shape` [H, W], smoothed where it gets smaller."""
    if image.shape[:2] == shape:
        return image
    height, width = shape
    return np.asarray(Image.fromarray(image).resize((width, height), RESAMPLING[interpolation]))
