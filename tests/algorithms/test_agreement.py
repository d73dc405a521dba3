"""Agreement of images laid over each other: copies agree, other photos do not, and areas are what they are."""

import numpy as np
import pytest
from PIL import Image

from cairn.algorithms.agreement import NOTHING, agreement, correlations
from tests.stages.scrub.scenes import grey_of, scene

SAME = np.eye(3)


def shifted(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]], np.float64)


@pytest.mark.slow
def test_an_image_agrees_with_itself_darker_and_with_less_contrast() -> None:
    grey = grey_of(scene(0))
    found = agreement(grey, grey * 0.4 + 30, SAME)
    assert found.share > 0.98
    assert (found.of_first, found.of_second) == (1, 1)
    assert found.n_parts > 50


@pytest.mark.slow
def test_another_scene_agrees_hardly_anywhere() -> None:
    assert agreement(grey_of(scene(0)), grey_of(scene(1)), SAME).share < 0.3


@pytest.mark.slow
def test_a_part_agrees_where_it_lies_and_covers_its_share() -> None:
    grey = grey_of(scene(0))
    part = grey[24:168, 32:224]
    found = agreement(part, grey, shifted(32, 24))
    assert found.share > 0.98
    assert found.of_first == pytest.approx(1, abs=0.01)
    assert found.of_second == pytest.approx(part.size / grey.size, abs=0.01)
    assert agreement(part, grey, shifted(0, 0)).share < 0.5


@pytest.mark.slow
def test_which_of_the_two_is_first_makes_no_difference() -> None:
    pixels = scene(0)
    grey, half = grey_of(pixels), grey_of(np.asarray(Image.fromarray(pixels).resize((128, 96))))
    matrix = shifted(-0.25, -0.25, 0.5)
    one, other = agreement(grey, half, matrix), agreement(half, grey, np.linalg.inv(matrix))
    assert one.share == other.share == pytest.approx(1, abs=0.05)
    assert (one.of_first, one.of_second) == (other.of_second, other.of_first)


def test_an_image_of_one_grey_agrees_with_nothing() -> None:
    grey = np.full((64, 64), 128, np.float32)
    found = agreement(grey, grey, SAME)
    assert (found.share, found.n_parts, found.covered) == (0, 0, 1)


@pytest.mark.parametrize(
    "matrix", [np.zeros((3, 3)), np.full((3, 3), np.nan), shifted(0, 0, 1e-4), shifted(1e5, 0)]
)
def test_a_matrix_that_lays_nothing_on_anything_gives_nothing(matrix: np.ndarray) -> None:
    grey = np.random.default_rng(0).normal(128, 40, (48, 64)).astype(np.float32)
    found = agreement(grey, grey, matrix)
    assert (found.share, found.n_parts) == (NOTHING.share, NOTHING.n_parts)


def test_an_image_of_one_pixel_breaks_nothing() -> None:
    assert agreement(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), SAME).n_parts == 0


def test_correlations_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(0, 1000, (5, 30)).astype(np.float32) for _ in range(2))
    wanted = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(correlations(first, second), wanted, atol=1e-3)
