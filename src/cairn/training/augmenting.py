"""Augmentation of one image: first all of it is decided by lot, then it is done; nothing else is left to chance."""

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.opencv import opencv
from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings

Pixels = npt.NDArray[np.uint8]
# Numbers from 0 to 1 that decide about one image, in a fixed order.
Lots = tuple[float, ...]
# How wide a patch is for its height: least, most.
PATCH_ASPECT = (0.5, 2.0)
# Shares of red, green and blue in brightness, in thousandths, after ITU-R BT.601.
_LUMA = (299, 587, 114)
# How many lots fall to the cut, the bending, the look, the storing and the patch.
_N_LOTS = (4, 5, 5, 2, 8)


@dataclass(frozen=True)
class Augmentation:
    """What is done to one image; the fields stand in the order in which it is done.

    box: what is cut out: left, top, right, bottom, px of the image.
    side_px: of the square that the cut is squashed to; all that follows is done to the square.
    rotation_deg: anticlockwise. shear_deg: how far upright lines lean. zoom: times the width and height that are seen;
    above 1 things become smaller. Where a square would be seen beyond its edge, the edge is repeated.
    blur_px: standard deviation of the blur, None for none.
    brightness, contrast, saturation: factors; 1 changes nothing.
    quality: of the JPEG that the square went through, None for none.
    patch: left, top, right, bottom of a plain patch, px of the square, None for none; colour: of the patch, RGB.
    """

    box: tuple[float, float, float, float]
    side_px: int
    rotation_deg: float = 0.0
    shear_deg: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    is_mirrored: bool = False
    blur_px: float | None = None
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    quality: int | None = None
    patch: tuple[int, int, int, int] | None = None
    colour: tuple[int, int, int] = (0, 0, 0)


def augment(pixels: Pixels, settings: AugmentSettings, rng: np.random.Generator) -> Pixels:
    """The image, varied: [settings.side_px, settings.side_px, 3].

    pixels: uint8 [H, W, 3] RGB. rng: as `keys.generator_of` makes it for an image and an epoch. The same one gives the
    same bytes, with the same versions of NumPy, Pillow and OpenCV on the same kind of machine.
    Raises InputError where `pixels` is no such array.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(
            f"the pixels have the shape {pixels.shape} and the type {pixels.dtype}; uint8 [H, W, 3] of at least one "
            "pixel was expected; decode the image with cairn.images.pixels"
        )
    height, width = pixels.shape[:2]
    return apply(Image.fromarray(pixels), decide((width, height), settings, draw(rng)))


def draw(rng: np.random.Generator) -> Lots:
    """The lots that decide about one image."""
    return tuple(rng.random(sum(_N_LOTS)).tolist())


def decide(size_px: tuple[int, int], settings: AugmentSettings, lots: Lots) -> Augmentation:
    """What is to be done to an image of a width and a height.

    Each kind of augmentation has lots of its own, so switching one off, or to other ranges, leaves the others as they
    were.
    """
    firsts = (0, *itertools.accumulate(_N_LOTS))
    cut, bend, look, store, patch = (lots[a:b] for a, b in itertools.pairwise(firsts))
    blur_px = _between(*settings.blur_px, look[1])
    quality = _whole_between(*settings.jpeg_quality, store[1])
    red, green, blue = (_whole_between(0, 255, lot) for lot in patch[5:])
    return Augmentation(
        box=_box(size_px, settings, cut),
        side_px=settings.side_px,
        rotation_deg=_between(-settings.rotation_deg, settings.rotation_deg, bend[0]),
        shear_deg=_between(-settings.shear_deg, settings.shear_deg, bend[1]),
        zoom=(_around_one(settings.zoom, bend[2]), _around_one(settings.zoom, bend[3])),
        is_mirrored=settings.mirror and bend[4] < 0.5,
        blur_px=blur_px if look[0] < settings.blur_chance else None,
        brightness=_around_one(settings.brightness, look[2]),
        contrast=_around_one(settings.contrast, look[3]),
        saturation=_around_one(settings.saturation, look[4]),
        quality=quality if store[0] < settings.jpeg_chance else None,
        patch=_patch(settings, patch[1:5]) if patch[0] < settings.erase_chance else None,
        colour=(red, green, blue),
    )


def enough_share(size_px: tuple[int, int], settings: AugmentSettings, lots: Lots) -> float:
    """The share of its width and height that an image needs to be decoded at, so that its cut is not enlarged by it.

    size_px: as the file has it, which may lie on its side: it is enough either way.
    """
    shares = []
    for size in {size_px, size_px[::-1]}:
        left, top, right, bottom = _box(size, settings, lots[: _N_LOTS[0]])
        shares.append(settings.side_px / min(right - left, bottom - top))
    return max(shares)


def apply(image: Image.Image, augmentation: Augmentation) -> Pixels:
    """The image after what was decided: a new array [side_px, side_px, 3].

    image: RGB, of the size that it was decided for, or smaller with the box made smaller alike.
    """
    side = augmentation.side_px
    cut = image.resize(
        (side, side), Image.Resampling.BICUBIC, box=augmentation.box, reducing_gap=2.0
    )
    done = _bent(np.asarray(cut), augmentation)
    if augmentation.is_mirrored:
        done = opencv().flip(done, 1)
    if augmentation.blur_px is not None:
        done = _blurred(done, augmentation.blur_px)
    done = _recoloured(done, augmentation)
    if augmentation.quality is not None:
        done = _stored(done, augmentation.quality)
    if not done.flags.writeable:
        done = done.copy()
    if augmentation.patch is not None:
        left, top, right, bottom = augmentation.patch
        done[top:bottom, left:right] = augmentation.colour
    return done


def _between(least: float, most: float, lot: float) -> float:
    return least + (most - least) * lot


def _whole_between(least: int, most: int, lot: float) -> int:
    return least + int((most - least + 1) * lot)


def _around_one(share: float, lot: float) -> float:
    return _between(1 - share, 1 + share, lot)


def _between_aspects(least: float, most: float, lot: float) -> float:
    """Twice as wide is as likely as twice as high."""
    return math.exp(_between(math.log(least), math.log(most), lot))


def _box(
    size_px: tuple[int, int], settings: AugmentSettings, lots: Sequence[float]
) -> tuple[float, float, float, float]:
    width, height = size_px
    area = _between(*settings.area, lots[0])
    if area == 1:
        return 0, 0, width, height
    # A narrower or wider cut of this area would not fit into the image.
    narrowest, widest = area * width / height, width / (area * height)
    least, most = (min(max(aspect, narrowest), widest) for aspect in settings.aspect)
    aspect = _between_aspects(least, most, lots[1])
    wide = min(float(width), math.sqrt(area * width * height * aspect))
    high = min(float(height), math.sqrt(area * width * height / aspect))
    left, top = _between(0, width - wide, lots[2]), _between(0, height - high, lots[3])
    return left, top, min(float(width), left + wide), min(float(height), top + high)


def _patch(settings: AugmentSettings, lots: Sequence[float]) -> tuple[int, int, int, int]:
    side = settings.side_px
    area = _between(*settings.erase_area, lots[0])
    aspect = _between_aspects(*PATCH_ASPECT, lots[1])
    wide, high = (
        min(side, max(1, round(side * math.sqrt(area * ratio)))) for ratio in (aspect, 1 / aspect)
    )
    left, top = _whole_between(0, side - wide, lots[2]), _whole_between(0, side - high, lots[3])
    return left, top, left + wide, top + high


def _bent(square: Pixels, augmentation: Augmentation) -> Pixels:
    """The square turned, leaning and stretched about its middle, all in one resampling."""
    turn, lean = math.radians(augmentation.rotation_deg), math.radians(augmentation.shear_deg)
    across, along = augmentation.zoom
    if (turn, lean, across, along) == (0, 0, 1, 1):
        return square
    # From places in the result to places in the square: turned after leaning after stretched.
    xx, xy = math.cos(turn) * across, (math.cos(turn) * math.tan(lean) - math.sin(turn)) * along
    yx, yy = math.sin(turn) * across, (math.sin(turn) * math.tan(lean) + math.cos(turn)) * along
    # The middle of a square whose pixels have whole numbers at their middles.
    middle = (augmentation.side_px - 1) / 2
    places = np.array(
        [[xx, xy, middle - middle * (xx + xy)], [yx, yy, middle - middle * (yx + yy)]]
    )
    cv = opencv()
    bent: Pixels = cv.warpAffine(
        square, places, square.shape[:2], flags=cv.INTER_CUBIC | cv.WARP_INVERSE_MAP,
        borderMode=cv.BORDER_REPLICATE,
    )  # fmt: skip
    return bent


def _blurred(square: Pixels, deviation_px: float) -> Pixels:
    cv = opencv()
    blurred: Pixels = cv.GaussianBlur(square, (0, 0), deviation_px, borderType=cv.BORDER_REPLICATE)
    return blurred


def _recoloured(square: Pixels, augmentation: Augmentation) -> Pixels:
    """Brightness, then contrast about the mean grey, then saturation about each pixel's grey; rounded at the end.

    All three together are one matrix and one number that is added.
    """
    bright, contrast, saturation = (
        augmentation.brightness, augmentation.contrast, augmentation.saturation,
    )  # fmt: skip
    if (bright, contrast, saturation) == (1, 1, 1):
        return square
    luma = np.array(_LUMA) / 1000
    cv = opencv()
    mean = bright * float(luma @ cv.mean(square)[:3])
    mixing = bright * contrast * (saturation * np.eye(3) + (1 - saturation) * luma)
    added = np.full((3, 1), (1 - contrast) * mean)
    coloured: Pixels = cv.transform(square, np.hstack([mixing, added]))
    return coloured


def _stored(square: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(square).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as stored:
        return np.asarray(stored)
