"""How well two grey images agree pixel for pixel once one is laid over the other, part by part."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cairn.algorithms.opencv import opencv
from cairn.algorithms.rectangles import largest_rectangle

Grey = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]

TILE_PX = 16
# Both are softened first: half a pixel out of place, or a JPEG's traces, are no difference.
SOFTENING_PX = 1.2
# Images are brought to this spread of grey values; a part with less spread than the second shows nothing.
SPREAD_GREY = 50.0
LEAST_SPREAD_GREY = 8.0
# Where one shows something and the other nothing, words may stand over a clear sky; but not nearly everywhere.
_LEAST_IN_BOTH = 0.4
_NOISE_GREY = 3.0
AGREES_FROM = 0.75
_COVERED_FROM = 0.9
# Lines of words spoil two rows of parts; a photo that was set into another spoils more, and little else.
_PATCH_PARTS, _PATCH_HOLDS = 3, 0.5
# A part of one grey may show nothing in either, and yet be a piece of another photo.
_UNLIKE_GREY = 20.0


@dataclass(frozen=True)
class Agreement:
    """What laying the first image over the second shows.

    share: of the parts of the overlap in which both show something, those that agree; 0 where there are none.
    n_parts: those parts. of_first, of_second: the share of each image's area that the other covers, 0 to 1.
    differing: [down, across] the covered parts of the second that differ, None where nothing overlaps; n_covered: of
    how many.
    """

    share: float
    n_parts: int
    of_first: float
    of_second: float
    differing: Bools | None = field(default=None, compare=False, repr=False)
    n_covered: int = 0

    @property
    def covered(self) -> float:
        """The smaller of the two shares of area."""
        return min(self.of_first, self.of_second)

    def patch(self) -> float:
        """The share of the overlap that is one rectangle in which nothing agrees, where most of what differs lies in it.

        0 where there is none.
        """
        if self.differing is None:
            return 0.0
        top, left, bottom, right = largest_rectangle(self.differing, least=_PATCH_PARTS)
        if not bottom:
            return 0.0
        # Its rim lies half inside.
        near = self.differing[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
        if near.sum() < _PATCH_HOLDS * self.differing.sum():
            return 0.0
        return (bottom - top) * (right - left) / self.n_covered


NOTHING = Agreement(0.0, 0, 0.0, 0.0)


def agreement(first: Grey, second: Grey, matrix: Matrix) -> Agreement:
    """How well `first` [H, W], moved by `matrix` [3, 3], agrees with `second` [H', W'].

    matrix: takes a place (x, y, 1) in `first` to one in `second`; shifts, turns and scales, no more. Brightness and
    contrast of the whole image count for nothing. A part is TILE_PX wide and high, and agrees where the
    correlation of its pixels is AGREES_FROM or more.
    """
    if not np.isfinite(matrix).all():
        return NOTHING
    scale = abs(float(np.linalg.det(matrix[:2, :2])))
    if not 1e-3 < scale < 1e3:
        return NOTHING
    if scale > 1:
        # Laid over by making it smaller: an enlarged image would be softer than the other.
        back: Matrix = np.linalg.inv(matrix).astype(np.float64)
        turned = agreement(second, first, back)
        return replace(turned, of_first=turned.of_second, of_second=turned.of_first)
    moved, covers = _laid_over(first, second, matrix)
    overlap_px = float(covers.sum())
    of_first = min(1.0, overlap_px / max(scale * first.size, 1.0))
    of_second = overlap_px / second.size
    tiles = _tiles(covers)
    is_covered = tiles.mean(axis=1) >= _COVERED_FROM
    if not is_covered.any():
        return Agreement(0.0, 0, of_first, of_second)
    is_inside = covers > 0
    ours = _tiles(_evened(moved, is_inside))[is_covered]
    theirs = _tiles(_evened(_softened(second), is_inside))[is_covered]
    shows = np.stack([ours.std(axis=1), theirs.std(axis=1)]) >= LEAST_SPREAD_GREY
    in_both, n_parts = shows.all(axis=0), int(shows.all(axis=0).sum())
    if not n_parts:
        return Agreement(0.0, 0, of_first, of_second)
    agrees = in_both & (correlations(ours, theirs) >= AGREES_FROM)
    n_counted = max(n_parts, _LEAST_IN_BOTH * int(shows.any(axis=0).sum()))
    differs = np.zeros(len(tiles), np.bool_)
    is_unlike = np.abs(ours - theirs).mean(axis=1) > _UNLIKE_GREY
    differs[is_covered] = (shows.any(axis=0) & ~agrees) | is_unlike
    return Agreement(
        int(agrees.sum()) / n_counted, n_parts, of_first, of_second,
        differs.reshape(_grid(second)), int(is_covered.sum()),
    )  # fmt: skip


def correlations(first: Grey, second: Grey) -> npt.NDArray[np.float32]:
    """[T]: the correlation of each row of `first` [T, P] with that of `second`, a little less where both hardly vary."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    together = (first * second).mean(axis=1)
    alone = ((first**2).mean(axis=1) + _NOISE_GREY**2) * ((second**2).mean(axis=1) + _NOISE_GREY**2)
    found: npt.NDArray[np.float32] = (together / np.sqrt(alone)).astype(np.float32)
    return found


def _laid_over(first: Grey, second: Grey, matrix: Matrix) -> tuple[Grey, Grey]:
    """`first` as seen in the frame of `second`, softened, and 1 where it covers that frame."""
    cv2 = opencv()
    height, width = second.shape
    steps = matrix[:2].astype(np.float64)
    moved = cv2.warpAffine(_softened(first), steps, (width, height), flags=cv2.INTER_LINEAR)
    everywhere = np.ones(first.shape, np.float32)
    covers = cv2.warpAffine(everywhere, steps, (width, height), flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.float32), np.asarray(covers, np.float32)


def _softened(grey: Grey) -> Grey:
    return np.asarray(opencv().GaussianBlur(grey, (0, 0), SOFTENING_PX), np.float32)


def _evened(grey: Grey, is_inside: npt.NDArray[np.bool_]) -> Grey:
    """`grey` with the mean 0 and the spread SPREAD_GREY inside."""
    inside = grey[is_inside]
    gain = SPREAD_GREY / max(float(inside.std()), 1.0)
    evened: Grey = ((grey - inside.mean()) * gain).astype(np.float32)
    return evened


def _grid(image: Grey) -> tuple[int, int]:
    """How many parts an image has, down and across."""
    down, across = (side // TILE_PX for side in image.shape)
    return (down, across) if min(down, across) else (1, 1)


def _tiles(values: Grey) -> Grey:
    """[T, P]: the pixels of each whole tile; of the whole where it is smaller than a tile."""
    down, across = _grid(values)
    if min(values.shape) < TILE_PX:
        return values.reshape(1, -1)
    whole = values[: down * TILE_PX, : across * TILE_PX]
    tiles = whole.reshape(down, TILE_PX, across, TILE_PX).swapaxes(1, 2)
    return tiles.reshape(down * across, -1)
