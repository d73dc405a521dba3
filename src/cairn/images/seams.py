"""Straight seams in an image, as between photos that somebody put side by side, or one into a corner of another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Steps = npt.NDArray[np.int16]
Ranks = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int32]
# Left, top, right and bottom as shares of the image's width and height.
Box = tuple[float, float, float, float]

SEEN_PX = 640
# A seam runs from edge to edge; nearer to the border it is a frame, or a watermark's strip.
LEAST_PART = 0.15
# The sides of an inset, as shares of the image's.
INSET_SIDES = (0.2, 0.75)
# A step in brightness that JPEG does not make by itself.
_STEP = 6
# A step next to a seam is a part of it, where the image was made smaller after it was put together.
_BESIDE = (-7, -6, -5, -4, -3, -2, 2, 3, 4, 5, 6, 7)
_REACH = max(_BESIDE)
_PIECES = 6
# Of the places where an inset's side may lie, the likeliest of either direction are tried with each other.
_N_TRIED = 24
_LEAST_SIDE_PX = 32


@dataclass(frozen=True)
class Seam:
    """A seam between the part `one` and each of the parts `others`, which lie beside it.

    clear: how far the image changes more at the seam than beside it, in nearly all pieces of its length, 0 to 1.
    """

    one: Box
    others: tuple[Box, ...]
    clear: float

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All its parts, `one` first."""
        return (self.one, *self.others)


def seams(pixels: Pixels) -> tuple[Seam, ...]:
    """The clearest upright and level seam of an image [H, W, 3] and its clearest inset; none where it is too small.

    Many photos have a long upright or level line, so a seam alone proves nothing.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, SEEN_PX / max(height, width))
    size = (round(width * scale), round(height * scale))
    if min(size) < _LEAST_SIDE_PX:
        return ()
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.int16)
    across, down = _stands_out(small), _stands_out(small.transpose(1, 0, 2)).T
    at, clear = _clearest(across)
    upright = Seam((0.0, 0.0, at, 1.0), ((at, 0.0, 1.0, 1.0),), clear)
    at, clear = _clearest(down.T)
    level = Seam((0.0, 0.0, 1.0, at), ((0.0, at, 1.0, 1.0),), clear)
    return upright, level, _clearest_inset(across, down)


def _stands_out(image: Steps) -> Ranks:
    """[H, W - 1]: how many of the steps beside a place the step there exceeds; place c lies c + 1 px from the left."""
    by_colour = np.abs(np.diff(image, axis=1))
    steps = np.maximum(np.maximum(by_colour[..., 0], by_colour[..., 1]), by_colour[..., 2])
    ranks = np.zeros(steps.shape, np.uint8)
    inner, last = slice(_REACH, -_REACH), steps.shape[1] - _REACH
    for shift in _BESIDE:
        ranks[:, inner] += steps[:, inner] > steps[:, _REACH + shift : last + shift]
    ranks[steps <= _STEP] = 0
    return ranks


def _clearest(ranks: Ranks) -> tuple[float, float]:
    """Where the clearest upright seam of [H, W - 1] lies, as a share of the width, and how clear it is."""
    height, width = ranks.shape[0], ranks.shape[1] + 1
    ends = np.linspace(0, height, _PIECES + 1).astype(int)
    pieces = np.add.reduceat(ranks.astype(np.int32), ends[:-1], axis=0) / np.diff(ends)[:, None]
    clear = _nearly_least(list(pieces))
    places = (np.arange(width - 1) + 1.0) / width
    clear = np.where((places >= LEAST_PART) & (places <= 1 - LEAST_PART), clear, 0)
    best = int(clear.argmax())
    return float(places[best]), float(clear[best])


def _clearest_inset(across: Ranks, down: Ranks) -> Seam:
    """The clearest photo in a corner, of upright ranks [H, W - 1] and level ones [H - 1, W]."""
    # From either end, as an inset lies in one of four corners.
    uprights = {False: _running(across), True: _running(across[::-1])}
    levels = {False: _running(down.T), True: _running(down.T[::-1])}
    found = []
    for turn_x in (False, True):
        for turn_y in (False, True):
            wide, high, clear = _clearest_corner(
                uprights[turn_y][:, :: -1 if turn_x else 1],
                levels[turn_x][:, :: -1 if turn_y else 1],
            )
            left, right = (1 - wide, 1.0) if turn_x else (0.0, wide)
            top, bottom = (1 - high, 1.0) if turn_y else (0.0, high)
            beside = (0.0, 0.0, left, 1.0) if turn_x else (right, 0.0, 1.0, 1.0)
            above = (0.0, 0.0, 1.0, top) if turn_y else (0.0, bottom, 1.0, 1.0)
            found.append(Seam((left, top, right, bottom), (beside, above), clear))
    return max(found, key=lambda seam: seam.clear)


def _running(ranks: Ranks) -> Sums:
    """[L + 1, C]: the sums of the first rows of ranks [L, C], of none first."""
    sums = np.zeros((len(ranks) + 1, ranks.shape[1]), np.int32)
    np.cumsum(ranks, axis=0, out=sums[1:])
    return sums


def _clearest_corner(uprights: Sums, levels: Sums) -> tuple[float, float, float]:
    """Width and height, as shares, of the clearest photo in the upper left corner, and how clear it is.

    uprights: [H + 1, W - 1] running sums down the image; levels: [W + 1, H - 1] from left to right.
    """
    height, width = len(uprights) - 1, len(levels) - 1
    (columns, wide), (rows, high) = _inset_ends(width), _inset_ends(height)
    # Both of all places: those of the one direction must not be thinned out by the other.
    (columns, wide), (rows, high) = (
        _likeliest(uprights, columns, wide, high),
        _likeliest(levels, rows, high, wide),
    )
    right = _pieces(uprights[:, columns], high)
    below = _pieces(levels[:, rows], wide)
    clear = _nearly_least([*right, *(piece.T for piece in below)])
    row, column = np.unravel_index(int(clear.argmax()), clear.shape)
    return float(wide[column] / width), float(high[row] / height), float(clear[row, column])


def _inset_ends(length: int) -> tuple[Ints, Ints]:
    """The places of ranks where an inset may end, and how far from its corner that is in px; either way round."""
    ends = np.arange(length - 1) + 1
    low, high = INSET_SIDES
    places = np.flatnonzero((ends >= low * length) & (ends <= high * length))
    return places.astype(np.int64), ends[places].astype(np.int64)


def _likeliest(sums: Sums, places: Ints, sides: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Those of `places`, with their `sides`, at which some line from the corner to one of `ends` is clearest.

    sums: [L + 1, C] running sums of ranks at all places.
    """
    # Both run without gaps, so that this is no copy.
    there = sums[ends[0] : ends[-1] + 1, places[0] : places[-1] + 1]
    clear = (there / ends[:, None]).max(axis=0)
    best = np.sort(np.argsort(-clear, kind="stable")[:_N_TRIED])
    return places[best], sides[best]


def _pieces(sums: Sums, ends: Ints) -> list[Doubles]:
    """Means [E, C] of the thirds of 0 to each of `ends`, from running sums [L + 1, C]."""
    n = _PIECES // 2
    found = []
    for piece in range(n):
        start, stop = ends * piece // n, ends * (piece + 1) // n
        found.append((sums[stop] - sums[start]) / (stop - start)[:, None])
    return found


def _nearly_least(pieces: Sequence[Doubles]) -> Doubles:
    """The second least of the pieces at each place, 0 to 1: one may lie where both photos are black."""
    least = np.partition(np.stack(pieces), 1, axis=0)[1]
    return np.asarray(least / len(_BESIDE), np.float64)
