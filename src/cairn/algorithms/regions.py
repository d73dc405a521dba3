"""Where matched points lie in a photo, and which landmarks are seen apart from each other."""

from collections.abc import Sequence

import numpy as np

from cairn.algorithms.surprise import SURE_MATCH
from cairn.algorithms.verifying import PointMatch

# Left, top, right, bottom in pixels; right and bottom are outside.
Box = tuple[int, int, int, int]

# Of the smaller box: two landmarks may touch, but not lie on each other.
_MOST_SHARED = 0.2


def region_of(matches: Sequence[PointMatch | None]) -> Box | None:
    """The box around all points that agree with images which surely show the same; None where there are none."""
    sure = [one.query_places for one in matches if one is not None and one.surprise >= SURE_MATCH]
    if not sure:
        return None
    places = np.concatenate(sure)
    left, top = np.floor(places.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(places.max(axis=0)).astype(int).tolist()
    return max(left, 0), max(top, 0), right + 1, bottom + 1


def seen_apart(boxes: Sequence[Box | None]) -> list[int]:
    """The places of the landmarks that a photo shows, of candidates that are likely enough, the best first.

    boxes: where each was seen by matched points. The first counts in any case; each other one needs matched points, away
    from those of all before it, because one thing looks like several.
    """
    shown: list[int] = []
    for place, box in enumerate(boxes):
        taken = [boxes[one] for one in shown]
        if not shown or (box is not None and all(one is not None and _shared(box, one) <= _MOST_SHARED for one in taken)):  # fmt: skip
            shown.append(place)
    return shown


def _shared(one: Box, other: Box) -> float:
    """The share of the smaller of two boxes that lies in both, 0 to 1."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(wide, 0) * max(high, 0) / max(smaller, 1)
