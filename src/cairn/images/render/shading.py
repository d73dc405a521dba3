"""From seen faces to colours: textures, sun and shadow, light from the sky, haze."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.images.render.raster import (
    Faces,
    Ids,
    Piece,
    Shades,
    View,
    box,
    gather,
    look_at,
    paint_numbers,
)
from cairn.images.render.shapes import Floats
from cairn.images.render.textures import ATLAS_STRIDE, LEVEL_STARTS, TILE_PX, Atlas

Places = npt.NDArray[np.intp]

_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2
# So many pixels at a time keep the arrays small: a fifth faster than the whole photo at once.
_CHUNK_PX = 8192


@dataclass(frozen=True)
class Shine:
    """How a scene is lit. Colours are linear light, RGB."""

    sun: Floats
    sun_colour: Floats
    sky_colour: Floats
    bounce_colour: Floats
    haze_colour: Floats
    haze_m: float
    flood: float = 0.0
    lamps: float = 0.0


@dataclass(frozen=True)
class Ground:
    """Two floors: one within `reach` metres of the middle, another beyond; each a texture and its tile in metres."""

    near: int
    near_tile: float
    far: int
    far_tile: float
    reach: float


@dataclass(frozen=True)
class Scene:
    """All that a camera needs: what stands where, who looks, and how it is lit."""

    pieces: list[Piece]
    view: View
    shine: Shine
    ground: Ground
    atlas: Atlas


@dataclass(frozen=True)
class _Lit:
    """What each face [F] gives and gets, made once for a photo."""

    faces: Faces
    levels: Places
    heights: Shades
    sky: Shades
    sun: Shades
    flood: Shades
    is_facing: npt.NDArray[np.bool_]
    lean: Shades
    cover: Places
    cover_axes: Shades
    cover_middle: Shades
    cover_px: int


def shade_pixels(
    numbers: Ids, levels: Places, scene: Scene, *, rng: np.random.Generator
) -> tuple[Places, npt.NDArray[np.uint8]]:
    """The flat places of the pixels that need a colour of their own and are not sky, and their colours [P, 4].

    Where all four pixels of a 2 x 2 block show one face, only those on its diagonal do: `spread` fills the others.
    """
    view = scene.view
    wide, high = view.size
    lit = _prepare(scene, levels)
    x = (np.arange(wide, dtype=np.float32) + 0.5 - wide / 2) / np.float32(view.scale)
    y = (high / 2 - np.arange(high, dtype=np.float32) - 0.5) / np.float32(view.scale)
    axes = view.axes.astype(np.float32)
    down = axes[2, 2] + x[None, :] * axes[0, 2] + y[:, None] * axes[1, 2]
    wanted = (numbers > 0) | (down < -view.eye[2] / 1500.0)
    plain = _plain_blocks(numbers)
    wanted[::2, 1::2] &= ~plain
    wanted[1::2, ::2] &= ~plain
    places = np.flatnonzero(wanted)
    ids = numbers.ravel()[places].astype(np.intp)
    colours = np.full((len(places), 4), 255, dtype=np.uint8)
    for start in range(0, len(places), _CHUNK_PX):
        some = places[start : start + _CHUNK_PX]
        across, upward = x.take(some % wide), y.take(some // wide)
        rays = [axes[2, k] + across * axes[0, k] + upward * axes[1, k] for k in range(3)]
        seen = ids[start : start + len(some)]
        colours[start : start + len(some), :3] = _shade(lit, seen, rays, scene, rng)
    return places, colours


def spread(frame: npt.NDArray[np.uint32], numbers: Ids) -> None:
    """Fills the pixels off the diagonal of each 2 x 2 block that shows one face only, in place."""
    plain = _plain_blocks(numbers)
    np.copyto(frame[::2, 1::2], frame[::2, ::2], where=plain)
    np.copyto(frame[1::2, ::2], frame[1::2, 1::2], where=plain)


def _plain_blocks(numbers: Ids) -> npt.NDArray[np.bool_]:
    first = numbers[::2, ::2]
    blocks: npt.NDArray[np.bool_] = first == numbers[1::2, 1::2]
    blocks &= (first == numbers[::2, 1::2]) & (first == numbers[1::2, ::2])
    return blocks


def _prepare(scene: Scene, levels: Places) -> _Lit:
    pieces, view, shine = scene.pieces, scene.view, scene.shine
    faces = gather(pieces)
    sun = shine.sun.astype(np.float32)
    ahead = faces.normals @ sun
    facing = np.where(faces.soft, np.float32(0.45), np.maximum(ahead, 0))
    upward = np.where(faces.soft, np.float32(0.75), (faces.normals[:, 2] + 1) / 2)[:, None]
    tints = faces.tints**2
    flood = np.array([1.0, 0.78, 0.5]) * shine.flood * (1 - 0.8 * faces.soft[:, None]) * tints
    flood[0] = 0.0
    boxes = [box(piece) for piece in pieces]
    low, high = (
        np.min([corners[0] for corners in boxes], axis=0),
        np.max([corners[1] for corners in boxes], axis=0),
    )
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    above = middle + shine.sun * 4000
    cover_px = max(view.size)
    scale = cover_px / 2 / reach
    shadow_view = View(above, look_at(above, middle), scale, (cover_px, cover_px), is_parallel=True)
    cover, _ = paint_numbers(pieces, shadow_view, shadows=True)
    return _Lit(
        faces=faces,
        levels=levels,
        heights=faces.offsets - faces.normals @ view.eye.astype(np.float32),
        sky=((shine.sky_colour * upward + shine.bounce_colour * (1 - upward)) * tints).astype(
            np.float32
        ),
        sun=(facing[:, None] * shine.sun_colour * tints).astype(np.float32),
        flood=flood.astype(np.float32),
        is_facing=(facing > 0) & ~faces.soft,
        lean=np.where(np.abs(ahead) < 1e-3, np.float32(1e-3), ahead),
        cover=cover.ravel().astype(np.intp),
        cover_axes=shadow_view.axes.astype(np.float32) * np.float32(scale),
        cover_middle=middle.astype(np.float32),
        cover_px=cover_px,
    )


def _shade(
    lit: _Lit, ids: Places, rays: list[Shades], scene: Scene, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    view, shine = scene.view, scene.shine
    normals = lit.faces.normals
    slope = (
        normals[:, 0].take(ids) * rays[0]
        + normals[:, 1].take(ids) * rays[1]
        + normals[:, 2].take(ids) * rays[2]
    )
    slope[np.abs(slope) < 1e-6] = 1e-6
    # A pixel at the rim of a face seen on edge may lie off its plane; any near distance will do for it.
    distance = np.clip(lit.heights.take(ids) / slope, 0.1, 3000.0)
    points = [np.float32(view.eye[k]) + distance * rays[k] for k in range(3)]
    texels, is_on = _texels(lit, ids, points, distance / np.float32(view.scale), scene)
    colour = _LINEAR.take(texels[:, :3]) * _light(lit, ids, points, shine, rng)
    if shine.lamps > 0:
        glow = texels[:, 3] * is_on * np.float32(1 / 255)
        colour += glow[:, None] * np.array([1.5, 1.05, 0.45], dtype=np.float32)
    clear = np.exp(distance * np.float32(-1 / shine.haze_m))[:, None]
    colour = colour * clear + (1 - clear) * shine.haze_colour.astype(np.float32)
    bright: Shades = np.minimum(np.sqrt(colour), 1.0) * 255
    return bright.astype(np.uint8)


def _texels(
    lit: _Lit, ids: Places, points: list[Shades], pixel_m: Shades, scene: Scene
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Texture colours [P, 4], and whether the window a pixel belongs to is lit [P]."""
    ground = scene.ground
    u, v = (
        table[:, 0].take(ids) * points[0]
        + table[:, 1].take(ids) * points[1]
        + table[:, 2].take(ids) * points[2]
        + table[:, 3].take(ids)
        for table in (lit.faces.across, lit.faces.up)
    )
    texture, level = lit.faces.textures.take(ids), lit.levels.take(ids)
    floor = np.flatnonzero(ids == 0)
    if len(floor):
        x, y = points[0][floor], points[1][floor]
        is_near = x * x + y * y < ground.reach**2
        tile = np.where(is_near, np.float32(ground.near_tile), np.float32(ground.far_tile))
        u[floor], v[floor] = x / tile, y / tile
        texture[floor] = np.where(is_near, ground.near, ground.far)
        # The floor is seen at a slant, so it is sampled coarser than its distance alone would ask.
        fine = np.log2(np.maximum(pixel_m[floor] * 2.5 * TILE_PX / tile, 1.0))
        level[floor] = np.minimum(fine, 3).astype(np.intp)
    size = TILE_PX >> level
    whole_u, whole_v = np.floor(u), np.floor(v)
    column = ((u - whole_u) * size).astype(np.intp) & (size - 1)
    row = size - 1 - (((v - whole_v) * size).astype(np.intp) & (size - 1))
    place = texture * ATLAS_STRIDE + LEVEL_STARTS.take(level) + row * size + column
    is_on = ((whole_u * 7 + whole_v * 13 + ids * 5) % 11) < 11 * scene.shine.lamps
    return scene.atlas.take(place).view(np.uint8).reshape(-1, 4), is_on


def _light(
    lit: _Lit, ids: Places, points: list[Shades], shine: Shine, rng: np.random.Generator
) -> Shades:
    """How bright each pixel is lit, per colour: sun where nothing stands before it, sky from above, bounce below."""
    height = np.maximum(points[2], 0)
    low = np.exp(height * np.float32(-0.5)) * (ids > 0)
    light = lit.sky.take(ids, axis=0) * (1 - np.float32(0.35) * low)[:, None]
    if shine.flood > 0:
        light += np.exp(height * np.float32(-0.05))[:, None] * lit.flood.take(ids, axis=0)
    asked = np.flatnonzero(lit.is_facing.take(ids))
    sunny = np.ones(len(ids), dtype=np.float32)
    sunny[asked[_is_hidden(lit, ids[asked], [axis[asked] for axis in points], rng)]] = 0.0
    light += lit.sun.take(ids, axis=0) * sunny[:, None]
    return light


def _is_hidden(
    lit: _Lit, ids: Places, points: list[Shades], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Whether another face lies between each point and the sun."""
    axes, side = lit.cover_axes, lit.cover_px
    half = np.float32(side / 2)
    own = [points[k] - lit.cover_middle[k] for k in range(3)]
    wobble = rng.random(len(ids), dtype=np.float32) - np.float32(0.5)
    s = own[0] * axes[0, 0] + own[1] * axes[0, 1] + own[2] * axes[0, 2] + half + wobble
    t = half - (own[0] * axes[1, 0] + own[1] * axes[1, 1] + own[2] * axes[1, 2]) + wobble
    inside = (s >= 0) & (s < side) & (t >= 0) & (t < side)
    cell = np.where(inside, t.astype(np.intp) * side + s.astype(np.intp), 0)
    other = lit.cover.take(cell)
    normals = lit.faces.normals
    gap = lit.faces.offsets.take(other)
    for k in range(3):
        gap -= normals[:, k].take(other) * points[k]
    gap /= lit.lean.take(other)
    # A soft thing throws its shadow by another mesh than the one seen, so its plane says nothing: it always hides.
    hides: npt.NDArray[np.bool_] = (gap > 0.2) | lit.faces.soft.take(other)
    hides &= inside & (other > 0) & (other != ids)
    return hides
