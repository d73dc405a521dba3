"""Painted tiles of one building: walls with windows, roofs, glass, clocks, rose windows, doors."""

import numpy as np
from PIL import Image, ImageDraw

from cairn.images.render.textures import DRAWN_PX, Colour, Palette, Tile, canvas, finish, shade


def _masonry(
    kind: str, colour: Colour, rng: np.random.Generator
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A wall without openings: plaster, brick, stone courses or stripes."""
    picture, draw = canvas(colour)
    rows = {"plaster": 0, "brick": 16, "stone": 6, "stripes": 4}[kind]
    step = DRAWN_PX // rows if rows else 0
    joint = shade(colour, 0.72)
    for row in range(rows):
        if kind == "stripes":
            draw.rectangle(
                (0, row * step, DRAWN_PX, row * step + step // 2 - 1), fill=shade(colour, 0.62)
            )
            continue
        wide = step * 2
        for column in range(-1, DRAWN_PX // wide + 1):
            left = column * wide + (row % 2) * wide // 2
            tone = shade(colour, 1 + float(rng.normal(0, 0.06)))
            draw.rectangle(
                (left, row * step, left + wide - 1, row * step + step - 1), fill=tone, outline=joint
            )
    return picture, draw


MASONRY = ("plaster", "plaster", "brick", "stone", "stone", "stripes")


WINDOWS = (
    "plain",
    "arched",
    "pointed",
    "pair",
    "round",
    "shutters",
    "cross",
    "band",
    "tall",
    "niche",
)


def wall(palette: Palette, rng: np.random.Generator, *, masonry: str, window: str | None) -> Tile:
    """One bay of one storey: masonry, and a window of the style named, drawn with this wall's own proportions."""
    picture, draw = _masonry(masonry, palette.wall, rng)
    glow = Image.new("L", picture.size, 0)
    if rng.random() < 0.6:
        draw.rectangle((0, 0, DRAWN_PX, int(rng.integers(8, 26))), fill=palette.trim)
    if rng.random() < 0.3:
        draw.rectangle((0, 0, int(rng.integers(12, 34)), DRAWN_PX), fill=shade(palette.trim, 0.94))
    if window is not None:
        _window(draw, ImageDraw.Draw(glow), palette, rng, window)
    return finish(picture, rng, 0.025, glow)


def _window(
    draw: ImageDraw.ImageDraw,
    lamp: ImageDraw.ImageDraw,
    palette: Palette,
    rng: np.random.Generator,
    style: str,
) -> None:
    half = int(rng.integers(34, 62))
    top, bottom = int(rng.integers(44, 80)), int(rng.integers(190, 226))
    glass = [(44, 54, 66), (64, 76, 88), (36, 38, 44), (82, 96, 104)][int(rng.integers(4))]
    edge = int(rng.integers(5, 14))
    if style == "tall":
        half, top, bottom = half * 2 // 3, 26, 246
    if style == "band":
        half, top, bottom = 128, 76, 190
    if style == "shutters":
        for side in (-1, 1):
            x = 128 + side * (half + 22)
            draw.rectangle(
                (x - 20, top, x + 20, bottom),
                fill=palette.accent,
                outline=shade(palette.accent, 0.7),
            )
    middles = [(128 - half * 2 // 3 - 6, half // 2), (128 + half * 2 // 3 + 6, half // 2)]
    for middle, wide in middles if style == "pair" else [(128, half)]:
        kind = "arched" if style in ("pair", "niche") else style
        inside = shade(palette.wall, 0.6) if style == "niche" else glass
        _opening(draw, kind, (middle, wide + edge, top - edge, bottom + edge), palette.trim)
        _opening(draw, kind, (middle, wide, top, bottom), inside)
        if style != "niche":
            _opening(lamp, kind, (middle, wide, top, bottom), 255)
            _bars(draw, lamp, rng, (middle, wide, top, bottom), palette)
    if rng.random() < 0.7 and style not in ("round", "band"):
        draw.rectangle(
            (120 - half - edge, bottom + edge, 136 + half + edge, bottom + edge + 10),
            fill=shade(palette.trim, 0.85),
        )


def _bars(
    draw: ImageDraw.ImageDraw,
    lamp: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    place: tuple[int, int, int, int],
    palette: Palette,
) -> None:
    middle, wide, top, bottom = place
    for i in range(1, int(rng.integers(1, 4))):
        x = middle - wide + 2 * wide * i // 3
        draw.rectangle((x - 2, top, x + 2, bottom), fill=palette.trim)
        lamp.rectangle((x - 2, top, x + 2, bottom), fill=0)
    for i in range(1, int(rng.integers(1, 5))):
        y = top + (bottom - top) * i // 4
        draw.rectangle((middle - wide, y - 2, middle + wide, y + 2), fill=palette.trim)
        lamp.rectangle((middle - wide, y - 2, middle + wide, y + 2), fill=0)


def _opening(
    draw: ImageDraw.ImageDraw, style: str, place: tuple[int, int, int, int], fill: Colour | int
) -> None:
    middle, wide, top, bottom = place
    if style == "round":
        centre = (top + bottom) // 2
        draw.ellipse((middle - wide, centre - wide, middle + wide, centre + wide), fill=fill)
    elif style == "arched":
        draw.rectangle((middle - wide, top + wide, middle + wide, bottom), fill=fill)
        draw.pieslice((middle - wide, top, middle + wide, top + 2 * wide), 180, 360, fill=fill)
    elif style == "pointed":
        points = [
            (middle - wide, bottom),
            (middle - wide, top + wide),
            (middle - wide * 3 // 5, top + wide // 3),
        ]
        points += [(middle, top - wide // 4), (middle + wide * 3 // 5, top + wide // 3)]
        draw.polygon([*points, (middle + wide, top + wide), (middle + wide, bottom)], fill=fill)
    elif style == "cross":
        thin = max(wide // 3, 6)
        draw.rectangle((middle - thin, top, middle + thin, bottom), fill=fill)
        draw.rectangle((middle - wide, top + 40, middle + wide, top + 40 + 2 * thin), fill=fill)
    else:
        draw.rectangle((middle - wide, top, middle + wide, bottom), fill=fill)


def roof(colour: Colour, rng: np.random.Generator) -> Tile:
    """Rows of roof tiles, slates or standing seams."""
    picture, draw = canvas(colour)
    rows = int(rng.choice([6, 8, 10]))
    step = DRAWN_PX // rows
    style = int(rng.integers(3))
    for row in range(rows + 1):
        for column in range(-1, rows + 1):
            left = column * step + (row % 2) * step // 2 * (style != 1)
            tone = shade(colour, 1 + float(rng.normal(0, 0.08)))
            box = (left, row * step, left + step, row * step + step)
            if style == 0:
                draw.ellipse(
                    (box[0], box[1] - step // 2, box[2], box[3]),
                    fill=tone,
                    outline=shade(colour, 0.7),
                )
            elif style == 1:
                draw.rectangle((box[0], box[1], box[0] + 4, box[3]), fill=shade(colour, 0.75))
            else:
                draw.rectangle(box, fill=tone, outline=shade(colour, 0.75))
    return finish(picture, rng, 0.03)


def glazing(palette: Palette, rng: np.random.Generator) -> Tile:
    """A curtain wall: panes that mirror a bit of sky, in a grid of this building's own."""
    tone = [(86, 116, 138), (70, 94, 110), (110, 134, 140), (126, 112, 92)][int(rng.integers(4))]
    picture, draw = canvas(shade(tone, 0.9))
    glow = Image.new("L", picture.size, 0)
    columns, rows = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    edge = int(rng.integers(3, 12))
    for column in range(columns):
        for row in range(rows):
            box = (
                column * 256 // columns + edge,
                row * 256 // rows + edge,
                (column + 1) * 256 // columns - edge,
                (row + 1) * 256 // rows - edge,
            )
            draw.rectangle(box, fill=shade(tone, float(rng.uniform(0.85, 1.3))))
            ImageDraw.Draw(glow).rectangle(box, fill=200)
    for row in range(rows + 1):
        draw.rectangle(
            (0, row * 256 // rows - edge, 256, row * 256 // rows + edge), fill=palette.trim
        )
    return finish(picture, rng, 0.012, glow)


def clock(palette: Palette, rng: np.random.Generator) -> Tile:
    """A clock face with its hands at some hour, or a rose window, on one tile."""
    picture, draw = canvas(palette.trim)
    glow = Image.new("L", picture.size, 0)
    face = (238, 234, 222) if rng.random() < 0.6 else shade(palette.accent, 0.7)
    ink = (40, 38, 40) if face[0] > 150 else (236, 214, 150)
    draw.ellipse((20, 20, 236, 236), fill=face, outline=palette.accent, width=10)
    ImageDraw.Draw(glow).ellipse((20, 20, 236, 236), fill=160)
    for hour in range(12):
        angle = hour * np.pi / 6
        x, y = 128 + 86 * np.sin(angle), 128 - 86 * np.cos(angle)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=ink)
    for length, wide in ((52, 10), (80, 6)):
        angle = float(rng.uniform(0, 2 * np.pi))
        draw.line(
            (128, 128, 128 + length * np.sin(angle), 128 - length * np.cos(angle)),
            fill=ink,
            width=wide,
        )
    return finish(picture, rng, 0.01, glow)


def rose(palette: Palette, rng: np.random.Generator) -> Tile:
    """A rose window with this landmark's own number of petals."""
    picture, draw = canvas(palette.trim)
    glow = Image.new("L", picture.size, 0)
    draw.ellipse((8, 8, 248, 248), fill=shade(palette.trim, 0.6))
    draw.ellipse((20, 20, 236, 236), fill=shade(palette.trim, 0.85))
    petals = int(rng.integers(5, 13))
    tones = [(52, 70, 112), (104, 48, 58), (56, 88, 74), (138, 108, 56)]
    for i in range(petals):
        for reach, size in ((80, 170 // petals + 4), (44, 90 // petals + 2)):
            angle = 2 * np.pi * i / petals
            x, y = 128 + reach * np.sin(angle), 128 - reach * np.cos(angle)
            draw.ellipse(
                (x - size, y - size, x + size, y + size),
                fill=tones[(i + reach) % 4],
                outline=(60, 56, 54),
            )
            ImageDraw.Draw(glow).ellipse((x - size, y - size, x + size, y + size), fill=220)
    draw.ellipse((106, 106, 150, 150), fill=tones[petals % 4])
    return finish(picture, rng, 0.015, glow)


def door(palette: Palette, rng: np.random.Generator) -> Tile:
    """A portal: arched, pointed or square, in its frame."""
    picture, draw = canvas(palette.trim)
    style = str(rng.choice(["arched", "pointed", "plain"]))
    wood = shade(palette.accent, float(rng.uniform(0.6, 1.0)))
    for edge, fill in ((96, shade(palette.wall, 0.85)), (84, shade(palette.trim, 0.9)), (72, wood)):
        _opening(draw, style, (128, edge, 128 - edge, 256), fill)
    draw.line((128, 60, 128, 256), fill=shade(wood, 0.5), width=5)
    return finish(picture, rng, 0.02)
