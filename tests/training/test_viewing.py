import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.images.pixels import Limits, decode
from cairn.training.augmenting import Pixels, augment
from cairn.training.keys import generator_of
from cairn.training.samples import as_it_is
from cairn.training.viewing import view
from tests.make import encoded, jpeg, pixels

SMALL = AugmentSettings(side_px=32)


def slowly(content: bytes, key: int, augmenting: AugmentSettings) -> Pixels:
    """The whole image decoded, then varied."""
    return augment(decode(content, limits=Limits()).pixels, augmenting, generator_of(key))


def difference(ours: Pixels, theirs: Pixels) -> float:
    return float(np.abs(ours.astype(float) - theirs.astype(float)).mean())


@pytest.mark.parametrize("key", range(6))
def test_an_image_that_is_decoded_smaller_looks_as_if_it_had_been_decoded_whole(key: int) -> None:
    content = jpeg(key, width=800, height=560)
    assert difference(view(content, key, SMALL), slowly(content, key, SMALL)) < 3


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_an_image_that_is_decoded_whole_is_seen_to_the_bit(
    width: int, height: int, key: int
) -> None:
    for content in (
        jpeg(key, width=min(width, 60), height=min(height, 60)),
        encoded(pixels(key, height=height, width=width), "PNG"),
    ):
        assert np.array_equal(view(content, key, SMALL), slowly(content, key, SMALL))


def test_a_photo_on_its_side_is_cut_as_the_upright_one() -> None:
    upright = Image.open(io.BytesIO(jpeg(4, width=600, height=800, quality=98)))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", quality=98, exif=exif)
    plain = io.BytesIO()
    upright.save(plain, "JPEG", quality=98)
    for key in range(4):
        ours = view(turned.getvalue(), key, SMALL)
        assert difference(ours, view(plain.getvalue(), key, SMALL)) < 3


def test_no_more_is_decoded_than_is_needed() -> None:
    content = jpeg(1, width=1600, height=1200)
    whole = as_it_is(SMALL)
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (43, 32))
        eighth = np.asarray(image)
    assert eighth.shape == (150, 200, 3)
    squashed = Image.fromarray(eighth).resize(
        (32, 32), Image.Resampling.BICUBIC, box=(0, 0, 200, 150), reducing_gap=2.0
    )
    assert np.array_equal(view(content, 0, whole), np.asarray(squashed))


def test_what_is_no_image_is_told() -> None:
    with pytest.raises(InputError, match="the file is no image"):
        view(b"nothing of the kind", 0, SMALL)
