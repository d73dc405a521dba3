"""What an image's pixels say of its worth: cheap measures of blur, darkness, emptiness and drawn lines.

All but the seam are measured on a view of at most 512 px, so that they do not depend on how large an image was kept, and
tell what a person would see. Thresholds stand in stages/scrub/pixels.py, which makes findings of them.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.duplicates import likeness
from cairn.images.seams import seams

# Another number for each change in the code below that gives the same image another measure.
CHECKS_WAY = 4
VIEW_PX = 512
COARSE_PX = 32
DARK_BELOW = 40
# Neighbouring pixels that differ by no more are flat: JPEG leaves so much in what was of one colour.
FLAT_STEP, EDGE_STEP = 3, 40
_SOFTENING_PX = 9
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_TILES = 4
# Where few parts are all of what is not flat, a photo may still be: a tower before a clear sky.
_FLAT_TILES, _LEAST_FLAT_PERCENT = 8, 5
_FRAME_SHARE = 0.03
_COLOUR_CELLS = 16
_N_COLOURS = 10

Pixels = npt.NDArray[np.uint8]
Number = TypeVar("Number", bound=np.integer[Any])
Grey = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PixelChecks:
    """What was measured; shares are 0 to 1, grey values 0 to 255.

    sharpness: of its sharpest part, the share of the fine differences that softening takes away; 0.5 is a blur, 0.7 sharp.
    bright_grey: 19 of 20 pixels are at most so bright. dark_share: pixels darker than DARK_BELOW.
    relief_grey: how much neighbouring parts of the image, seen at 32 px, differ: the 99th percentile, in the colour where
    that is most.
    flat_share: pixels that differ from their neighbours by nothing that could be seen.
    edge_share: of the pixels that are not flat, those that differ strongly.
    least_flat_share: flat pixels in one of 64 tiles, so that one tile in twenty has fewer.
    frame_flat_share: flat pixels of the four borders, of the one that has fewest. frame_spread_grey: how much the colours
    of the borders differ, in the colour where that is most.
    colours_share: pixels that have one of the ten commonest of 4,096 colours.
    paper_share: pixels that have the commonest of them. saturation: mean spread between the three colours, of 255.
    seam_clear: of the clearest straight seam, see images/seams.py; 0 where there is none.
    pixels_digest: SHA-256 of shape and pixels. mirrored_likeness: algorithms/duplicates.likeness of the mirror image.
    """

    sharpness: float
    bright_grey: float
    dark_share: float
    relief_grey: float
    flat_share: float
    edge_share: float
    least_flat_share: float
    frame_flat_share: float
    frame_spread_grey: float
    colours_share: float
    paper_share: float
    saturation: float
    seam_clear: float
    pixels_digest: str
    mirrored_likeness: bytes


def check_pixels(pixels: Pixels) -> PixelChecks:
    """What is measured on `pixels` [H, W, 3]; every number is finite, also of one pixel alone."""
    view = _view(pixels)
    grey = np.asarray(Image.fromarray(view).convert("L"), dtype=np.float32)
    steps = _steps(view)
    is_rough = steps > FLAT_STEP
    frame_flat, frame_spread = _frame(view, is_rough)
    colours = _commonest_colours(view)
    return PixelChecks(
        sharpness=sharpness(grey),
        bright_grey=float(np.percentile(grey, 95)),
        dark_share=float((grey < DARK_BELOW).mean()),
        relief_grey=_relief(view),
        flat_share=float(1 - is_rough.mean()),
        edge_share=float((steps > EDGE_STEP).sum() / max(1, is_rough.sum())),
        least_flat_share=_least_flat(is_rough),
        frame_flat_share=frame_flat,
        frame_spread_grey=frame_spread,
        colours_share=float(colours.sum()),
        paper_share=float(colours[0]),
        saturation=float((_most(view) - _least(view)).mean()),
        seam_clear=max((seam.clear for seam in seams(pixels)), default=0.0),
        pixels_digest=_digest(pixels),
        mirrored_likeness=likeness(np.ascontiguousarray(pixels[:, ::-1])),
    )


def sharpness(grey: Grey) -> float:
    """The share of fine differences that softening takes away, in the sharpest sixteenth of `grey` [H, W]; 0 where it has none.

    An image that is soft already loses little; where it is soft in one direction only, as a photo that was moved, that one
    counts. Parts with less to see than the mean part are passed over: a clear sky counts neither way, and a sharp statue
    before a soft garden is sharp.
    Source: Crété, Dolmiere, Ladret, Nicolas, SPIE 6492 (2007); by parts is ours.
    """
    found = []
    for down, across in _DIRECTIONS:
        before, after = _differences(grey, down, across)
        lost = _tile_sums(np.maximum(before - after, 0))
        there = _tile_sums(before)
        counts = there >= max(float(there.mean()), 1e-6)
        shares = lost[counts] / there[counts]
        found.append(float(shares.max(initial=0.0)))
    return min(found)


def _view(pixels: Pixels) -> Pixels:
    """`pixels` with a longest side of at most VIEW_PX."""
    height, width = pixels.shape[:2]
    scale = VIEW_PX / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(
        Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    )


def _differences(grey: Grey, down: int, across: int) -> tuple[Grey, Grey]:
    """How much each pixel differs from the next in a direction, before and after softening in that direction."""
    half, room = _SOFTENING_PX // 2, _SOFTENING_PX // 2 + 1
    padded = np.pad(grey, room, mode="edge")
    height, width = grey.shape

    def away(n: int) -> Grey:
        top, left = room + n * down, room + n * across
        return padded[top : top + height, left : left + width]

    # Of two means over nine pixels side by side, all but the outermost pixels are the same.
    return np.abs(away(1) - away(0)), np.abs(away(room) - away(-half)) / np.float32(_SOFTENING_PX)


def _tile_sums(values: Grey) -> npt.NDArray[np.float64]:
    """[T]: the sums over a grid of tiles; one tile where there are too few pixels."""
    height, width = values.shape
    if min(height, width) < 8 * _TILES:
        return np.array([values.sum(dtype=np.float64)])
    rows = np.linspace(0, height, _TILES + 1).astype(int)[:-1]
    columns = np.linspace(0, width, _TILES + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, 0), columns, 1)
    return np.asarray(sums.ravel())


def _steps(view: Pixels) -> npt.NDArray[np.int16]:
    """How much each pixel differs from the one beside and the one below, in the colour where that is most."""
    wide = view.astype(np.int16)
    across, down = (_most(np.abs(np.diff(wide, axis=axis))) for axis in (1, 0))
    steps = np.zeros(view.shape[:2], np.int16)
    steps[:, :-1] = across
    steps[:-1] = np.maximum(steps[:-1], down)
    return steps


def _most(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The largest of the three colours [H, W]; numpy's own way over so short an axis takes ten times as long."""
    most: npt.NDArray[Number] = np.maximum(
        np.maximum(values[..., 0], values[..., 1]), values[..., 2]
    )
    return most


def _least(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    least: npt.NDArray[Number] = np.minimum(
        np.minimum(values[..., 0], values[..., 1]), values[..., 2]
    )
    return least


def _relief(view: Pixels) -> float:
    # Shrunk far, so that grain on an empty image counts for nothing.
    size = (min(COARSE_PX, view.shape[1]), min(COARSE_PX, view.shape[0]))
    coarse = np.asarray(Image.fromarray(view).resize(size, Image.Resampling.BOX))
    return float(np.percentile(_steps(coarse), 99))


def _least_flat(is_rough: Bools) -> float:
    """The flat pixels of one of 64 tiles, of which few have less."""
    height, width = is_rough.shape
    rows = np.linspace(0, height, _FLAT_TILES + 1).astype(int)[:-1]
    columns = np.linspace(0, width, _FLAT_TILES + 1).astype(int)[:-1]

    def sums(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        return np.asarray(np.add.reduceat(np.add.reduceat(values, rows, 0), columns, 1))

    rough = sums(is_rough.astype(np.int32)) / sums(np.ones(is_rough.shape, np.int32))
    return float(1 - np.percentile(rough, 100 - _LEAST_FLAT_PERCENT))


def _frame(view: Pixels, is_rough: Bools) -> tuple[float, float]:
    """The flat pixels of the border that has fewest, and how much the colours of the borders differ."""
    n = max(1, round(_FRAME_SHARE * min(is_rough.shape)))
    sides = (np.s_[:n], np.s_[-n:], np.s_[:, :n], np.s_[:, -n:])
    flat = min(float(1 - is_rough[side].mean()) for side in sides)
    colours = np.stack([np.median(view[side].reshape(-1, 3), axis=0) for side in sides])
    return flat, float(np.ptp(colours, axis=0).max())


def _commonest_colours(view: Pixels) -> npt.NDArray[np.float64]:
    """The shares of pixels that have the commonest colours, the commonest first."""
    cells = (view // (256 // _COLOUR_CELLS)).astype(np.int64)
    places = (cells[..., 0] * _COLOUR_CELLS + cells[..., 1]) * _COLOUR_CELLS + cells[..., 2]
    counts = np.bincount(places.ravel(), minlength=_COLOUR_CELLS**3)
    return np.asarray(-np.sort(-counts)[:_N_COLOURS] / places.size)


def _digest(pixels: Pixels) -> str:
    found = hashlib.sha256(f"{pixels.shape}".encode())
    found.update(np.ascontiguousarray(pixels).data)
    return found.hexdigest()
