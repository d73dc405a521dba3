"""Where another photo begins a line is a seam, within a photo it is none."""

import numpy as np
import pytest

from cairn.algorithms.borders import seam_share
from tests.stages.scrub.scenes import grey_of, scene

pytestmark = pytest.mark.slow  # rendering


def test_a_line_between_two_photos_is_a_seam_and_one_within_a_photo_is_none() -> None:
    first, second = (grey_of(scene(n)).astype(np.uint8) for n in (0, 1))
    both = np.concatenate([first, second], axis=1)
    at = first.shape[1] - 0.5
    assert seam_share(both, at=at) > 0.5
    assert all(seam_share(both, at=at + away) < 0.4 for away in (-60, -30, 30, 60))


@pytest.mark.parametrize("away", [-2, 2])
def test_the_line_is_found_where_its_place_is_known_to_a_few_pixels(away: int) -> None:
    first, second = (grey_of(scene(n)).astype(np.uint8) for n in (0, 1))
    both = np.concatenate([first, second], axis=1)
    at = first.shape[1] - 0.5
    assert seam_share(both, at=at + away) == seam_share(both, at=at)


def test_there_is_no_seam_at_the_border_of_an_image_nor_in_one_colour() -> None:
    plain = np.full((40, 40), 90, np.uint8)
    image = grey_of(scene(0)).astype(np.uint8)
    assert seam_share(plain, at=20) == 0
    assert [seam_share(image, at=at) for at in (-9.0, 0.0, 255.0, 900.0)] == [0, 0, 0, 0]
