"""Photos that are no photos of a place: too small, far too long, and drawings; planted as edits.py plants others."""

import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from cairn.bench.edits import Edited, jpeg

SMALL_SIDES_PX = (40, 110)
STRIP_ASPECTS = (3.2, 4.5)
TRACED, PLAN, SIGN = "traced", "plan", "sign"
_PAPERS = ((255, 255, 255), (250, 246, 235), (236, 240, 244))
_SIGN_COLOURS = ((20, 70, 140), (10, 110, 60), (120, 60, 20), (180, 30, 30))
_N_COLOURS = 5
_WORDS = ("Museum 300 m", "Car park", "Ticket office", "Old bridge", "No entry", "Way out")


def small(image: Image.Image, rng: np.random.Generator) -> Edited:
    """The image with a shorter side of 40 to 110 px (the strength), as a thumbnail of somebody else."""
    side_px = int(rng.integers(*SMALL_SIDES_PX))
    times = side_px / min(image.size)
    size_px = (max(1, round(image.width * times)), max(1, round(image.height * times)))
    return Edited(jpeg(image.resize(size_px, Image.Resampling.LANCZOS)), strength=side_px)


def strip(image: Image.Image, rng: np.random.Generator) -> Edited:
    """A cut from one end of the image to the other, 3.2 to 4.5 times as long as wide (the strength)."""
    aspect = float(rng.uniform(*STRIP_ASPECTS))
    length = max(image.size)
    width = max(1, math.floor(length / aspect))
    start = int(rng.integers(0, max(1, min(image.size) - width + 1)))
    is_wide = image.width >= image.height
    box = (0, start, length, start + width) if is_wide else (start, 0, start + width, length)
    return Edited(jpeg(image.crop(box)), strength=aspect)


def drawing(image: Image.Image, rng: np.random.Generator) -> Edited:
    """A drawing of the image's size: the image traced in few flat colours, a plan of rooms, or a sign with words."""
    variant = str(rng.choice([TRACED, PLAN, SIGN]))
    return Edited(jpeg(_DRAWINGS[variant](image, rng)), variant=variant)


def _traced(image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001 - as all drawings
    smooth = image.filter(ImageFilter.MedianFilter(7)).filter(ImageFilter.MedianFilter(7))
    flat = smooth.quantize(_N_COLOURS, dither=Image.Dither.NONE).convert("RGB")
    flat = flat.filter(ImageFilter.ModeFilter(9))
    edges = (
        flat.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda grey: 0 if grey > 8 else 255)
    )
    return ImageChops.darker(flat, edges.convert("RGB"))


def _plan(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rooms in rooms, with doors and a word here and there."""
    sheet = Image.new("RGB", image.size, tuple(rng.choice(_PAPERS).tolist()))
    draw = ImageDraw.Draw(sheet)
    margin = round(0.08 * min(image.size))
    font = ImageFont.load_default(max(10, round(0.03 * max(image.size))))

    def divide(left: int, top: int, right: int, bottom: int, depth: int) -> None:
        draw.rectangle((left, top, right, bottom), outline=(20, 20, 20), width=3 if depth else 2)
        if depth == 0 or min(right - left, bottom - top) < 3 * margin:
            if rng.random() < 0.5:
                draw.text(
                    (left + 6, top + 5), str(rng.integers(1, 60)), font=font, fill=(20, 20, 20)
                )
            return
        at = rng.uniform(0.3, 0.7)
        if right - left > bottom - top:
            middle = round(left + at * (right - left))
            divide(left, top, middle, bottom, depth - 1)
            divide(middle, top, right, bottom, depth - 1)
        else:
            middle = round(top + at * (bottom - top))
            divide(left, top, right, middle, depth - 1)
            divide(left, middle, right, bottom, depth - 1)

    divide(margin, margin, image.width - margin, image.height - margin, 4)
    return sheet


def _sign(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Words and an arrow on a plate of one colour."""
    sheet = Image.new("RGB", image.size, tuple(rng.choice(_SIGN_COLOURS).tolist()))
    draw = ImageDraw.Draw(sheet)
    inset = round(0.04 * min(image.size))
    frame = (inset, inset, image.width - inset, image.height - inset)
    draw.rectangle(frame, outline=(255, 255, 255), width=max(2, inset // 3))
    font = ImageFont.load_default(max(12, round(0.08 * image.width)))
    for row, word in enumerate(rng.permutation(_WORDS)[:3].tolist()):
        top = round((0.2 + 0.22 * row) * image.height)
        draw.text((3 * inset, top), word, font=font, fill=(255, 255, 255))
    tip = (image.width - 3 * inset, image.height // 2)
    size = round(0.08 * min(image.size))
    draw.polygon(
        [tip, (tip[0] - size, tip[1] - size), (tip[0] - size, tip[1] + size)], fill=(255, 255, 255)
    )
    return sheet


_DRAWINGS = {TRACED: _traced, PLAN: _plan, SIGN: _sign}
