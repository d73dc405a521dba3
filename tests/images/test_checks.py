"""What is measured on pixels: blurs, darkness, blanks and drawings lie far from photos, and nothing breaks."""

from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from cairn.algorithms.duplicates import likeness
from cairn.images.checks import check_pixels, sharpness
from tests.make import Pixels, pixels
from tests.stages.scrub.scenes import grey_of, scene

RNG = np.random.default_rng(0)


def softened(image: Pixels, radius_px: float) -> Pixels:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius_px)))


def moved(image: Pixels, n_px: int) -> Pixels:
    """The mean of the image over a path to the right."""
    shifted = [np.roll(image, i, axis=1).astype(np.float32) for i in range(n_px)]
    mean: Pixels = np.mean(shifted, axis=0).astype(np.uint8)
    return mean


def drawn() -> Pixels:
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)
    for i in range(8):
        pen.rectangle(
            (20 + 45 * i, 40, 50 + 45 * i, 260),
            fill=(30 * i, 200 - 20 * i, 90),
            outline="black",
            width=3,
        )
        pen.text((20 + 45 * i, 270), "Street", fill="black")
    return np.asarray(image)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_a_blur_is_less_sharp_than_any_scene_and_a_moved_photo_too(number: int) -> None:
    image = scene(number)
    sharp = sharpness(grey_of(image))
    assert sharp > 0.45
    assert sharpness(grey_of(softened(image, 4))) < 0.6 * sharp
    assert sharpness(grey_of(moved(image, 16))) < 0.8 * sharp


@pytest.mark.slow
def test_sharpness_does_not_depend_on_how_large_an_image_was_kept() -> None:
    large = np.asarray(Image.fromarray(scene(0)).resize((1024, 768), Image.Resampling.BICUBIC))
    larger = np.asarray(Image.fromarray(scene(0)).resize((2048, 1536), Image.Resampling.BICUBIC))
    assert check_pixels(large).sharpness == pytest.approx(check_pixels(larger).sharpness, abs=0.03)


@pytest.mark.slow
def test_one_sharp_thing_before_a_soft_background_is_sharp() -> None:
    image = softened(scene(0), 5).copy()
    image[64:160, 64:160] = scene(0)[64:160, 64:160]
    assert sharpness(grey_of(image)) > 0.45


@pytest.mark.slow
def test_a_dark_photo_is_dark_and_a_night_with_lights_is_not() -> None:
    night = (scene(0) * 0.06).astype(np.uint8)
    lit = night.copy()
    lit[80:140, 60:160] = scene(0)[80:140, 60:160]
    assert check_pixels(night).bright_grey < 20
    assert check_pixels(lit).bright_grey > 45


@pytest.mark.slow
def test_nothing_stands_out_in_one_colour_a_soft_gradient_or_noise() -> None:
    plain = np.full((192, 256, 3), 120, np.uint8)
    gradient = (plain * np.linspace(1, 0.8, 192)[:, None, None]).astype(np.uint8)
    noisy = np.clip(plain + RNG.normal(0, 4, plain.shape), 0, 255).astype(np.uint8)
    for image in (plain, gradient, noisy):
        assert check_pixels(image).relief_grey < 5
    assert check_pixels(scene(0)).relief_grey > 15


def test_few_flat_tiles_and_one_border_of_another_colour_are_seen() -> None:
    image = np.full((160, 160, 3), 200, np.uint8)
    assert check_pixels(image).least_flat_share == 1
    image[:80] = RNG.integers(0, 256, (80, 160, 3), dtype=np.uint8)
    image[-20:] = (200, 60, 200)
    found = check_pixels(image)
    assert found.least_flat_share < 0.1
    assert found.frame_flat_share < 0.2
    assert 60 < found.frame_spread_grey <= 200


@pytest.mark.slow
def test_a_drawing_is_flat_with_hard_edges_in_few_colours() -> None:
    found, photo = check_pixels(drawn()), check_pixels(scene(0))
    assert found.flat_share > 0.7
    assert found.edge_share > 0.5
    assert found.colours_share > 0.8
    assert found.least_flat_share > photo.least_flat_share + 0.1
    assert found.frame_flat_share > 0.9
    assert found.frame_spread_grey == 0
    assert photo.flat_share * photo.edge_share < 0.5 * found.flat_share * found.edge_share


def test_the_mirrored_likeness_is_that_of_the_mirror_image() -> None:
    image = pixels(3)
    assert check_pixels(image).mirrored_likeness == likeness(np.ascontiguousarray(image[:, ::-1]))


def test_the_digest_of_pixels_knows_values_and_shape() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    digests = {
        check_pixels(one).pixels_digest for one in (image, image + 1, image.reshape(6, 4, 3))
    }
    assert len(digests) == 3
    assert check_pixels(image.copy()).pixels_digest in digests


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3), (33, 31), (9, 2000)])
@pytest.mark.parametrize("value", [0, 255, None])
def test_every_measure_of_any_image_is_a_finite_number_in_its_range(
    shape: tuple[int, int], value: int | None
) -> None:
    full = (*shape, 3)
    image = (
        RNG.integers(0, 256, full, dtype=np.uint8)
        if value is None
        else np.full(full, value, np.uint8)
    )
    for name, found in asdict(check_pixels(image)).items():
        if isinstance(found, float):
            assert 0 <= found <= (255 if name.endswith("grey") or name == "saturation" else 1), name
