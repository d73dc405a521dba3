import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.base.settings.recipes import read_recipe
from cairn.training import augmenting
from cairn.training.augmenting import (
    PATCH_ASPECT,
    Augmentation,
    Pixels,
    augment,
    draw,
    enough_share,
)
from cairn.training.keys import generator_of, key_of
from tests.make import encoded, pixels

LANDMARKS = AugmentSettings()
OFF = AugmentSettings(
    area=(1.0, 1.0), rotation_deg=0, blur_chance=0, brightness=0, contrast=0, saturation=0,
    jpeg_chance=0, erase_chance=0,
)  # fmt: skip
OLD = AugmentSettings.model_validate(read_recipe("classic-resnet50")["augment"])
EVERYTHING = AugmentSettings(
    side_px=48, shear_deg=4, zoom=0.2, mirror=True, blur_chance=1, jpeg_chance=1, erase_chance=1
)
SIDES, KEYS = st.integers(1, 3000), st.integers(0, (1 << 64) - 1)
SHARES = st.floats(0.05, 1)
ASPECTS = st.floats(0.1, 10)


def changed(settings: AugmentSettings, **values: object) -> AugmentSettings:
    return AugmentSettings.model_validate({**settings.model_dump(), **values})


def seen(key: int, settings: AugmentSettings, image: Pixels | None = None) -> Pixels:
    return augment(pixels(1) if image is None else image, settings, generator_of(key))


def decide(size_px: tuple[int, int], settings: AugmentSettings, key: int) -> Augmentation:
    return augmenting.decide(size_px, settings, draw(generator_of(key)))


def apply(image: Pixels, augmentation: Augmentation) -> Pixels:
    return augmenting.apply(Image.fromarray(image), augmentation)


def whole(side_px: int, **done: object) -> Augmentation:
    """All of an image of that side, with what is done to it."""
    everything = Augmentation((0, 0, side_px, side_px), side_px)
    return replace(everything, **done)  # type: ignore[arg-type] # each test names fields


def difference(ours: Pixels, theirs: Pixels) -> float:
    return float(np.abs(ours.astype(float) - theirs.astype(float)).mean())


def test_off_leaves_a_square_as_it_is() -> None:
    image = pixels(3, height=64, width=64)
    assert np.array_equal(seen(5, changed(OFF, side_px=64), image), image)


def test_off_squashes_the_whole_image_to_a_square() -> None:
    plain = Image.fromarray(pixels(1)).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(seen(5, changed(OFF, side_px=64)), np.asarray(plain))


def test_a_large_image_is_made_small_without_coarse_steps() -> None:
    image = pixels(1, height=700, width=900)
    plain = Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC)
    assert difference(seen(5, changed(OFF, side_px=64), image), np.asarray(plain)) < 1


@given(KEYS, st.integers(1, 90), st.integers(1, 90))
def test_any_image_becomes_a_square_and_is_not_changed_itself(
    key: int, height: int, width: int
) -> None:
    image = pixels(2, height=height, width=width)
    before = image.copy()
    varied = seen(key, EVERYTHING, image)
    assert (varied.shape, varied.dtype) == ((48, 48, 3), np.dtype(np.uint8))
    assert varied.flags.writeable
    assert np.array_equal(image, before)


@given(st.text(max_size=9), st.integers(0, 99), st.integers(0, 99))
def test_the_same_key_gives_the_same_bytes_and_another_epoch_others(
    image_id: str, seed: int, epoch: int
) -> None:
    first, again, later = (
        seen(key_of(image_id, seed=seed, epoch=number), EVERYTHING)
        for number in (epoch, epoch, epoch + 1)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != later.tobytes()


@given(SIDES, SIDES, st.tuples(SHARES, SHARES), st.tuples(ASPECTS, ASPECTS), KEYS)
def test_a_cut_keeps_its_area_and_as_far_as_it_fits_its_aspect(
    width: int, height: int, areas: tuple[float, float], aspects: tuple[float, float], key: int
) -> None:
    settings = changed(OFF, area=sorted(areas), aspect=sorted(aspects))
    left, top, right, bottom = decide((width, height), settings, key).box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    area = (right - left) * (bottom - top) / (width * height)
    assert min(areas) - 1e-9 <= area <= max(areas) + 1e-9
    aspect = (right - left) / (bottom - top)
    # A cut of this area has such aspects, since neither its width nor its height passes the image's.
    fitting = (area * width / height, width / (area * height))
    nearest = [min(max(wanted, fitting[0]), fitting[1]) for wanted in sorted(aspects)]
    assert nearest[0] * (1 - 1e-6) <= aspect <= nearest[1] * (1 + 1e-6)


@given(SIDES, SIDES, st.tuples(SHARES, SHARES), KEYS)
def test_what_is_decoded_is_enough_for_the_cut_and_for_no_more_on_either_side(
    width: int, height: int, areas: tuple[float, float], key: int
) -> None:
    settings = changed(OFF, area=sorted(areas))
    lots = draw(generator_of(key))
    share = enough_share((width, height), settings, lots)
    assert share == enough_share((height, width), settings, lots)
    sides = []
    for size in ((width, height), (height, width)):
        left, top, right, bottom = augmenting.decide(size, settings, lots).box
        sides += [share * (right - left), share * (bottom - top)]
    assert min(sides) == pytest.approx(settings.side_px)


@given(KEYS)
def test_everything_lies_within_its_range(key: int) -> None:
    found = decide((640, 480), EVERYTHING, key)
    assert abs(found.rotation_deg) <= EVERYTHING.rotation_deg
    assert abs(found.shear_deg) <= EVERYTHING.shear_deg
    assert max(abs(times - 1) for times in found.zoom) <= EVERYTHING.zoom + 1e-9
    for name in ("brightness", "contrast", "saturation"):
        assert abs(getattr(found, name) - 1) <= getattr(EVERYTHING, name) + 1e-9
    assert found.blur_px is not None
    assert EVERYTHING.blur_px[0] <= found.blur_px <= EVERYTHING.blur_px[1]
    assert found.quality in range(40, 96)
    assert set(found.colour) <= set(range(256))


@given(KEYS, st.integers(16, 300), st.tuples(st.floats(0.01, 0.5), st.floats(0.01, 0.5)))
def test_a_patch_has_its_share_of_the_square(
    key: int, side_px: int, areas: tuple[float, float]
) -> None:
    settings = changed(EVERYTHING, side_px=side_px, erase_area=sorted(areas))
    patch = decide((640, 480), settings, key).patch
    assert patch is not None
    left, top, right, bottom = patch
    assert 0 <= left < right <= side_px
    assert 0 <= top < bottom <= side_px
    wide, high = right - left, bottom - top
    # Sides are rounded to whole pixels.
    assert (wide - 0.5) * (high - 0.5) <= max(areas) * side_px**2 + 1e-6
    assert (wide + 0.5) * (high + 0.5) >= min(areas) * side_px**2 - 1e-6
    assert (wide - 0.5) / (high + 0.5) <= PATCH_ASPECT[1]
    assert (wide + 0.5) / (high - 0.5) >= PATCH_ASPECT[0]


def test_chances_are_shares_of_the_images() -> None:
    settings = changed(EVERYTHING, blur_chance=0.1, jpeg_chance=0.25, erase_chance=0.5)
    found = [decide((64, 64), settings, key) for key in range(2000)]
    shares = [
        sum(one.blur_px is not None for one in found) / 2000,
        sum(one.quality is not None for one in found) / 2000,
        sum(one.patch is not None for one in found) / 2000,
        sum(one.is_mirrored for one in found) / 2000,
    ]
    # Five standard deviations at most.
    assert np.abs(np.array(shares) - (0.1, 0.25, 0.5, 0.5)).max() < 0.056


def test_cuts_reach_every_corner_and_both_ends_of_their_range() -> None:
    boxes = np.array([decide((100, 80), LANDMARKS, key).box for key in range(2000)])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 8000
    assert areas.min() < 0.51
    assert areas.max() > 0.99
    assert boxes[:, 0].max() > 20
    assert boxes[:, 1].min() < 0.1


@given(KEYS)
def test_no_image_is_mirrored_unless_asked(key: int) -> None:
    assert not decide((640, 480), LANDMARKS, key).is_mirrored
    assert not decide((640, 480), OFF, key).is_mirrored


@given(KEYS)
def test_switching_one_kind_off_leaves_the_others_as_they_were(key: int) -> None:
    full = decide((640, 480), EVERYTHING, key)
    settings = changed(EVERYTHING, mirror=False, erase_chance=0, blur_chance=0, rotation_deg=0)
    less = decide((640, 480), settings, key)
    assert less == replace(full, is_mirrored=False, patch=None, blur_px=None, rotation_deg=0.0)


def test_the_old_way_sees_the_whole_image_in_96_px() -> None:
    found = [decide((640, 480), OLD, key) for key in range(200)]
    assert {one.box for one in found} == {(0, 0, 640, 480)}
    assert {one.side_px for one in found} == {96}
    assert {one.is_mirrored for one in found} == {True, False}
    assert 0.15 < max(abs(one.shear_deg) for one in found) <= 0.2
    assert 1.15 < max(one.zoom[0] for one in found) <= 1.2
    assert {(one.brightness, one.quality, one.patch, one.rotation_deg) for one in found} == {
        (1.0, None, None, 0.0)
    }


def test_mirroring_swaps_left_and_right() -> None:
    image = pixels(4, height=32, width=32)
    assert np.array_equal(apply(image, whole(32, is_mirrored=True)), image[:, ::-1])


def test_turning_equals_that_of_pillow_away_from_the_edges() -> None:
    image = pixels(4, height=64, width=64)
    turned = Image.fromarray(image).rotate(10, Image.Resampling.BICUBIC)
    ours = apply(image, whole(64, rotation_deg=10.0))
    # Their bicubic kernels are not the same one.
    assert difference(ours[12:-12, 12:-12], np.asarray(turned)[12:-12, 12:-12]) < 1
    assert difference(ours, image) > 2


def test_turning_repeats_the_edge_instead_of_showing_black() -> None:
    bright = np.full((64, 64, 3), 200, dtype=np.uint8)
    for done in ({"rotation_deg": 45.0}, {"zoom": (1.9, 1.9)}, {"shear_deg": -45.0}):
        assert np.array_equal(apply(bright, whole(64, **done)), bright)


def test_zooming_by_two_shows_the_middle() -> None:
    image = pixels(4, height=64, width=64)
    middle = Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC, box=(16, 16, 48, 48))
    ours = apply(image, whole(64, zoom=(0.5, 0.5)))
    # The two bicubic kernels of Pillow are not the same one.
    assert difference(ours[4:-4, 4:-4], np.asarray(middle)[4:-4, 4:-4]) < 2
    assert difference(ours[4:-4, 4:-4], np.asarray(middle)[4:-4, 3:-5]) > 4


def test_leaning_moves_rows_by_their_distance_from_the_middle() -> None:
    image = pixels(4, height=64, width=64)
    ours = apply(image, whole(64, shear_deg=math.degrees(math.atan(1))))
    for row in (20, 31, 40):
        shift = row + 0.5 - 32
        wanted = [
            image[row, min(63, max(0, math.floor(x + shift)))].astype(float) / 2
            + image[row, min(63, max(0, math.ceil(x + shift)))] / 2
            for x in range(20, 44)
        ]
        # Between two pixels bicubic overshoots what is their mean.
        assert np.abs(ours[row, 20:44] - np.array(wanted)).max() < 8


@given(KEYS, st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(0.5, 1.5))
def test_colours_equal_the_slow_version(
    key: int, brightness: float, contrast: float, saturation: float
) -> None:
    image = generator_of(key).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    greys = [[0.299 * r + 0.587 * g + 0.114 * b for r, g, b in row] for row in image.tolist()]
    mean = brightness * sum(map(sum, greys)) / 25
    ours = apply(image, whole(5, brightness=brightness, contrast=contrast, saturation=saturation))
    for y in range(5):
        for x in range(5):
            lit = [mean + contrast * (brightness * int(v) - mean) for v in image[y, x]]
            grey = 0.299 * lit[0] + 0.587 * lit[1] + 0.114 * lit[2]
            for channel in range(3):
                exact = grey + saturation * (lit[channel] - grey)
                # OpenCV rounds factors to a thousandth, then the sum.
                assert abs(int(ours[y, x, channel]) - min(255.0, max(0.0, exact))) < 0.9


def test_a_jpeg_is_that_of_pillow_and_a_blur_has_its_width() -> None:
    image = pixels(4, height=64, width=64)
    stored = apply(image, whole(64, quality=40))
    with Image.open(io.BytesIO(encoded(image, "JPEG", quality=40))) as theirs:
        assert np.array_equal(stored, np.asarray(theirs))
    line = np.zeros((33, 33, 3), dtype=np.uint8)
    line[:, 16] = 255
    blurred = apply(line, whole(33, blur_px=1.5)).astype(float)
    places = np.arange(33) - 16
    spread = math.sqrt((blurred[..., 0].sum(axis=0) * places**2).sum() / blurred[..., 0].sum())
    assert spread == pytest.approx(1.5, abs=0.2)


def test_a_patch_is_plain_and_the_rest_stays() -> None:
    image = pixels(4, height=32, width=32)
    ours = apply(image, whole(32, patch=(2, 3, 10, 20), colour=(9, 8, 7)))
    is_patch = np.zeros((32, 32), dtype=bool)
    is_patch[3:20, 2:10] = True
    assert np.array_equal(ours[~is_patch], image[~is_patch])
    assert np.unique(ours[is_patch], axis=0).tolist() == [[9, 8, 7]]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
    ],
)
def test_what_is_no_image_is_told(wrong: Pixels) -> None:
    with pytest.raises(InputError, match=r"uint8 \[H, W, 3\] of at least one pixel was expected"):
        seen(0, OFF, wrong)
