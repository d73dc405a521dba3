"""The picture that explains an answer: the photo, the gallery photos that speak for it, and the points that agree."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cairn.records.recognitions import Candidate, Evidence, Recognition

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

_PHOTO_PX, _EVIDENCE_PX = 760, 250
_GAP, _LINE, _TEXT_PX, _TITLE_PX = 28, 20, 15, 22
_PAPER, _INK, _FAINT = (250, 249, 246), (28, 32, 38), (104, 112, 122)
_REGION, _POINT = (0, 122, 204), (255, 255, 255)
# So many lines can still be told apart.
_MOST_LINES = 60
_MOST_LETTERS = 34


@dataclass(frozen=True)
class _Placed:
    """A photo on the sheet: where its left upper corner is, and pixels of the sheet for each of its own."""

    left: float
    top: float
    scale: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale


def explained(
    answer: Recognition, photo: Pixels, thumbnail: Callable[[str], bytes | None]
) -> bytes:
    """A PNG: the photo, the evidence of its best candidate, and a line for each pair of points that agree.

    photo: uint8 [H, W, 3], upright, in its full size. thumbnail: a small JPEG of a gallery image; None: there is none.
    """
    best = answer.landmarks[0] if answer.landmarks else None
    evidence = [] if best is None else _with_pictures(best, thumbnail)
    high, wide = photo.shape[:2]
    scale = _PHOTO_PX / max(high, wide)
    rows = [(one, picture, _fitted(picture)) for one, picture in evidence]
    column = sum(round(picture.height * factor) + 3 * _LINE + 14 for _, picture, factor in rows)
    top = 2 * _GAP + _TITLE_PX + _LINE
    sheet = Image.new(
        "RGB",
        (round(wide * scale) + 3 * _GAP + _GAP + _EVIDENCE_PX, top + max(round(high * scale), column) + _GAP),
        _PAPER,
    )  # fmt: skip
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), _title(answer, best), fill=_INK, font=_font(_TITLE_PX))
    draw.text((_GAP, _GAP + _TITLE_PX + 8), _because(answer, best), fill=_FAINT, font=_font(_TEXT_PX))  # fmt: skip
    whole = _Placed(_GAP, top, scale)
    _paste(sheet, Image.fromarray(photo), whole)
    if best is not None and best.region is not None:
        box = best.region
        corners = (*whole.at(box.left, box.top), *whole.at(box.right, box.bottom))
        draw.rectangle(corners, outline=_REGION, width=3)
    at = float(top)
    for place, (one, picture, factor) in enumerate(rows):
        mine = _Placed(_GAP * 3 + round(wide * scale), at, factor)
        _paste(sheet, picture, mine)
        below = at + picture.height * factor + 4
        for line, words in enumerate(_caption(one)):
            draw.text((mine.left, below + line * _LINE), words, fill=_FAINT, font=_font(_TEXT_PX))
        _lines(draw, one, picture, whole, mine, place)
        at = below + 3 * _LINE + 10
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _with_pictures(
    best: Candidate, thumbnail: Callable[[str], bytes | None]
) -> list[tuple[Evidence, Image.Image]]:
    found = [(one, thumbnail(one.image_id)) for one in best.evidence]
    return [
        (one, Image.open(io.BytesIO(jpeg)).convert("RGB"))
        for one, jpeg in found
        if jpeg is not None
    ]


def _fitted(picture: Image.Image) -> float:
    return _EVIDENCE_PX / max(picture.size)


def _paste(sheet: Image.Image, picture: Image.Image, where: _Placed) -> None:
    size = (max(1, round(picture.width * where.scale)), max(1, round(picture.height * where.scale)))
    sheet.paste(
        picture.resize(size, Image.Resampling.LANCZOS), (round(where.left), round(where.top))
    )


def _lines(
    draw: ImageDraw.ImageDraw, one: Evidence, picture: Image.Image, whole: _Placed, mine: _Placed, place: int
) -> None:  # fmt: skip
    if one.size_px is None:
        return
    # A thumbnail has fewer pixels than the image whose points were matched.
    shrunk = mine.scale * max(picture.size) / max(one.size_px)
    there = _Placed(mine.left, mine.top, shrunk)
    step = max(1, -(-len(one.matched_points) // _MOST_LINES))
    for number, (x, y, gallery_x, gallery_y) in enumerate(one.matched_points[::step]):
        start, end = whole.at(x, y), there.at(gallery_x, gallery_y)
        colour = _colour(place, number)
        draw.line((*start, *end), fill=colour, width=1)
        for point in (start, end):
            around = (point[0] - 3, point[1] - 3, point[0] + 3, point[1] + 3)
            draw.ellipse(around, fill=colour, outline=_POINT)


def _colour(place: int, number: int) -> tuple[int, int, int]:
    """One hue for each gallery photo, lighter and darker from line to line so that they can be followed."""
    hues = ((214, 82, 38), (0, 128, 110), (124, 76, 190), (176, 128, 0))
    light = (0.85, 1.0, 1.15)[number % 3]
    red, green, blue = (min(255, round(part * light)) for part in hues[place % len(hues)])
    return red, green, blue


def _title(answer: Recognition, best: Candidate | None) -> str:
    if best is None:
        return "no landmark"
    said = best.name if best.landmark_id in answer.answers else f"none; perhaps {best.name}"
    return f"{said}   {best.probability:.2f}"


def _because(answer: Recognition, best: Candidate | None) -> str:
    if best is None:
        return answer.error or "no candidate was found"
    matching = [one for one in best.evidence if one.matched_points]
    n_points = sum(len(one.matched_points) for one in matching)
    if matching:
        photos = "one gallery photo" if len(matching) == 1 else f"{len(matching)} gallery photos"
        return f"{n_points} points agree with {photos}"
    return "alike as a whole; no points agree for sure"


def _caption(one: Evidence) -> list[str]:
    agree = "not matched" if one.inliers is None else f"{one.inliers} points agree"
    rights = ", ".join(part for part in (one.author, one.licence) if part)
    lines = [agree, one.image_id, rights]
    return [
        line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 1]}…" for line in lines
    ]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
