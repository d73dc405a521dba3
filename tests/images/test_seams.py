"""Seams: found where two photos meet, side by side or one in a corner of the other, and not in one photo alone."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cairn.images.render import invent_landmarks, render_scene
from cairn.images.seams import Seam, seams
from tests.make import encoded, pixels

Pixels = npt.NDArray[np.uint8]
SIDE = 240
CORNERS = ("upper left", "upper right", "lower left", "lower right")


def scene(number: int) -> Pixels:
    chosen = invent_landmarks(6, world="demo", seed=0)[number]
    return render_scene([chosen], seed=number, size=(SIDE, SIDE))


def found_in(image: Pixels) -> tuple[Seam, Seam, Seam]:
    upright, level, inset = seams(image)
    return upright, level, inset


def in_a_corner(corner: str, *, wide: int, high: int) -> Pixels:
    """A part of one scene in a corner of another."""
    joined = scene(0).copy()
    rows = slice(0, high) if "upper" in corner else slice(SIDE - high, SIDE)
    columns = slice(0, wide) if "left" in corner else slice(SIDE - wide, SIDE)
    # In other light, as the scenes share their sky.
    joined[rows, columns] = scene(1)[60 : 60 + high, 60 : 60 + wide] // 2
    return joined


@pytest.mark.parametrize("width", [80, 120, 170])
def test_a_seam_between_two_photos_is_found_where_it_is(width: int) -> None:
    joined = np.hstack([scene(0)[:, :width], scene(1)[:, width:]])
    upright, level, _ = found_in(joined)
    assert upright.one[2] == upright.others[0][0] == pytest.approx(width / SIDE, abs=0.02)
    assert upright.clear > 0.7
    assert upright.clear > level.clear


def test_a_level_seam_is_found_too_and_jpeg_does_not_hide_it() -> None:
    joined = np.vstack([scene(2)[:120], scene(3)[120:]])
    content = encoded(joined, "JPEG", quality=60)
    _, level, _ = found_in(np.asarray(Image.open(io.BytesIO(content))))
    assert level.one[3] == level.others[0][1] == pytest.approx(0.5, abs=0.02)
    assert level.clear > 0.7


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize(("wide", "high"), [(90, 70), (120, 150)])
def test_a_photo_in_a_corner_of_another_is_found_in_each_corner(
    corner: str, wide: int, high: int
) -> None:
    _, _, inset = found_in(in_a_corner(corner, wide=wide, high=high))
    left, top, right, bottom = inset.one
    assert (right - left, bottom - top) == pytest.approx((wide / SIDE, high / SIDE), abs=0.02)
    assert (left == 0) == ("left" in corner)
    assert (top == 0) == ("upper" in corner)
    assert inset.clear > 0.7
    beside, above_or_below = inset.others
    assert (beside[0] == right) if "left" in corner else (beside[2] == left)
    assert (above_or_below[1] == bottom) if "upper" in corner else (above_or_below[3] == top)


def test_smooth_colours_have_no_seam() -> None:
    assert max(one.clear for one in found_in(pixels(1, height=200, width=300))) < 0.7


def test_an_even_image_has_none_and_a_small_one_is_not_looked_at() -> None:
    assert [one.clear for one in found_in(np.full((100, 100, 3), 90, np.uint8))] == [0, 0, 0]
    assert seams(np.zeros((20, 400, 3), np.uint8)) == ()
    assert seams(np.zeros((1, 1, 3), np.uint8)) == ()
