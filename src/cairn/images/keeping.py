"""What is kept of a photo that came from outside: which bytes, which size, and what they are known by."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.duplicates import likeness
from cairn.algorithms.lanczos import shrunk
from cairn.images.pixels import UNTOUCHED_SUFFIX, Limits, Upright, encode_jpeg, upright

SUFFIX = {**UNTOUCHED_SUFFIX, "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "HEIF": ".heic", "AVIF": ".avif"}  # fmt: skip
# Shrunk by Lanczos from 1.5 times its size on, an image differs by less than 1 grey value of 255 on
# average from one that was shrunk from its full size; from 1 times on by 2 to 3.
ENOUGH_TIMES = 1.5
# From so many times the wanted size on, the mean of whole blocks of pixels is taken first.
BLOCKS_FROM_TIMES = 4


@dataclass(frozen=True)
class Fit:
    """How large kept images are and how they are written.

    side: which side of an image `max_side_px` speaks of; an image that is not longer there stays as large as it is.
    as_it_came: keep every image's own bytes; they are decoded all the same.
    thorough: decode at full size, shrink with Pillow and pack tightly, as import does; else large JPEGs are
    decoded at a fraction of their size, which is several times faster and looks the same.
    """

    max_side_px: int = 1024
    side: Literal["longest", "shortest"] = "longest"
    quality: int = 92
    as_it_came: bool = False
    thorough: bool = False

    def share(self, size_px: tuple[int, int]) -> float:
        """The share of its sides that is kept of an image of this width and height; 1 or more: all."""
        return self.max_side_px / (max(size_px) if self.side == "longest" else min(size_px))

    def size_px(self, full_size_px: tuple[int, int]) -> tuple[int, int]:
        """The width and height that are kept of an image with these."""
        share = self.share(full_size_px)
        if share >= 1:
            return full_size_px
        width, height = full_size_px
        return max(1, round(width * share)), max(1, round(height * share))


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image as it is kept: a file's `content` and `suffix`, and what it is known by.

    digest: of the bytes that came; kept_digest: of `content`.
    likeness: of the pixels that are kept, see algorithms/duplicates.py.
    """

    content: bytes
    suffix: str
    width_px: int
    height_px: int
    digest: str
    kept_digest: str
    likeness: bytes


def keep(content: bytes, *, fit: Fit, limits: Limits) -> KeptImage:
    """What is kept of the photo that `content` holds, after all of it was decoded.

    The bytes stay as they came where the image is plain and small enough already; any other is turned
    upright, brought to sRGB, laid on white where it is transparent, made smaller and written as a JPEG.
    Raises PixelError with its cause where `content` is no image, is cut off or passes a limit.
    """
    seen = upright(content, limits=limits, enough=lambda size_px: _enough(fit, size_px))
    size_px = fit.size_px(seen.full_size_px)
    if fit.as_it_came or (seen.plain and size_px == seen.full_size_px):
        kept, suffix, pixels = content, SUFFIX[seen.format], np.asarray(seen.image)
    else:
        pixels = _made_smaller(seen, size_px, fit)
        kept, suffix = encode_jpeg(pixels, quality=fit.quality, tight=fit.thorough), ".jpg"
    digest = _digest(content)
    return KeptImage(
        content=kept,
        suffix=suffix,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        digest=digest,
        kept_digest=digest if kept is content else _digest(kept),
        likeness=likeness(pixels),
    )


def _enough(fit: Fit, size_px: tuple[int, int]) -> float:
    return 1.0 if fit.thorough or fit.as_it_came else ENOUGH_TIMES * fit.share(size_px)


def _made_smaller(seen: Upright, size_px: tuple[int, int], fit: Fit) -> npt.NDArray[np.uint8]:
    if size_px == seen.full_size_px:
        return np.asarray(seen.image)
    if fit.thorough:
        return np.asarray(seen.image.resize(size_px, Image.Resampling.LANCZOS, reducing_gap=2.0))
    image, (width, height) = seen.image, seen.extent_px
    times = min(width / size_px[0], height / size_px[1])
    if times >= BLOCKS_FROM_TIMES:
        block = int(times / 2)
        image, width, height = image.reduce(block), width / block, height / block
    return shrunk(np.asarray(image), size_px=size_px, extent_px=(width, height))


def _digest(content: bytes) -> str:
    # base.files has it too, and brings settings and records along, which no decoding process needs.
    return hashlib.sha256(content).hexdigest()
