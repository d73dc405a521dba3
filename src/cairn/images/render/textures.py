"""Painted tiles of 128 x 128: how they are made and kept, and those that every scene uses."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Tile = npt.NDArray[np.uint8]
Atlas = npt.NDArray[np.uint32]
Colour = tuple[int, int, int]

TILE_PX = 128


DRAWN_PX = 256


class Palette(NamedTuple):
    """The colours of a building. Many landmarks share one, so colour alone never tells them apart."""

    wall: Colour
    trim: Colour
    roof: Colour
    accent: Colour


PALETTES = (
    Palette((214, 196, 164), (238, 228, 206), (146, 78, 58), (92, 62, 44)),
    Palette((188, 182, 172), (222, 218, 208), (84, 92, 104), (58, 66, 78)),
    Palette((172, 98, 76), (226, 210, 186), (78, 70, 72), (60, 48, 46)),
    Palette((232, 222, 204), (250, 246, 238), (94, 138, 124), (176, 142, 74)),
    Palette((206, 162, 108), (236, 214, 172), (122, 70, 48), (80, 54, 38)),
    Palette((150, 146, 142), (196, 192, 186), (70, 74, 82), (112, 92, 64)),
    Palette((224, 176, 148), (244, 226, 206), (116, 66, 62), (70, 92, 96)),
    Palette((202, 206, 204), (240, 242, 240), (62, 88, 116), (188, 152, 80)),
)


ATLAS_STRIDE = sum((TILE_PX >> level) ** 2 for level in range(4))


LEVEL_STARTS = np.cumsum([0] + [(TILE_PX >> level) ** 2 for level in range(3)])


def make_atlas(tiles: list[Tile]) -> Atlas:
    """All tiles, each in four sizes (128 to 16), one after another as packed RGBA numbers: [T * ATLAS_STRIDE]."""
    atlas = np.empty((len(tiles), ATLAS_STRIDE), dtype=np.uint32)
    for i, tile in enumerate(tiles):
        size: npt.NDArray[np.float32] = tile.astype(np.float32)
        for level in range(4):
            end = int(LEVEL_STARTS[level]) + (TILE_PX >> level) ** 2
            atlas[i, LEVEL_STARTS[level] : end] = (
                np.ascontiguousarray(size.astype(np.uint8)).view(np.uint32).ravel()
            )
            size = (
                size[::2, ::2] + size[1::2, ::2] + size[::2, 1::2] + size[1::2, 1::2]
            ) / np.float32(4)
    return atlas.ravel()


def shade(colour: Colour, factor: float) -> Colour:
    """The colour, darker (below 1) or lighter (above 1)."""
    red, green, blue = (int(min(255, max(0, part * factor))) for part in colour)
    return red, green, blue


def canvas(colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty tile of one colour, twice as large as it will be, and what draws on it."""
    picture = Image.new("RGB", (DRAWN_PX, DRAWN_PX), colour)
    return picture, ImageDraw.Draw(picture)


def finish(
    picture: Image.Image, rng: np.random.Generator, grain: float, glow: Image.Image | None = None
) -> Tile:
    """The tile, smaller and with stains and grain; alpha tells how much of a pixel can light up at night."""
    small = np.asarray(picture.reduce(DRAWN_PX // TILE_PX), dtype=np.float32)
    coarse = rng.normal(0, 1, (8, 8)).astype(np.float32)
    stains = np.asarray(Image.fromarray(np.tile(coarse, (3, 3))).resize((TILE_PX * 3, TILE_PX * 3)))
    stains = stains[TILE_PX : 2 * TILE_PX, TILE_PX : 2 * TILE_PX]
    fine = rng.normal(0, 1, (TILE_PX, TILE_PX)).astype(np.float32)
    rough = small * (1 + grain * (0.6 * stains + fine))[..., None]
    tile = np.zeros((TILE_PX, TILE_PX, 4), dtype=np.uint8)
    tile[..., :3] = np.clip(rough, 0, 255)
    if glow is not None:
        tile[..., 3] = np.asarray(glow.reduce(DRAWN_PX // TILE_PX))
    return tile


def _speckled(
    colour: Colour, spread: int, n_dots: int, size: tuple[int, int]
) -> Callable[..., Tile]:
    def paint(rng: np.random.Generator) -> Tile:
        picture, draw = canvas(colour)
        for _ in range(n_dots):
            x, y = rng.integers(0, DRAWN_PX, 2).tolist()
            radius = int(rng.integers(*size))
            tone = shade(colour, 1 + float(rng.normal(0, spread / 100)))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tone)
        return finish(picture.filter(ImageFilter.GaussianBlur(1)), rng, 0.05)

    return paint


def _paving(colour: Colour, rows: int) -> Callable[..., Tile]:
    def paint(rng: np.random.Generator) -> Tile:
        picture, draw = canvas(shade(colour, 0.8))
        step = DRAWN_PX // rows
        for row in range(rows):
            for column in range(-1, rows):
                left = column * step + (row % 2) * step // 2
                tone = shade(colour, 1 + float(rng.normal(0, 0.05)))
                draw.rectangle(
                    (left + 1, row * step + 1, left + step - 2, row * step + step - 2), fill=tone
                )
        return finish(picture, rng, 0.03)

    return paint


COMMON: dict[str, Callable[..., Tile]] = {
    "leaves": _speckled((74, 108, 50), 22, 900, (3, 9)),
    "blossom": _speckled((150, 132, 74), 20, 900, (3, 9)),
    "bark": _speckled((92, 74, 58), 14, 300, (2, 8)),
    "cloth": _speckled((170, 170, 170), 5, 80, (8, 30)),
    "grass": _speckled((88, 108, 56), 12, 700, (2, 7)),
    "gravel": _speckled((166, 154, 134), 8, 900, (2, 5)),
    "paving": _paving((168, 160, 150), 4),
    "setts": _paving((138, 134, 130), 10),
    "asphalt": _speckled((104, 104, 106), 6, 900, (1, 4)),
    "floor": _paving((150, 108, 70), 6),
}
