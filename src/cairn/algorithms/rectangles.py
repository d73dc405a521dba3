"""The largest rectangle of cells of a small grid that all have something in common."""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def largest_rectangle(cells: Bools, *, least: int = 1) -> tuple[int, int, int, int]:
    """Top, left, bottom and right (past the last) of the largest rectangle of cells [R, C] that are all true.

    least: it is at least so many cells wide and high. Of equally large ones the first; 0, 0, 0, 0 where there is none.
    """
    best, largest = (0, 0, 0, 0), 0
    for top in range(len(cells)):
        column = np.ones(cells.shape[1], np.bool_)
        for bottom in range(top + 1, len(cells) + 1):
            column &= cells[bottom - 1]
            if not column.any():
                break
            left, right = _longest_run(column)
            size = (bottom - top) * (right - left)
            if min(bottom - top, right - left) >= least and size > largest:
                best, largest = (top, left, bottom, right), size
    return best


def _longest_run(row: Bools) -> tuple[int, int]:
    """The first of the longest runs of true in `row`: where it begins and where it has ended."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    begins, ends = changes[::2], changes[1::2]
    longest = int((ends - begins).argmax())
    return int(begins[longest]), int(ends[longest])
