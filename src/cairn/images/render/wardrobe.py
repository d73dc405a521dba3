"""What one building may wear: textures for its walls, trim, roof, clocks and doors."""

from typing import NamedTuple

import numpy as np

from cairn.images.render.facades import MASONRY, WINDOWS, clock, door, glazing, roof, rose, wall
from cairn.images.render.shapes import Look
from cairn.images.render.textures import PALETTES, Tile, shade


class Wardrobe(NamedTuple):
    """What one building may wear. `tiles` are its textures; a Look's number counts within them."""

    tiles: list[Tile]
    walls: Look
    upper: Look
    plain: Look
    trim: Look
    roof: Look
    glass: Look
    clock: Look
    rose: Look
    door: Look


def dress(rng: np.random.Generator) -> Wardrobe:
    """Textures for one building: a palette that others share, and stone, windows and roof of its own."""
    palette = PALETTES[int(rng.integers(len(PALETTES)))]
    masonry, style, second = (str(rng.choice(names)) for names in (MASONRY, WINDOWS, WINDOWS))
    trim = palette._replace(wall=palette.trim)
    copper = (116, 158, 138) if rng.random() < 0.2 else palette.roof
    gold = (206, 164, 72) if rng.random() < 0.2 else copper
    tiles = [
        wall(palette, rng, masonry=masonry, window=style),
        wall(palette, rng, masonry=masonry, window=second),
        wall(palette._replace(trim=shade(palette.wall, 0.92)), rng, masonry=masonry, window=None),
        wall(trim, rng, masonry="plaster", window=None),
        roof(gold, rng),
        glazing(palette, rng),
        clock(palette, rng),
        rose(palette, rng),
        door(palette, rng),
    ]
    bay, storey = float(rng.uniform(2.2, 4.6)), float(rng.uniform(3.0, 5.2))
    once = (0.0, 0.0)
    sizes = [
        (bay, storey),
        (bay * 1.2, storey * 1.3),
        (4.0, 4.0),
        (3.0, 3.0),
        (4.0, 4.0),
        (bay, storey),
    ]
    looks = [Look(i, size) for i, size in enumerate([*sizes, once, once, once])]
    return Wardrobe(tiles, *looks)
