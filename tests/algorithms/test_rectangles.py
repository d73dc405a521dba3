"""The largest rectangle is that of the slow obvious search, at its edges too."""

import numpy as np
import pytest

from cairn.algorithms.rectangles import Bools, largest_rectangle


def slowly(cells: Bools, least: int) -> int:
    """The size of the largest, by trying all."""
    rows, columns = cells.shape
    sizes = [
        (bottom - top) * (right - left)
        for top in range(rows)
        for bottom in range(top + least, rows + 1)
        for left in range(columns)
        for right in range(left + least, columns + 1)
        if cells[top:bottom, left:right].all()
    ]
    return max(sizes, default=0)


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_largest_rectangle_is_that_of_trying_all(seed: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.random((rng.integers(1, 8), rng.integers(1, 8))) < 0.75
    top, left, bottom, right = largest_rectangle(cells, least=least)
    assert (bottom - top) * (right - left) == slowly(cells, least)
    assert cells[top:bottom, left:right].all()
    assert not bottom or min(bottom - top, right - left) >= least


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3, 3)])
def test_there_is_none_where_nothing_is_true(shape: tuple[int, int]) -> None:
    assert largest_rectangle(np.zeros(shape, np.bool_)) == (0, 0, 0, 0)


def test_all_cells_are_one_rectangle() -> None:
    assert largest_rectangle(np.ones((3, 5), np.bool_), least=3) == (0, 0, 3, 5)
    assert largest_rectangle(np.ones((2, 5), np.bool_), least=3) == (0, 0, 0, 0)
