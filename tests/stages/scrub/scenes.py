"""Rendered scenes for tests of scrub, each made once, and what may be done to them."""

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from cairn.images.render.landmarks import invent_landmarks
from cairn.images.render.scene import render_scene

Pixels = npt.NDArray[np.uint8]
SIZE = (256, 192)


@lru_cache(maxsize=64)
def scene(number: int, *, view: int = 0) -> Pixels:
    """A photo of an invented landmark, 256 × 192; another `view` of it is another photo of the same."""
    landmark = invent_landmarks(number + 1, world="test")[number]
    pixels = np.asarray(render_scene([landmark], seed=view, size=SIZE), np.uint8)
    pixels.setflags(write=False)
    return pixels


def grey_of(pixels: Pixels) -> npt.NDArray[np.float32]:
    return np.asarray(Image.fromarray(pixels).convert("L"), np.float32)


def as_jpeg(pixels: Pixels, *, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decoded(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def recompressed(pixels: Pixels) -> Pixels:
    return decoded(as_jpeg(pixels, quality=30))


def smaller(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((width // 2, height // 2)))


def mirrored(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def cropped(pixels: Pixels) -> Pixels:
    """A third of the area is cut away."""
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(pixels[height // 8 :, : -width // 5])


def watermarked(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).text((20, 80), "A. PHOTOGRAPHER", fill=(255, 255, 255), font_size=24)
    return np.asarray(image)


EDITS = {
    "recompressed": recompressed,
    "smaller": smaller,
    "mirrored": mirrored,
    "cropped": cropped,
    "watermarked": watermarked,
}
