"""What is done to photos that are planted: copies, composites, and photos that are good for nothing."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

QUALITY = 90
MIN_SIDE_PX = 48
CROP_AREAS = (0.6, 0.9)
SIDE_BY_SIDE, ONE_ABOVE_THE_OTHER, INSET = "side by side", "one above the other", "inset"
LAYOUTS = (SIDE_BY_SIDE, ONE_ABOVE_THE_OTHER, INSET)
CORNER, TILED, BAR = "corner", "tiled", "bar"
_WORDS = ("photos4you", "© A. Traveller", "PREVIEW", "holiday-shots.example", "sample copy")


@dataclass(frozen=True)
class Edited:
    """The JPEG file of a planted photo; how it was made in a word and a number, see each function."""

    content: bytes
    variant: str = ""
    strength: float = 1.0


Edit = Callable[[Image.Image, np.random.Generator], Edited]


def recompressed(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image at JPEG quality 25 to 70 (the strength), colours at half resolution."""
    quality = int(rng.integers(25, 71))
    return Edited(jpeg(image, quality=quality), strength=quality)


def resized(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image at 30 to 80 % of its sides (the strength)."""
    share = float(rng.uniform(0.3, 0.8))
    return Edited(jpeg(_scaled(image, share)), strength=share)


def mirrored(image: Image.Image, rng: np.random.Generator) -> Edited:  # noqa: ARG001 - as all edits
    """The image as a mirror shows it."""
    return Edited(jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))


def cropped(image: Image.Image, rng: np.random.Generator) -> Edited:
    """60 to 90 % of the image's area (the strength), from any place, a little wider or higher than it was."""
    area = float(rng.uniform(*CROP_AREAS))
    wide = float(np.clip(math.sqrt(area) * math.exp(rng.uniform(-0.15, 0.15)), area, 1.0))
    width = max(1, round(wide * image.width))
    height = max(1, round(area / wide * image.height))
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return Edited(jpeg(image.crop((left, top, left + width, top + height))), strength=area)


def watermarked(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image under words: in a corner, tiled over all of it, or in a bar at the bottom; the strength is their opacity."""
    style = str(rng.choice([CORNER, TILED, BAR]))
    opacity = float(rng.uniform(0.35, 0.85))
    words = str(rng.choice(_WORDS))
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    _WATERMARKS[style](layer, words, round(255 * opacity))
    marked = Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
    return Edited(jpeg(marked, quality=85), variant=style, strength=opacity)


def _in_a_corner(layer: Image.Image, words: str, alpha: int) -> None:
    draw, font = _pen(layer, 0.06)
    left, top, right, bottom = draw.textbbox((0, 0), words, font=font)
    place = (layer.width - (right - left) - 8, layer.height - (bottom - top) - 12)
    draw.text(place, words, font=font, fill=(255, 255, 255, alpha))


def _over_all(layer: Image.Image, words: str, alpha: int) -> None:
    draw, font = _pen(layer, 0.05)
    right, bottom = draw.textbbox((0, 0), words, font=font)[2:]
    step_x, step_y = int(1.4 * right) + 1, int(3 * bottom) + 1
    for row, y in enumerate(range(0, layer.height, step_y)):
        for x in range(-(row % 2) * step_x // 2, layer.width, step_x):
            draw.text((x, y), words, font=font, fill=(255, 255, 255, alpha // 2))


def _in_a_bar(layer: Image.Image, words: str, alpha: int) -> None:
    draw, font = _pen(layer, 0.05)
    top = layer.height - round(0.1 * layer.height)
    draw.rectangle((0, top, layer.width, layer.height), fill=(0, 0, 0, alpha))
    draw.text((8, top + 3), words, font=font, fill=(255, 255, 255, 255))


_WATERMARKS = {CORNER: _in_a_corner, TILED: _over_all, BAR: _in_a_bar}


def _pen(
    layer: Image.Image, share: float
) -> tuple[ImageDraw.ImageDraw, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    size_px = max(10, round(share * max(layer.size)))
    return ImageDraw.Draw(layer), ImageFont.load_default(size_px)


def blurred(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image out of focus or moved; the strength is the radius, as a share of its longest side."""
    share = float(rng.uniform(0.008, 0.02))
    radius_px = share * max(image.size)
    if rng.random() < 0.5:
        seen = image.filter(ImageFilter.GaussianBlur(radius_px))
        return Edited(jpeg(seen), variant="out of focus", strength=share)
    return Edited(jpeg(_moved(image, 3 * radius_px, rng)), variant="moved", strength=share)


def _moved(image: Image.Image, length_px: float, rng: np.random.Generator) -> Image.Image:
    """The mean of the image over a straight path of this length."""
    angle = float(rng.uniform(0, math.pi))
    n_steps = max(2, math.ceil(length_px))
    total = np.zeros((image.height, image.width, 3), np.float32)
    for step in np.linspace(-length_px / 2, length_px / 2, n_steps):
        shift = (1, 0, step * math.cos(angle), 0, 1, step * math.sin(angle))
        seen = image.transform(image.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
        total += np.asarray(seen, np.float32)
    # What came from outside the image is black.
    edge = math.ceil(length_px / 2)
    kept = (
        total[edge : image.height - edge, edge : image.width - edge]
        if 2 * edge < min(image.size)
        else total
    )
    return Image.fromarray((kept / n_steps).astype(np.uint8))


def dark(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image with 4 to 15 % of its light (the strength), and the noise of a small exposure."""
    share = float(rng.uniform(0.04, 0.15))
    lit = np.asarray(image, np.float32) * share
    lit += rng.normal(0, 1.5, lit.shape)
    return Edited(jpeg(Image.fromarray(lit.clip(0, 255).astype(np.uint8))), strength=share)


def blank(image: Image.Image, rng: np.random.Generator) -> Edited:
    """A photo of the image's size that shows nothing: one colour, a soft gradient, or one colour with noise."""
    variant = str(rng.choice(["one colour", "gradient", "noise"]))
    colour = rng.uniform(60, 250, 3)
    pixels = np.broadcast_to(colour, (image.height, image.width, 3)).copy()
    if variant == "gradient":
        pixels *= np.linspace(1.0, rng.uniform(0.75, 0.95), image.height)[:, None, None]
    if variant == "noise":
        pixels += rng.normal(0, rng.uniform(1, 4), pixels.shape)
    return Edited(jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8))), variant=variant)


def composite(
    main: Image.Image, other: Image.Image, layout: str, rng: np.random.Generator
) -> Edited:
    """Both images in one; the strength is the share of the area that `other` takes."""
    joined, share = _LAYOUTS[layout](main, other, rng)
    longest = max(*main.size, *other.size) * rng.uniform(1.0, 1.5)
    if max(joined.size) > longest:
        joined = _scaled(joined, longest / max(joined.size))
    return Edited(jpeg(joined), variant=layout, strength=share)


def _side_by_side(
    main: Image.Image,
    other: Image.Image,
    rng: np.random.Generator,  # noqa: ARG001 - as all layouts
) -> tuple[Image.Image, float]:
    height = min(main.height, other.height)
    left, right = (_scaled(one, height / one.height) for one in (main, other))
    joined = Image.new("RGB", (left.width + right.width, height))
    joined.paste(left, (0, 0))
    joined.paste(right, (left.width, 0))
    return joined, right.width / joined.width


def _one_above_the_other(
    main: Image.Image,
    other: Image.Image,
    rng: np.random.Generator,  # noqa: ARG001 - as all layouts
) -> tuple[Image.Image, float]:
    width = min(main.width, other.width)
    upper, lower = (_scaled(one, width / one.width) for one in (main, other))
    joined = Image.new("RGB", (width, upper.height + lower.height))
    joined.paste(upper, (0, 0))
    joined.paste(lower, (0, upper.height))
    return joined, lower.height / joined.height


def _inset(
    main: Image.Image, other: Image.Image, rng: np.random.Generator
) -> tuple[Image.Image, float]:
    joined = main.copy()
    share = rng.uniform(0.35, 0.5)
    times = share * min(main.width / other.width, main.height / other.height)
    small = _scaled(other, times)
    at = [
        int(rng.integers(0, 2)) * (whole - part)
        for whole, part in zip(main.size, small.size, strict=True)
    ]
    joined.paste(small, (at[0], at[1]))
    return joined, small.width * small.height / (main.width * main.height)


_LAYOUTS = {SIDE_BY_SIDE: _side_by_side, ONE_ABOVE_THE_OTHER: _one_above_the_other, INSET: _inset}


def _scaled(image: Image.Image, times: float) -> Image.Image:
    times = max(times, MIN_SIDE_PX / min(image.size)) if times < 1 else times
    size_px = (max(1, round(image.width * times)), max(1, round(image.height * times)))
    return image.resize(size_px, Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, *, quality: int = QUALITY) -> bytes:
    """A JPEG file of the image, colours at half resolution, as cameras and hosts write them."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()
