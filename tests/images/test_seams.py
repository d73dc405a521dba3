import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cairn.images.render import invent_landmarks, render_scene
from cairn.images.seams import seams
from tests.make import encoded, pixels

Pixels = npt.NDArray[np.uint8]


def scene(number: int) -> Pixels:
    chosen = invent_landmarks(6, world="demo", seed=0)[number]
    return render_scene([chosen], seed=number, size=(240, 240))


@pytest.mark.parametrize("width", [80, 120, 170])
def test_a_seam_between_two_photos_is_found_where_it_is(width: int) -> None:
    joined = np.hstack([scene(0)[:, :width], scene(1)[:, width:]])
    upright, level = seams(joined) or pytest.fail("an image of this size has seams")
    assert abs(upright.at - width / 240) < 0.02
    assert upright.share > 0.6
    assert upright.share > level.share
    left, right = upright.boxes
    assert left[2] == right[0] == upright.at


def test_a_level_seam_is_found_too_and_jpeg_does_not_hide_it() -> None:
    joined = np.vstack([scene(2)[:120], scene(3)[120:]])
    content = encoded(joined, "JPEG", quality=60)
    path = Image.open(io.BytesIO(content))
    _, level = seams(np.asarray(path)) or pytest.fail("an image of this size has seams")
    assert abs(level.at - 0.5) < 0.02
    assert level.share > 0.5
    above, below = level.boxes
    assert above[3] == below[1] == level.at


def test_smooth_colours_have_no_seam() -> None:
    found = seams(pixels(1, height=200, width=300))
    assert found is not None
    assert max(one.share for one in found) < 0.2


def test_an_even_image_has_none_and_a_small_one_is_not_looked_at() -> None:
    found = seams(np.full((100, 100, 3), 90, np.uint8))
    assert found is not None
    assert [one.share for one in found] == [0, 0]
    assert seams(np.zeros((20, 400, 3), np.uint8)) is None
    assert seams(np.zeros((1, 1, 3), np.uint8)) is None
